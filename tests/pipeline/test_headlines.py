from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.evaluation.intervals import headline_difference, headline_interval, mean_interval
from pipeline.evaluation.metrics import HEADLINES, measure
from pipeline.evaluation.predictions import Predictions, constant_predictions


def ratings(pairs: list[tuple[int, int]]) -> Predictions:
    actual, predicted = np.array(pairs, np.int64).T
    return Predictions(np.arange(len(actual)), actual, predicted, predicted.astype(float), None, 1, 4)


@pytest.mark.parametrize("name", sorted(HEADLINES))
def test_many_matrices_at_once_give_what_each_gives(name: str) -> None:
    """A stack of matrices has the figures of its members."""
    stack = np.random.default_rng(1).integers(0, 9, (7, 3, 3)).astype(np.float64)
    figure = HEADLINES[name].of
    assert figure(stack).tolist() == pytest.approx([float(figure(matrix)) for matrix in stack])


def test_intervals_of_accuracy_agree_with_those_of_rows() -> None:
    """Resampling the matrix's cells gives accuracy the interval that resampling rows gives."""
    generator = np.random.default_rng(2)
    pairs = [(int(a), int(a if r < 0.7 else b)) for a, b, r in
             zip(*generator.integers(1, 5, (2, 400)), generator.random(400), strict=True)]  # fmt: skip
    ours = headline_interval(ratings(pairs), HEADLINES["accuracy"])
    rows = mean_interval(np.array([float(a == b) for a, b in pairs]))
    assert ours.value == rows.value
    assert (ours.low, ours.high) == pytest.approx((rows.low, rows.high), abs=0.006)


@pytest.mark.parametrize("name", sorted(HEADLINES))
def test_one_label_has_the_same_figures_everywhere(name: str) -> None:
    """Rows and predictions of one label: a table says of them what the headline says."""
    predictions, headline = ratings([(3, 3)] * 5), HEADLINES[name]
    in_tables = headline.read(measure(predictions, ordered=True))
    assert headline_interval(predictions, headline).value == pytest.approx(in_tables, nan_ok=True)
    assert math.isnan(in_tables) is (name in ("mcc", "qwk"))


@pytest.mark.parametrize("name", sorted(HEADLINES))
def test_a_difference_is_paired(name: str) -> None:
    """The same predictions differ by nothing for certain; two sides differ by their figures' difference."""
    generator = np.random.default_rng(4)
    actual, a, b = generator.integers(1, 5, (3, 200))
    a = np.where(generator.random(200) < 0.5, actual, a)
    sides = [ratings(list(zip(actual.tolist(), side.tolist(), strict=True))) for side in (a, b)]
    headline = HEADLINES[name]
    none = headline_difference(sides[0], sides[0], headline)
    assert none.low <= none.value == 0.0 <= none.high
    found = headline_difference(*sides, headline)
    figures = [headline_interval(side, headline).value for side in sides]
    assert found.value == pytest.approx(figures[0] - figures[1])
    assert found.low < found.value < found.high


def test_a_constant_has_no_correlation() -> None:
    """Always one answer gives a Matthews correlation of 0 with a width of nothing; no rows give NaN."""
    constant = constant_predictions(np.arange(4), np.array([1, 2, 1, 2]), 1, 1, 2)
    found = headline_interval(constant, HEADLINES["mcc"])
    assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)
    empty = constant_predictions(np.arange(0), np.array([], np.int64), 1, 1, 2)
    assert math.isnan(headline_interval(empty, HEADLINES["mcc"]).value)
    assert math.isnan(headline_difference(empty, empty, HEADLINES["mcc"]).value)


def test_other_rows_cannot_be_compared() -> None:
    """Predictions of different rows have no paired difference."""
    a, b = (constant_predictions(np.arange(k, k + 3), np.ones(3, np.int64), 1, 1, 2) for k in (0, 1))
    with pytest.raises(ValueError, match="same rows"):
        headline_difference(a, b, HEADLINES["f1"])
