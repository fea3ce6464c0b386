"""Figures of merit over `Predictions`; the same functions for heads, tasks and baselines.

What depends on the predicted labels alone is a function of the confusion matrix, so that a bootstrap may work
it out for thousands of resampled matrices at once. Matrices are (..., C, C), actual labels down, predicted
across; figures are (...), and NaN where they are not defined.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.evaluation.predictions import Predictions
from pipeline.project.files import Figure

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RatingMetrics:
    """Figures that need an order among the labels.

    adjacent_accuracy: share with |predicted - actual| <= 1, predictions being whole ratings.
    adjacent_raw: share with |value - actual| <= 1, the value as it is. Rounding a regressor widens its
        tolerance to 1.5, so this figure is the stricter one; a classifier's value is its mean rating.
    mae, rmse: mean absolute and root mean square error of the value, in ratings.
    qwk: Cohen's kappa of the predicted ratings with quadratic weights (Cohen 1968).
    spearman: rank correlation of the value with the rating.
    """

    adjacent_accuracy: Figure
    adjacent_raw: Figure
    mae: Figure
    rmse: Figure
    qwk: Figure
    spearman: Figure


@dataclass(frozen=True)
class Metrics:
    """Figures over n rows; averages over labels are macro (each label counts once) and weighted (by rows).

    mcc: Matthews correlation (Gorodkin's form for more than two classes).
    rating: None where labels have no order.
    """

    n: int
    accuracy: Figure
    precision_macro: Figure
    recall_macro: Figure
    f1_macro: Figure
    precision_weighted: Figure
    recall_weighted: Figure
    f1_weighted: Figure
    mcc: Figure
    rating: RatingMetrics | None


def measure(predictions: Predictions, *, ordered: bool) -> Metrics:
    """All figures of one set of predictions."""
    matrix = confusion(predictions).astype(np.float64)
    hits, true, found = _margins(matrix)
    each = {
        "precision": _ratio(hits, found, 0.0),
        "recall": _ratio(hits, true, 0.0),
        "f1": _ratio(2 * hits, true + found, 0.0),
    }
    weighted = {
        f"{name}_weighted": _ratio((values * true).sum(), true.sum()) for name, values in each.items()
    }
    macro = {f"{name}_macro": values.mean() for name, values in each.items()}
    return Metrics(
        n=len(predictions),
        accuracy=float(accuracy_of(matrix)),
        **{name: float(value) for name, value in {**macro, **weighted}.items()},
        mcc=float(mcc_of(matrix)),
        rating=_measure_rating(predictions, matrix) if ordered else None,
    )


def _measure_rating(predictions: Predictions, matrix: Floats) -> RatingMetrics:
    error = predictions.value - predictions.actual
    return RatingMetrics(
        adjacent_accuracy=float(adjacent_of(matrix)),
        adjacent_raw=_mean(np.abs(error) <= 1.0),
        mae=_mean(np.abs(error)),
        rmse=math.sqrt(_mean(error**2)),
        qwk=float(qwk_of(matrix)),
        spearman=_spearman(predictions.actual, predictions.value),
    )


def confusion(predictions: Predictions) -> npt.NDArray[np.int64]:
    """(C, C) int64 counts, actual labels down, predicted across."""
    size = predictions.size
    pair = (predictions.actual - predictions.low) * size + predictions.predicted - predictions.low
    return np.bincount(pair, minlength=size * size).reshape(size, size).astype(np.int64)


def neighbours_right(matrix: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """A confusion matrix with neighbouring ratings counted as right: (C, C), first off-diagonals moved in.

    >>> neighbours_right(np.array([[1, 2, 3], [0, 4, 1], [5, 1, 0]])).tolist()
    [[3, 0, 3], [0, 5, 0], [5, 0, 1]]
    """
    size = len(matrix)
    near = np.abs(np.subtract.outer(np.arange(size), np.arange(size))) == 1
    result = np.where(near, 0, matrix)
    result[np.diag_indices(size)] += np.where(near, matrix, 0).sum(axis=1)
    return result


def accuracy_of(matrix: Floats) -> Floats:
    """Share on the diagonal.

    >>> float(accuracy_of(np.array([[3.0, 1.0], [0.0, 4.0]])))
    0.875
    """
    return _ratio(np.trace(matrix, axis1=-2, axis2=-1), matrix.sum(axis=(-2, -1)))


def f1_of(matrix: Floats) -> Floats:
    """Mean over labels of 2 TP / (true + predicted); a label that neither side has counts as 0."""
    hits, true, found = _margins(matrix)
    result: Floats = _ratio(2 * hits, true + found, 0.0).mean(axis=-1)
    return result


def mcc_of(matrix: Floats) -> Floats:
    """Matthews correlation in Gorodkin's form (2004, eq. 8).

    It is 0 where one side has a single label, and not defined where both have the same single one.

    >>> float(mcc_of(np.array([[2.0, 0.0], [0.0, 3.0]])))
    1.0
    """
    n = matrix.sum(axis=(-2, -1))
    hits, true, found = _margins(matrix)
    together = n * hits.sum(axis=-1) - (true * found).sum(axis=-1)
    spread = (n**2 - (true**2).sum(axis=-1)) * (n**2 - (found**2).sum(axis=-1))
    alone = hits.max(axis=-1) == n
    return np.where(alone, np.nan, _ratio(together, np.sqrt(np.maximum(spread, 0.0)), 0.0))


def adjacent_of(matrix: Floats) -> Floats:
    """Share on the diagonal and beside it."""
    return _ratio((matrix * (_distance(matrix) <= 1)).sum(axis=(-2, -1)), matrix.sum(axis=(-2, -1)))


def qwk_of(matrix: Floats) -> Floats:
    """Cohen's kappa with quadratic weights (1968): 1 - observed / expected squared distance.

    Not defined where both sides have the same single label.

    >>> float(qwk_of(np.array([[1.0, 1.0], [1.0, 1.0]])))
    0.0
    """
    weight = _distance(matrix).astype(np.float64) ** 2
    expected = matrix.sum(axis=-1)[..., :, None] * matrix.sum(axis=-2)[..., None, :]
    n = matrix.sum(axis=(-2, -1))
    return 1 - _ratio(n * (matrix * weight).sum(axis=(-2, -1)), (expected * weight).sum(axis=(-2, -1)))


@dataclass(frozen=True)
class Headline:
    """A figure that a report may lead with: its name, what it is, whether it is a share, how it is read and
    worked out.
    """

    title: str
    about: str
    share: bool
    read: Callable[[Metrics], float]
    of: Callable[[Floats], Floats]


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


def _margins(matrix: Floats) -> tuple[Floats, Floats, Floats]:
    """Of each label the rows that are right, that have it, and that are predicted to: three of (..., C)."""
    return np.diagonal(matrix, axis1=-2, axis2=-1), matrix.sum(axis=-1), matrix.sum(axis=-2)


def _distance(matrix: Floats) -> npt.NDArray[np.int64]:
    labels = np.arange(matrix.shape[-1])
    distance: npt.NDArray[np.int64] = np.abs(labels[:, None] - labels)
    return distance


def _ratio(part: Floats, whole: Floats, otherwise: float = math.nan) -> Floats:
    """Part of whole, and something else where there is nothing."""
    safe = np.where(whole > 0, whole, 1.0)
    result: Floats = np.where(whole > 0, part / safe, otherwise)
    return result


def _mean(values: npt.NDArray[np.bool_] | Floats) -> float:
    return float(values.mean()) if len(values) else math.nan


def _spearman(actual: npt.NDArray[np.int64], value: npt.NDArray[np.float64]) -> float:
    """Pearson's correlation of ranks, ties at their mean rank; undefined where one side is constant."""
    if len(actual) < 2 or np.ptp(actual) == 0 or np.ptp(value) == 0:
        return math.nan
    return float(np.corrcoef(_ranks(actual), _ranks(value))[0, 1])


def _ranks(values: npt.NDArray[np.int64] | npt.NDArray[np.float64]) -> Floats:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    result: Floats = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return result
