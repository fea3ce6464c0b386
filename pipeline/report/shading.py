"""Attention as text: each word on a ground that is the deeper, the more a hop looked at it."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.labels import Labels
from pipeline.drawing.word_attention import Heatmap
from pipeline.report.gather import RunResults
from pipeline.report.rendering import excerpt

_UNSEEN = 2000  # characters shown of a stretch without a word that the head saw
_WORD = 120  # characters shown of one word


@dataclass(frozen=True)
class Piece:
    """A stretch of text: a word with its number, or what stands between words (`word` is None)."""

    text: str
    word: int | None
    share: float


@dataclass(frozen=True)
class ShadedText:
    """One text ready to be shown.

    weights: JSON of the hops and, last, their mean: each a list of whole numbers 0 to 100, the word's share
        of the hop's largest word.
    error: what the list is sorted by: for ratings the distance of the value, for classes the confidence if
        wrong and its negative if right.
    """

    row: int
    true: str
    predicted: str
    right: bool
    value: float | None
    confidence: float
    error: float
    pieces: tuple[Piece, ...]
    weights: str
    hops: int
    rest: float
    picture: str


def shaded_texts(run: RunResults, labels: Labels) -> tuple[ShadedText, ...]:
    """The run's heatmaps in the order in which they were chosen."""
    return tuple(_shade(item, labels) for item in run.heatmaps.texts)


def _shade(item: Heatmap, labels: Labels) -> ShadedText:
    attention = item.attention
    rows = np.vstack([attention.weights, attention.mean[None]])
    scaled = _scale(rows)
    wrong = item.actual != item.predicted
    signed = item.confidence if wrong else -item.confidence
    return ShadedText(
        row=item.row,
        true=labels.name(item.actual),
        predicted=labels.name(item.predicted),
        right=not wrong,
        value=item.value if labels.ordered else None,
        confidence=item.confidence,
        error=abs(item.value - item.actual) if labels.ordered else signed,
        pieces=_pieces(item, scaled[-1]),
        weights=json.dumps(scaled.tolist(), separators=(",", ":")),
        hops=len(attention.weights),
        rest=float(attention.rest.mean()) if len(attention.rest) else 0.0,
        picture=item.picture,
    )


def _scale(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    if rows.shape[1] == 0:
        return rows.astype(np.int64)
    largest = np.maximum(rows.max(axis=1, keepdims=True), 1e-12)
    result: npt.NDArray[np.int64] = np.rint(100 * rows / largest).astype(np.int64)
    return result


def _pieces(item: Heatmap, shares: npt.NDArray[np.int64]) -> tuple[Piece, ...]:
    pieces, place = [], 0
    for i, (start, end) in enumerate(item.attention.words):
        if start > place:
            pieces.append(Piece(excerpt(item.text[place:start], _UNSEEN), None, 0.0))
        pieces.append(Piece(excerpt(item.text[start:end], _WORD), i, int(shares[i]) / 100))
        place = end
    rest = item.text[place:]
    if rest:
        pieces.append(Piece(excerpt(rest, _UNSEEN), None, 0.0))
    return tuple(pieces)
