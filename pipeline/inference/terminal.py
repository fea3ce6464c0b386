"""A prediction for people at a terminal: probabilities as bars, attention as the shade behind each word."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

import numpy as np

from features.labels import Labels
from pipeline.drawing.word_attention import WordAttention
from pipeline.inference.predictor import Prediction

_BAR = 30  # cells of a full bar
_TOP = 8  # words named in the list of those most looked at
_JOINERS = "\u200c\u200d"  # invisible, harmless, and part of many emoji
# Seven backgrounds of the 256-colour palette from almost nothing to strong, each with a readable foreground.
_SHADES = ((254, 16), (225, 16), (219, 16), (213, 16), (207, 16), (201, 16), (164, 231))


def render(prediction: Prediction, labels: Labels, colour: bool) -> str:
    """A few lines: the answer, a bar a label, and for attentive heads where the head looked.

    Args:
        prediction: what to show.
        labels: what its values mean.
        colour: whether ANSI colours are wanted; without them no escape sequence is written.
    """
    lines = list(_answer(prediction, labels, colour))
    if prediction.probabilities is not None:
        lines += _bars(prediction, labels)
    if prediction.attention is not None and len(prediction.attention.words):
        lines += _looked_at(prediction.text, prediction.attention, colour)
    if prediction.truncated:
        lines.append("  the text is longer than what the encoder reads; its end does not count")
    return "\n".join(lines)


def printable(text: str) -> str:
    """The text without what could move a terminal's cursor, change its colours or turn its direction."""
    return "".join(
        character if character.isprintable() or character in _JOINERS else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )


def _answer(prediction: Prediction, labels: Labels, colour: bool) -> Iterator[str]:
    name = printable(prediction.label)
    shown = f"\x1b[1m{name}\x1b[0m" if colour else name
    if not labels.ordered:
        yield f"{shown}  ({prediction.confidence:.1%})"
    elif prediction.probabilities is None:
        yield f"{shown}  (value {prediction.value:.2f})"
    else:
        yield f"{shown}  ({prediction.confidence:.1%}, expected {prediction.value:.2f})"


def _bars(prediction: Prediction, labels: Labels) -> Iterator[str]:
    names = [printable(name) for name in labels.names]
    width = max(map(_cells, names))
    for name, share in zip(names, prediction.probabilities or (), strict=True):
        bar = "█" * round(share * _BAR)
        yield f"  {name}{' ' * (width - _cells(name))}  {share:6.1%} {bar}".rstrip()


def _looked_at(text: str, attention: WordAttention, colour: bool) -> Iterator[str]:
    weights = attention.mean
    if colour:
        yield f"  {_shaded(text, attention)}"
    order = np.argsort(-weights, kind="stable")[:_TOP]
    words = ", ".join(
        f"{printable(text[attention.words[i].start : attention.words[i].end])} {weights[i]:.1%}"
        for i in order.tolist()
    )
    yield f"  looked at: {words}; punctuation and marks {attention.rest.mean():.1%}"


def _shaded(text: str, attention: WordAttention) -> str:
    """The text, each word on a ground as deep as its share of the most-looked-at word's attention."""
    weights = attention.mean
    scale = weights / max(float(weights.max()), 1e-12)
    parts, last = [], 0
    for (start, end), share in zip(attention.words, scale.tolist(), strict=True):
        parts.append(printable(text[last:start]))
        ground, ink = _SHADES[min(int(share * len(_SHADES)), len(_SHADES) - 1)]
        parts.append(f"\x1b[48;5;{ground};38;5;{ink}m{printable(text[start:end])}\x1b[0m")
        last = end
    return "".join([*parts, printable(text[last:])])


def _cells(text: str) -> int:
    """Terminal cells of a text: Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
