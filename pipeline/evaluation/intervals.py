"""How sure a figure is, and whether one set of predictions is better than another.

The bootstrap resamples test rows (Efron & Tibshirani 1993, chapter 13, percentile interval). A figure that is
a mean over rows with few different values is resampled through their counts: the multinomial draw has the
same distribution as resampling rows and costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from pipeline.evaluation.predictions import Predictions

_RESAMPLES = 4000
_LEVEL = 0.95
_CHUNK = 2_000_000  # drawn row numbers held at once, 16 MB

Verdict = Literal["better", "worse", "cannot tell"]


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """One set of predictions, `a`, against another, `b`, on the same n rows.

    both, only_a, only_b, neither: rows that are predicted exactly right.
    difference: accuracy of a minus that of b.
    p: McNemar's exact two-sided p.
    error: mean absolute error of a minus that of b where labels are ratings, else None; below 0 is better.
    """

    both: int
    only_a: int
    only_b: int
    neither: int
    difference: Interval
    p: float
    error: Interval | None

    @property
    def n(self) -> int:
        """Number of rows."""
        return self.both + self.only_a + self.only_b + self.neither


def accuracy_interval(predictions: Predictions, seed: int = 13) -> Interval:
    """Accuracy with its interval.

    >>> right = np.array([1, 1, 1, 2])
    >>> rows = np.arange(4)
    >>> accuracy_interval(Predictions(rows, np.ones(4, int), right, right * 1.0, None, 1, 2)).value
    0.75
    """
    return mean_interval((predictions.actual == predictions.predicted).astype(np.float64), seed)


def error_interval(predictions: Predictions, seed: int = 13) -> Interval:
    """Mean absolute error of the value, in ratings, with its interval."""
    return mean_interval(np.abs(predictions.value - predictions.actual), seed)


def mean_interval(values: npt.NDArray[np.float64], seed: int = 13) -> Interval:
    """The mean of n values with its 95 % percentile bootstrap interval; NaN for no values.

    >>> mean_interval(np.array([1.0, 1.0, 1.0]))
    Interval(value=1.0, low=1.0, high=1.0)
    """
    if len(values) == 0:
        return Interval(float("nan"), float("nan"), float("nan"))
    means = _resampled_means(values, np.random.default_rng(seed))
    tail = (1 - _LEVEL) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(values.mean()), float(low), float(high))


def compare(a: Predictions, b: Predictions, *, ordered: bool, seed: int = 13) -> Comparison:
    """Paired comparison of two predictions of the same rows.

    Raises:
        ValueError: they are of different rows.
    """
    if not np.array_equal(a.rows, b.rows):
        raise ValueError("only predictions of the same rows can be compared in pairs")
    right_a, right_b = a.predicted == a.actual, b.predicted == b.actual
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    error = None
    if ordered:
        error = mean_interval(np.abs(a.value - a.actual) - np.abs(b.value - b.actual), seed)
    return Comparison(
        both=int((right_a & right_b).sum()),
        only_a=only_a,
        only_b=only_b,
        neither=int((~right_a & ~right_b).sum()),
        difference=mean_interval(right_a.astype(np.float64) - right_b, seed),
        p=mcnemar(only_a, only_b),
        error=error,
    )


def mcnemar(only_a: int, only_b: int) -> float:
    """McNemar's exact two-sided p (1947): a fair coin decides each row that only one of the two has right.

    >>> mcnemar(0, 0), round(mcnemar(9, 1), 4)
    (1.0, 0.0215)
    """
    from scipy.stats import binomtest

    return float(binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0


def holm(p_values: list[float]) -> list[float]:
    """Holm's step-down adjustment (1979) of the p values of m comparisons, in their order.

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted


def verdict(difference: float, p: float) -> Verdict:
    """What a difference in accuracy says at the 5 % level.

    >>> verdict(0.02, 0.2), verdict(0.02, 0.01), verdict(-0.02, 0.01)
    ('cannot tell', 'better', 'worse')
    """
    if p >= 1 - _LEVEL or difference == 0:
        return "cannot tell"
    return "better" if difference > 0 else "worse"


def _resampled_means(
    values: npt.NDArray[np.float64], generator: np.random.Generator
) -> npt.NDArray[np.float64]:
    n = len(values)
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) <= 50:
        drawn = generator.multinomial(n, counts / n, size=_RESAMPLES)
        means: npt.NDArray[np.float64] = drawn @ distinct / n
        return means
    resamples = _RESAMPLES if n <= 5000 else 1000
    step = max(1, _CHUNK // n)
    parts = [
        values[generator.integers(0, n, size=(min(step, resamples - start), n))].mean(axis=1)
        for start in range(0, resamples, step)
    ]
    return np.concatenate(parts)
