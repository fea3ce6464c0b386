"""Figures of merit over `Predictions`; the same functions for heads, tasks and baselines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from pipeline.evaluation.predictions import Predictions
from pipeline.project.files import Figure


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
    """All figures of one set of predictions; undefined ones (a correlation with a constant) are NaN."""
    from sklearn.metrics import precision_recall_fscore_support

    actual, predicted = predictions.actual, predictions.predicted
    labels = np.arange(predictions.low, predictions.low + predictions.size)
    averages = {
        average: precision_recall_fscore_support(
            actual, predicted, labels=labels, average=average, zero_division=0.0
        )[:3]
        for average in ("macro", "weighted")
    }
    return Metrics(
        n=len(predictions),
        accuracy=float((actual == predicted).mean()),
        **{
            f"{name}_{average}": float(figure)
            for average, figures in averages.items()
            for name, figure in zip(("precision", "recall", "f1"), figures, strict=True)
        },
        mcc=_agreement(predictions, "mcc"),
        rating=measure_rating(predictions) if ordered else None,
    )


def measure_rating(predictions: Predictions) -> RatingMetrics:
    """The figures that need an order."""
    actual, predicted, value = predictions.actual, predictions.predicted, predictions.value
    error = value - actual
    return RatingMetrics(
        adjacent_accuracy=adjacent_accuracy(actual, predicted),
        adjacent_raw=float((np.abs(error) <= 1.0).mean()),
        mae=float(np.abs(error).mean()),
        rmse=float(np.sqrt((error**2).mean())),
        qwk=_agreement(predictions, "qwk"),
        spearman=_spearman(actual, value),
    )


def adjacent_accuracy(actual: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64]) -> float:
    """Share of n whole ratings that miss by at most one.

    >>> adjacent_accuracy(np.array([1, 3, 5]), np.array([2, 3, 3]))
    0.6666666666666666
    """
    return float((np.abs(actual - predicted) <= 1).mean())


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


def _agreement(predictions: Predictions, name: Literal["mcc", "qwk"]) -> float:
    """Matthews correlation or quadratic kappa; NaN where both sides hold one same label: neither exists."""
    from sklearn.metrics import cohen_kappa_score, matthews_corrcoef

    actual, predicted = predictions.actual, predictions.predicted
    if len(np.unique(np.concatenate([actual, predicted]))) == 1:
        return float("nan")
    if name == "mcc":
        return float(matthews_corrcoef(actual, predicted))
    labels = np.arange(predictions.low, predictions.low + predictions.size)
    return float(cohen_kappa_score(actual, predicted, labels=labels, weights="quadratic"))


def _spearman(actual: npt.NDArray[np.int64], value: npt.NDArray[np.float64]) -> float:
    from scipy.stats import spearmanr

    if len(actual) < 2 or np.ptp(actual) == 0 or np.ptp(value) == 0:
        return float("nan")
    return float(spearmanr(actual, value).statistic)
