"""From attention over pieces to attention over words, and what the attention stage leaves for `compare`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from features.words import Span
from pipeline.writing import read_json


@dataclass(frozen=True)
class WordAttention:
    """Where a head looked in one text.

    words: W character spans of the text, only those with at least one piece (a truncated text has fewer).
    weights: (R, W) float64, the attention of each hop that falls on each word.
    rest: (R,) float64, what falls on punctuation and special tokens; `weights` and `rest` sum to 1 a hop.
    """

    words: tuple[Span, ...]
    weights: npt.NDArray[np.float64]
    rest: npt.NDArray[np.float64]

    @property
    def mean(self) -> npt.NDArray[np.float64]:
        """(W,) float64, the mean over hops."""
        result: npt.NDArray[np.float64] = self.weights.mean(axis=0)
        return result


@dataclass(frozen=True)
class Heatmap:
    """One text with its prediction and its word attention; `picture` is the file name of the same as PNG."""

    row: int
    text: str
    actual: int
    predicted: int
    value: float
    confidence: float
    attention: WordAttention
    picture: str


@dataclass(frozen=True)
class Heatmaps:
    """All heatmaps of a run; `attends` is False for heads without attention, which have none."""

    run: str
    attends: bool
    texts: tuple[Heatmap, ...]


def read_heatmaps(path: Path) -> Heatmaps:
    """What the attention stage wrote."""
    data = read_json(path)
    texts = tuple(
        Heatmap(**{**item, "attention": _read_attention(item["attention"])}) for item in data["texts"]
    )
    return Heatmaps(**{**data, "texts": texts})


def _read_attention(data: dict[str, Any]) -> WordAttention:
    words = tuple(Span(*span) for span in data["words"])
    weights = np.array(data["weights"], dtype=np.float64).reshape(len(data["rest"]), len(words))
    return WordAttention(words, weights, np.array(data["rest"], dtype=np.float64))


def attention_per_word(
    words: Sequence[Span], pieces: npt.NDArray[np.int32], attention: npt.NDArray[np.float64]
) -> WordAttention:
    """Sum the attention of the pieces of each word.

    Args:
        words: spans of the text's words, ascending and apart.
        pieces: (L, 2) int32 character spans of the pieces in the same text; empty spans for special tokens.
        attention: (R, L) float64, rows sum to 1.

    A piece belongs to the word in which it starts: a character-level encoder never crosses a word, and a
    word-piece one splits at the same punctuation or inside a word.
    """
    starts = np.array([word.start for word in words], dtype=np.int64)
    ends = np.array([word.end for word in words], dtype=np.int64)
    real = pieces[:, 1] > pieces[:, 0]
    owner = np.searchsorted(starts, pieces[:, 0], side="right") - 1
    inside = real & (owner >= 0)
    inside[inside] = pieces[inside, 0] < ends[owner[inside]]
    weights = np.zeros((len(attention), len(words)))
    for hop, row in enumerate(attention):
        weights[hop] = np.bincount(owner[inside], weights=row[inside], minlength=len(words))
    seen = np.flatnonzero(np.bincount(owner[inside], minlength=len(words)))
    kept = tuple(words[int(i)] for i in seen)
    return WordAttention(kept, weights[:, seen], attention[:, ~inside].sum(axis=1))
