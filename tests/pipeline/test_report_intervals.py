"""How sure a figure is: intervals and paired comparisons against theory."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation.intervals import (
    compare,
    headline_interval,
    mcnemar,
    mean_interval,
    score_interval,
    verdict,
)
from pipeline.evaluation.metrics import HEADLINES
from pipeline.evaluation.predictions import Predictions


def rated(predicted: list[int], actual: list[int], value: list[float] | None = None) -> Predictions:
    given_value = np.array(value if value is not None else predicted, np.float64)
    return Predictions(np.arange(len(actual)), np.array(actual), np.array(predicted), given_value, None, 1, 5)


def test_the_interval_of_a_share_is_that_of_the_binomial() -> None:
    """With 400 rows of which 300 are right the bootstrap interval is close to the normal one."""
    right = rated([1] * 300 + [2] * 100, [1] * 400)
    interval = headline_interval(right, HEADLINES["accuracy"])
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
    assert math.isnan(mean_interval(np.array([])).low)
    assert math.isnan(score_interval(0, 0, 0).low)


def test_a_comparison_counts_pairs() -> None:
    """Rows that one alone has right are counted; the difference is that of accuracies."""
    actual = [1, 2, 3, 4, 5, 1]
    a, b = rated([1, 2, 3, 4, 1, 2], actual), rated([1, 2, 1, 1, 5, 2], actual)
    found = compare(a, b, ordered=True)
    assert (found.only_a, found.only_b) == (2, 1)
    assert found.difference.value == pytest.approx(1 / 6)
    assert found.error is not None
    assert found.error.value == pytest.approx((0 + 0 + 0 + 0 + 4 + 1) / 6 - (0 + 0 + 2 + 3 + 0 + 1) / 6)


def test_only_equal_rows_are_compared() -> None:
    """Predictions of other rows cannot be paired."""
    a = rated([1], [1])
    b = Predictions(np.array([7]), a.actual, a.predicted, a.value, None, 1, 5)
    with pytest.raises(ValueError, match="same rows"):
        compare(a, b, ordered=True)


COUNTS = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 300), st.integers(1, 20))


@given(COUNTS)
def test_the_verdict_the_interval_and_p_are_one_statement(counts: tuple[int, int, int, int]) -> None:
    """The corrected interval excludes zero where the corrected p is below 0.05, as the verdict says."""
    only_a, only_b, alike, comparisons = counts
    n = only_a + only_b + alike
    found = score_interval(only_a, only_b, n, comparisons)
    if not n:
        assert verdict(found) == "cannot tell"
        return
    assert found.low <= found.value <= found.high
    p = comparisons * mcnemar(only_a, only_b)
    if abs(p - 0.05) < 1e-9:
        return
    expected = ("better" if only_a > only_b else "worse") if p < 0.05 else "cannot tell"
    assert verdict(found) == expected


def test_the_score_interval_is_the_published_one() -> None:
    """The airway data of Fagerland, Lydersen and Laake (2014): 1 and 7 of 21, -0.517 to -0.026."""
    found = score_interval(1, 7, 21)
    assert (round(found.low, 3), round(found.high, 3)) == (-0.517, -0.026)


def test_the_score_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Over 2,000 drawn test splits of 150 rows it holds the true difference in about 95 of 100."""
    generator = np.random.default_rng(8)
    drawn = generator.multinomial(150, [0.12, 0.05, 0.83], size=2000)
    intervals = [score_interval(a, b, 150) for a, b, _ in drawn.tolist()]
    held = np.mean([item.low <= 0.07 <= item.high for item in intervals])
    assert held == pytest.approx(0.95, abs=0.015)


@given(COUNTS)
def test_more_comparisons_say_less(counts: tuple[int, int, int, int]) -> None:
    """An interval that is one of many holds the one that stands alone."""
    only_a, only_b, alike, comparisons = counts
    n = only_a + only_b + alike + 1
    alone, many = score_interval(only_a, only_b, n), score_interval(only_a, only_b, n, comparisons)
    assert many.low <= alone.low <= alone.high <= many.high


def test_mcnemar_is_symmetric() -> None:
    """The test is the same both ways round, and for 9 against 1 that of chi-squared = 6.4."""
    assert mcnemar(1, 9) == mcnemar(9, 1) == pytest.approx(0.011412, abs=1e-6)
