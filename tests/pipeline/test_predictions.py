from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features.errors import InputError
from pipeline.evaluation.predictions import Predictions, constant_predictions


def test_predictions_survive_their_file(tmp_path: Path) -> None:
    """Everything, probabilities included, comes back as it was."""
    saved = constant_predictions(np.arange(3), np.array([1, 2, 5]), 4, 1, 5)
    saved.save(tmp_path / "p.h5")
    loaded = Predictions.load(tmp_path / "p.h5")
    assert (loaded.low, loaded.size) == (1, 5)
    for name in ("rows", "actual", "predicted", "value", "probabilities"):
        assert np.array_equal(getattr(loaded, name), getattr(saved, name))


def test_a_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    """The message says what to run."""
    with pytest.raises(InputError, match="dvc repro"):
        Predictions.load(tmp_path / "absent.h5")


def test_confidence_is_the_probability_of_what_was_predicted() -> None:
    """A classifier's confidence is read at the predicted label."""
    probabilities = np.array([[0.2, 0.8], [0.9, 0.1]])
    both = Predictions(np.arange(2), np.array([1, 1]), np.array([2, 2]), np.ones(2), probabilities, 1, 2)
    assert both.confidence().tolist() == [0.8, 0.1]


def test_a_regressor_is_sure_where_its_value_is_a_whole_rating() -> None:
    """Without probabilities, confidence falls from 1 at the rating to 0 half-way to the next."""
    values = np.array([3.0, 3.25, 3.5, 7.0])
    one = Predictions(np.arange(4), np.full(4, 3), np.array([3, 3, 3, 5]), values, None, 1, 5)
    assert one.confidence().tolist() == [1.0, 0.5, 0.0, 0.0]
