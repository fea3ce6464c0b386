"""How sure a figure is: intervals and paired comparisons against theory."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation.intervals import (
    accuracy_interval,
    compare,
    error_interval,
    holm,
    mcnemar,
    mean_interval,
)
from pipeline.evaluation.predictions import Predictions


def rated(predicted: list[int], actual: list[int], value: list[float] | None = None) -> Predictions:
    given_value = np.array(value if value is not None else predicted, np.float64)
    return Predictions(np.arange(len(actual)), np.array(actual), np.array(predicted), given_value, None, 1, 5)


def test_the_interval_of_a_share_is_that_of_the_binomial() -> None:
    """With 400 rows of which 300 are right the bootstrap interval is close to the normal one."""
    right = rated([1] * 300 + [2] * 100, [1] * 400)
    interval = accuracy_interval(right)
    half = 1.96 * math.sqrt(0.75 * 0.25 / 400)
    assert interval.value == 0.75
    assert interval.low == pytest.approx(0.75 - half, abs=0.006)
    assert interval.high == pytest.approx(0.75 + half, abs=0.006)


def test_the_interval_of_a_mean_of_many_values_is_that_of_the_normal() -> None:
    """Resampling rows one by one agrees with theory where the values are all different."""
    values = np.random.default_rng(0).normal(2.0, 1.0, 2000)
    interval = mean_interval(values)
    half = 1.96 * values.std() / math.sqrt(2000)
    assert interval.low == pytest.approx(values.mean() - half, abs=0.01)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.01)


def test_intervals_of_no_rows_are_undefined() -> None:
    """An empty test split gives NaN, not an error."""
    assert math.isnan(error_interval(rated([], [])).low)


def test_a_comparison_counts_pairs() -> None:
    """Both, only one, only the other and neither add up to all rows; the difference is that of accuracies."""
    actual = [1, 2, 3, 4, 5, 1]
    a, b = rated([1, 2, 3, 4, 1, 2], actual), rated([1, 2, 1, 1, 5, 2], actual)
    found = compare(a, b, ordered=True)
    assert (found.both, found.only_a, found.only_b, found.neither) == (2, 2, 1, 1)
    assert found.n == 6
    assert found.difference.value == pytest.approx(1 / 6)
    assert found.error is not None
    assert found.error.value == pytest.approx((0 + 0 + 0 + 0 + 4 + 1) / 6 - (0 + 0 + 2 + 3 + 0 + 1) / 6)


def test_only_equal_rows_are_compared() -> None:
    """Predictions of other rows cannot be paired."""
    a = rated([1], [1])
    b = Predictions(np.array([7]), a.actual, a.predicted, a.value, None, 1, 5)
    with pytest.raises(ValueError, match="same rows"):
        compare(a, b, ordered=True)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_only_raises_p_and_keeps_its_order(p_values: list[float]) -> None:
    """Adjusted values are at least the given ones, at most 1, and ranked alike."""
    adjusted = holm(p_values)
    assert all(p <= q <= 1 for p, q in zip(p_values, adjusted, strict=True))
    order = np.argsort(p_values, kind="stable")
    assert np.all(np.diff(np.array(adjusted)[order]) >= 0)


def test_mcnemar_is_symmetric_and_exact() -> None:
    """The test is the same both ways round, and for 5 against 0 it is 2 / 32."""
    assert mcnemar(5, 0) == mcnemar(0, 5) == pytest.approx(2 / 32)
