"""Attention over the words of one text as a picture: a row a hop and their mean, words across."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from features.words import Span
from pipeline.drawing.style import figure
from pipeline.drawing.word_attention import WordAttention

_LINE = 64  # widths of a Latin letter in one line of words
_LINES = 6  # longest pictures; texts go on in the report


def plot_heatmap(path: Path, text: str, attention: WordAttention, title: str) -> None:
    """Draw R hops and their mean over the words, wrapped into lines like text; darker is more attention."""
    shown = list(_wrap(text, attention.words))
    lines = shown[:_LINES]
    rows = np.vstack([attention.weights, attention.mean])
    names = [f"hop {hop + 1}" for hop in range(len(attention.weights))] + ["mean"]
    # Words beyond the picture still count for the scale, so that pictures of one text agree.
    scale = rows / np.maximum(rows.max(axis=1, keepdims=True), 1e-12) if rows.size else rows
    height = 0.9 + max(len(lines), 1) * (0.22 * len(names) + 0.5)
    with figure(path, 9.0, height) as canvas:
        cut = "" if len(shown) <= _LINES else f", first {lines[-1][-1] + 1} of {len(attention.words)} words"
        canvas.suptitle(f"{title}{cut}", fontsize="medium")
        panels = canvas.subplots(max(len(lines), 1), 1, squeeze=False)[:, 0]
        for axes, line in zip(panels, lines, strict=False):
            words = [text[slice(*attention.words[i])] for i in line]
            widths = np.array([_width(word) for word in words], dtype=float)
            edges = np.concatenate([[0.0], np.cumsum(widths)])
            axes.pcolormesh(edges, np.arange(len(names) + 1), scale[:, line], cmap="Purples", vmin=0, vmax=1)
            axes.set_xlim(0, _LINE)
            axes.invert_yaxis()
            axes.set_yticks(np.arange(len(names)) + 0.5, names, fontsize="x-small")
            axes.set_xticks((edges[:-1] + edges[1:]) / 2, words, fontsize="small")
            axes.xaxis.tick_top()
            axes.tick_params(length=0)
            axes.spines[:].set_visible(False)


def _wrap(text: str, words: tuple[Span, ...]) -> Iterator[list[int]]:
    line: list[int] = []
    used = 0.0
    for i, (start, end) in enumerate(words):
        width = _width(text[start:end])
        if line and used + width > _LINE:
            yield line
            line, used = [], 0.0
        line.append(i)
        used += width
    if line:
        yield line


def _width(word: str) -> float:
    """Room a word takes, in Latin letters: Chinese characters are about twice as wide."""
    return min(sum(2.0 if ord(character) > 0x2E7F else 1.0 for character in word) + 1.2, float(_LINE))
