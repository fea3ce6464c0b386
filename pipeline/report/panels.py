"""One run or baseline to be laid beside another: its confusion pair and what it predicts how often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.corpus.labels import Labels
from pipeline.evaluation.metrics import confusion, neighbours_right
from pipeline.evaluation.predictions import Predictions
from pipeline.report.results import CorpusResults


@dataclass(frozen=True)
class Square:
    """One cell of a confusion matrix: rows, their share of the true label's rows, and whether it is right."""

    count: int
    share: float
    right: bool


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix, true labels down; `right` is the share of all rows on the diagonal."""

    title: str
    rows: tuple[tuple[Square, ...], ...]
    right: float


@dataclass(frozen=True)
class Bar:
    """Share of test rows that truly have, and that are predicted to have, one label."""

    name: str
    true: float
    predicted: float


@dataclass(frozen=True)
class Panel:
    """Everything shown of one side; `top` is the largest share among all sides' bars."""

    name: str
    kind: str
    decoding: str
    matrices: tuple[Matrix, ...]
    bars: tuple[Bar, ...]
    top: float


@dataclass(frozen=True)
class Side:
    """Predictions that a panel is made of."""

    name: str
    kind: str
    decoding: str
    predictions: Predictions


def panels(results: CorpusResults) -> tuple[Panel, ...]:
    """A panel for each run and for the baseline that reads the text."""
    sides = [Side(run.name, run.kind, run.evaluation.decoding, run.predictions) for run in results.runs]
    sides += [
        Side(item.baseline.name, "baseline", "argmax", item.predictions)
        for item in results.baselines
        if item.baseline.name == "tfidf"
    ]
    return panels_of(sides, results.corpus.labels)


def panels_of(sides: Sequence[Side], labels: Labels) -> tuple[Panel, ...]:
    """A panel a side, their bars on one scale."""
    bars = [_bars(side.predictions, labels) for side in sides]
    top = max((max(bar.true, bar.predicted) for side in bars for bar in side), default=1.0)
    return tuple(
        Panel(side.name, side.kind, side.decoding, _matrices(side.predictions, labels), bar, top)
        for side, bar in zip(sides, bars, strict=True)
    )


def opening_pair(results: CorpusResults, best: str | None) -> tuple[str, str]:
    """Names of the panels shown first: the best run, and the first run of another kind beside it.

    Where all runs are of one kind a second run stands there, and without one the baseline.
    """
    names = [run.name for run in results.runs]
    if best is None:
        return "tfidf", "tfidf"
    kinds = {run.name: run.kind for run in results.runs}
    others = [name for name in names if name != best]
    unlike = [name for name in others if kinds[name] != kinds[best]]
    return best, (unlike or others or ["tfidf"])[0]


def _matrices(predictions: Predictions, labels: Labels) -> tuple[Matrix, ...]:
    exact = confusion(predictions)
    result = [_matrix("exact", exact)]
    if labels.ordered:
        result.append(_matrix("neighbours counted as right", neighbours_right(exact)))
    return tuple(result)


def _matrix(title: str, counts: npt.NDArray[np.int64]) -> Matrix:
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    rows = tuple(
        tuple(Square(int(counts[i, j]), float(shares[i, j]), i == j) for j in range(len(counts)))
        for i in range(len(counts))
    )
    return Matrix(title, rows, float(np.trace(counts) / max(counts.sum(), 1)))


def _bars(predictions: Predictions, labels: Labels) -> tuple[Bar, ...]:
    return tuple(
        Bar(
            labels.name(value),
            float((predictions.actual == value).mean()) if len(predictions) else 0.0,
            float((predictions.predicted == value).mean()) if len(predictions) else 0.0,
        )
        for value in labels.values
    )
