"""The figures that a report may lead with: each is a function of the confusion matrix alone.

So their intervals come from resampling the matrix's cells: a multinomial draw of the cells has the
distribution that resampling rows has (Efron & Tibshirani 1993, chapter 13), and costs next to nothing.
Matrices are (..., C, C), true labels down; figures are (...).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.evaluation.intervals import Interval
from pipeline.evaluation.metrics import Metrics, confusion
from pipeline.evaluation.predictions import Predictions

Floats = npt.NDArray[np.float64]
_RESAMPLES = 2000


@dataclass(frozen=True)
class Headline:
    """One figure: its name, what it is, whether it is a share, and how it is read and worked out."""

    title: str
    about: str
    share: bool
    read: Callable[[Metrics], float]
    of: Callable[[Floats], Floats]


def accuracy_of(matrix: Floats) -> Floats:
    """Share on the diagonal.

    >>> float(accuracy_of(np.array([[3.0, 1.0], [0.0, 4.0]])))
    0.875
    """
    return _share(np.trace(matrix, axis1=-2, axis2=-1), matrix.sum(axis=(-2, -1)))


def f1_of(matrix: Floats) -> Floats:
    """Mean over labels of 2 TP / (true + predicted); a label that neither side has counts as 0."""
    hits = np.diagonal(matrix, axis1=-2, axis2=-1)
    each = _share(2 * hits, matrix.sum(axis=-1) + matrix.sum(axis=-2))
    result: Floats = each.mean(axis=-1)
    return result


def mcc_of(matrix: Floats) -> Floats:
    """Matthews correlation in Gorodkin's form (2004, eq. 8); 0 where one side has a single label.

    >>> float(mcc_of(np.array([[2.0, 0.0], [0.0, 3.0]])))
    1.0
    """
    n = matrix.sum(axis=(-2, -1))
    true, found = matrix.sum(axis=-1), matrix.sum(axis=-2)
    together = n * np.trace(matrix, axis1=-2, axis2=-1) - (true * found).sum(axis=-1)
    spread = (n**2 - (true**2).sum(axis=-1)) * (n**2 - (found**2).sum(axis=-1))
    return _share(together, np.sqrt(np.maximum(spread, 0.0)))


def adjacent_of(matrix: Floats) -> Floats:
    """Share on the diagonal and beside it."""
    return _share((matrix * (_distance(matrix) <= 1)).sum(axis=(-2, -1)), matrix.sum(axis=(-2, -1)))


def qwk_of(matrix: Floats) -> Floats:
    """Cohen's kappa with quadratic weights (1968): 1 - observed / expected squared distance.

    >>> float(qwk_of(np.array([[1.0, 1.0], [1.0, 1.0]])))
    0.0
    """
    weight = _distance(matrix).astype(np.float64) ** 2
    expected = matrix.sum(axis=-1)[..., :, None] * matrix.sum(axis=-2)[..., None, :]
    n = matrix.sum(axis=(-2, -1))
    return 1 - _share(n * (matrix * weight).sum(axis=(-2, -1)), (expected * weight).sum(axis=(-2, -1)))


HEADLINES = {
    "accuracy": Headline(
        "accuracy", "share of test rows predicted exactly", True, lambda m: m.accuracy, accuracy_of
    ),
    "f1": Headline("macro F1", "mean of the labels' F1 scores", False, lambda m: m.f1_macro, f1_of),
    "mcc": Headline("MCC", "Matthews correlation: 0 is chance, 1 is perfect", False, lambda m: m.mcc, mcc_of),
    "adjacent": Headline(
        "±1",
        "share of whole ratings that miss by at most one",
        True,
        lambda m: m.rating.adjacent_accuracy if m.rating else math.nan,
        adjacent_of,
    ),
    "qwk": Headline(
        "QWK",
        "Cohen's kappa with quadratic weights",
        False,
        lambda m: m.rating.qwk if m.rating else math.nan,
        qwk_of,
    ),
}


def headline_interval(predictions: Predictions, headline: Headline, seed: int = 13) -> Interval:
    """The figure with its 95 % percentile bootstrap interval; NaN without rows."""
    counts = confusion(predictions).astype(np.float64)
    if not counts.sum():
        return Interval(math.nan, math.nan, math.nan)
    drawn = _draw(counts.ravel(), seed).reshape(-1, *counts.shape)
    return _interval(float(headline.of(counts)), headline.of(drawn))


def headline_difference(a: Predictions, b: Predictions, headline: Headline, seed: int = 13) -> Interval:
    """The figure of a minus that of b on the same n rows, resampled in pairs.

    Raises:
        ValueError: they are of different rows.
    """
    if not np.array_equal(a.rows, b.rows):
        raise ValueError("only predictions of the same rows can be compared in pairs")
    if not len(a):
        return Interval(math.nan, math.nan, math.nan)
    size = a.size
    triples = np.stack([a.actual, a.predicted, b.predicted], axis=1) - a.low
    cells, counts = np.unique(triples, axis=0, return_counts=True)
    drawn = np.vstack([counts, _draw(counts.astype(np.float64), seed)])
    figures = []
    for side in (1, 2):
        place = np.eye(size * size)[cells[:, 0] * size + cells[:, side]]
        figures.append(headline.of((drawn @ place).reshape(-1, size, size)))
    difference = figures[0] - figures[1]
    return _interval(float(difference[0]), difference[1:])


def _draw(counts: Floats, seed: int) -> Floats:
    n = int(counts.sum())
    drawn = np.random.default_rng(seed).multinomial(n, counts / n, size=_RESAMPLES)
    return drawn.astype(np.float64)


def _interval(value: float, drawn: Floats) -> Interval:
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(value, float(low), float(high))


def _distance(matrix: Floats) -> npt.NDArray[np.int64]:
    labels = np.arange(matrix.shape[-1])
    distance: npt.NDArray[np.int64] = np.abs(labels[:, None] - labels)
    return distance


def _share(part: Floats, whole: Floats) -> Floats:
    """Part of whole, and 0 where there is nothing."""
    safe = np.where(whole > 0, whole, 1.0)
    result: Floats = np.where(whole > 0, part / safe, 0.0)
    return result
