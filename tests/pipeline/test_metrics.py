from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import (
    accuracy_score,
    cohen_kappa_score,
    matthews_corrcoef,
    precision_recall_fscore_support,
)

from pipeline.evaluation.metrics import confusion, measure, neighbours_right
from pipeline.evaluation.predictions import Predictions, constant_predictions

RATINGS = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=60)


def ratings(pairs: list[tuple[int, int]], value: list[float] | None = None) -> Predictions:
    actual, predicted = np.array(pairs, np.int64).T
    values = predicted.astype(np.float64) if value is None else np.array(value)
    return Predictions(np.arange(len(actual)), actual, predicted, values, None, 1, 5)


def test_the_figures_of_a_worked_example() -> None:
    """Each figure equals what pencil and paper give for five ratings."""
    figures = measure(ratings([(1, 1), (2, 3), (3, 3), (5, 4), (5, 2)]), ordered=True)
    assert figures.accuracy == pytest.approx(2 / 5)
    # Precisions by rating: 1/1, 0/1, 1/2, 0/1, nothing predicted as 5.
    assert figures.precision_macro == pytest.approx((1 + 0 + 0.5 + 0 + 0) / 5)
    assert figures.recall_macro == pytest.approx((1 + 0 + 1 + 0 + 0) / 5)
    assert figures.recall_weighted == figures.accuracy
    assert figures.rating is not None
    assert figures.rating.adjacent_accuracy == pytest.approx(4 / 5)
    assert figures.rating.mae == pytest.approx(5 / 5)
    assert figures.rating.rmse == pytest.approx(math.sqrt((1 + 1 + 9) / 5))
    # Quadratic kappa: 1 - sum w O / sum w E over the 5 x 5 tables.
    assert figures.rating.qwk == pytest.approx(
        1 - 11 * 5 / quadratic_expected([1, 2, 3, 5, 5], [1, 3, 3, 4, 2])
    )


def quadratic_expected(actual: list[int], predicted: list[int]) -> float:
    return float(sum((a - p) ** 2 for a in actual for p in predicted))


def test_rounding_widens_the_tolerance_of_a_regressor() -> None:
    """A value 1.4 away counts as adjacent once it is rounded, and not as it is."""
    figures = measure(ratings([(2, 3)], value=[3.4]), ordered=True)
    assert figures.rating is not None
    assert figures.rating.adjacent_accuracy == 1.0
    assert figures.rating.adjacent_raw == 0.0


@given(st.lists(st.tuples(st.integers(1, 5), st.floats(0, 6, width=16)), min_size=3, max_size=40))
def test_the_rank_correlation_is_scipys(pairs: list[tuple[int, float]]) -> None:
    """Ties have their mean rank, as in scipy's Spearman correlation."""
    actual, value = (list(column) for column in zip(*pairs, strict=True))
    figures = measure(ratings([(a, a) for a in actual], value=value), ordered=True)
    assert figures.rating is not None
    if len(set(actual)) > 1 and len(set(value)) > 1:
        assert figures.rating.spearman == pytest.approx(spearmanr(actual, value).statistic, abs=1e-12)
    else:
        assert math.isnan(figures.rating.spearman)


def test_figures_that_do_not_exist_are_nan_not_zero() -> None:
    """A constant prediction has no rank correlation, and one rating no kappa, without a warning."""
    rows, actual = np.arange(4), np.array([3, 3, 3, 3])
    figures = measure(constant_predictions(rows, actual, 3, 1, 5), ordered=True)
    assert figures.rating is not None
    assert math.isnan(figures.rating.spearman)
    assert math.isnan(figures.rating.qwk)
    assert math.isnan(figures.mcc)
    nothing = measure(ratings([(1, 1)]).take(np.array([], np.int64)), ordered=True)
    assert nothing.n == 0
    assert math.isnan(nothing.accuracy)


@given(RATINGS)
def test_figures_agree_with_their_confusion_matrix(pairs: list[tuple[int, int]]) -> None:
    """Accuracy and adjacent accuracy are diagonal shares of the two matrices, which keep every row."""
    predictions = ratings(pairs)
    matrix = confusion(predictions)
    near = neighbours_right(matrix)
    figures = measure(predictions, ordered=True)
    assert matrix.sum() == near.sum() == len(pairs)
    assert np.array_equal(matrix.sum(axis=1), near.sum(axis=1))
    assert np.trace(matrix) / len(pairs) == pytest.approx(figures.accuracy)
    assert figures.rating is not None
    assert np.trace(near) / len(pairs) == pytest.approx(figures.rating.adjacent_accuracy)
    assert figures.accuracy <= figures.rating.adjacent_accuracy


@given(RATINGS)
def test_figures_are_those_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    """A second source: each figure of the confusion matrix is what scikit-learn finds in the rows."""
    actual, predicted = np.array(pairs).T
    figures = measure(ratings(pairs), ordered=True)
    labels = np.arange(1, 6)
    assert figures.accuracy == pytest.approx(accuracy_score(actual, predicted))
    for average in ("macro", "weighted"):
        expected = precision_recall_fscore_support(
            actual, predicted, labels=labels, average=average, zero_division=0.0
        )
        for name, value in zip(("precision", "recall", "f1"), expected, strict=False):
            assert getattr(figures, f"{name}_{average}") == pytest.approx(value)
    if len(set(np.concatenate([actual, predicted]).tolist())) == 1:
        return  # scikit-learn calls these 0 and NaN, with a warning
    assert figures.mcc == pytest.approx(matthews_corrcoef(actual, predicted))
    assert figures.rating is not None
    kappa = cohen_kappa_score(actual, predicted, labels=labels, weights="quadratic")
    assert figures.rating.qwk == pytest.approx(kappa)


@given(RATINGS, st.randoms(use_true_random=False))
def test_order_of_rows_changes_no_figure(pairs: list[tuple[int, int]], random: object) -> None:
    """Shuffled rows give the same figures."""
    shuffled = list(pairs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    before, after = measure(ratings(pairs), ordered=True), measure(ratings(shuffled), ordered=True)
    assert before.f1_weighted == pytest.approx(after.f1_weighted)
    assert before.rating is not None
    assert after.rating is not None
    assert before.rating.qwk == pytest.approx(after.rating.qwk, nan_ok=True)


def test_classes_have_no_rating_figures() -> None:
    """Labels without an order get no adjacent accuracy."""
    assert measure(ratings([(1, 1), (2, 1)]), ordered=False).rating is None
