from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, log_loss

from pipeline.evaluation.calibration import BINS, Calibration, calibration, expected_error, reliability
from pipeline.evaluation.predictions import Predictions, constant_predictions

SEEDS = st.integers(0, 2**32 - 1)


def predictions(probabilities: npt.NDArray[np.float64], actual: npt.NDArray[np.int64]) -> Predictions:
    """Classes from 0, the most probable one predicted."""
    value = probabilities @ np.arange(probabilities.shape[1])
    return Predictions(
        np.arange(len(actual)), actual, probabilities.argmax(axis=1), value, probabilities, 0,
        probabilities.shape[1],
    )  # fmt: skip


def drawn(seed: int, n: int = 300, size: int = 3) -> Predictions:
    generator = np.random.default_rng(seed)
    return predictions(generator.dirichlet(np.ones(size), n), generator.integers(0, size, n))


def measured(item: Predictions) -> Calibration:
    found = calibration(item)
    assert found is not None
    return found


@given(SEEDS)
@settings(deadline=None)
def test_the_error_is_what_the_definition_says(seed: int) -> None:
    """Bin by bin, with the bins found by a loop over rows, the calibration error is the same."""
    item = drawn(seed)
    total = 0.0
    for b in range(1, BINS + 1):
        members = [
            i for i, confidence in enumerate(item.confidence()) if (b - 1) / BINS < confidence <= b / BINS
        ]
        if members:
            right = sum(item.actual[i] == item.predicted[i] for i in members) / len(members)
            total += len(members) * abs(right - sum(item.confidence()[members]) / len(members))
    assert measured(item).ece == pytest.approx(total / len(item))


@given(SEEDS)
@settings(deadline=None)
def test_the_diagram_is_that_of_scikit_learn(seed: int) -> None:
    """Shares right and mean confidences of full bins are those of `calibration_curve`."""
    item = drawn(seed)
    right = item.actual == item.predicted
    accuracy, confidence = calibration_curve(right, item.confidence(), n_bins=BINS, strategy="uniform")
    full = [b for b in measured(item).bins if b.n]
    assert [b.accuracy for b in full] == pytest.approx(accuracy.tolist())
    assert [b.confidence for b in full] == pytest.approx(confidence.tolist())


@given(SEEDS, st.integers(2, 5))
@settings(deadline=None)
def test_the_scores_are_those_of_scikit_learn(seed: int, size: int) -> None:
    """Brier score and log loss agree with scikit-learn's, for two labels and for more."""
    item = drawn(seed, size=size)
    found = measured(item)
    labels = list(range(size))
    assert found.log_loss == pytest.approx(log_loss(item.actual, item.probabilities, labels=labels))
    brier = brier_score_loss(item.actual, item.probabilities, labels=labels, scale_by_half=False)
    assert found.brier == pytest.approx(brier)


@given(SEEDS)
@settings(deadline=None)
def test_bins_keep_every_row_and_errors_their_range(seed: int) -> None:
    """Counts sum to the rows, figures stay in their ranges, and the order of rows changes nothing."""
    item = drawn(seed, n=40)
    found = measured(item)
    assert sum(b.n for b in found.bins) == 40
    assert 0 <= found.ece <= 1
    assert 0 <= found.brier <= 2
    assert all(b.low - 1e-12 <= b.confidence <= b.high + 1e-12 for b in found.bins if b.n)
    order = np.random.default_rng(seed).permutation(40)
    assert item.probabilities is not None
    shuffled = predictions(item.probabilities[order], item.actual[order])
    assert measured(shuffled).ece == pytest.approx(found.ece)


def test_one_bin_gives_the_gap_between_confidence_and_accuracy() -> None:
    """With a single bin the error is the distance of mean confidence from accuracy."""
    confidence = np.array([0.6, 0.8, 0.9, 0.5])
    bins = reliability(confidence, np.array([True, False, True, False]), 1)
    assert expected_error(bins) == pytest.approx(0.7 - 0.5)


def test_honest_probabilities_stay_below_chance_and_boasts_do_not() -> None:
    """Labels drawn from the probabilities give an error that chance explains; sharpened ones do not."""
    generator = np.random.default_rng(3)
    probabilities = generator.dirichlet(np.ones(4), 4000)
    actual = (generator.random((4000, 1)) > probabilities.cumsum(axis=1)).sum(axis=1)
    honest = measured(predictions(probabilities, actual))
    assert honest.ece <= honest.luck
    boast = probabilities**3 / (probabilities**3).sum(axis=1, keepdims=True)
    assert measured(predictions(boast, actual)).ece > 3 * measured(predictions(boast, actual)).luck


def test_a_regressor_has_no_calibration() -> None:
    """Without probabilities, and without rows, there is nothing to measure."""
    item = drawn(1)
    assert calibration(replace(item, probabilities=None)) is None
    assert calibration(predictions(np.empty((0, 3)), np.empty(0, np.int64))) is None


def test_certainty_that_errs_has_finite_figures() -> None:
    """A constant that gives its label all the probability is punished, not infinite."""
    found = measured(constant_predictions(np.arange(4), np.array([1, 1, 2, 2]), 1, 1, 2))
    assert found.ece == pytest.approx(0.5)
    assert found.brier == pytest.approx(1.0)
    assert np.isfinite(found.log_loss)
