from __future__ import annotations

import numpy as np
import pytest

from pipeline.baselines import constant_labels, tfidf_predictions
from tests.pipeline.demo import make_corpus


def test_constants_are_fitted_on_train_alone() -> None:
    """The majority class comes from the training labels, whatever the test labels are."""
    corpus = make_corpus()
    train, test = corpus.rows("train"), corpus.rows("test")
    corpus.label[train] = 3
    corpus.label[train[:5]] = 1
    corpus.label[test] = 1
    constants = {name: label for name, (_, label) in constant_labels(corpus).items()}
    assert constants == {"majority": 3, "median": 3, "adjacent": 2}


def test_the_rating_with_most_neighbours_wins_adjacent_accuracy() -> None:
    """The constant that is within one of most training ratings need not be the most frequent."""
    corpus = make_corpus()
    train = corpus.rows("train")
    half = len(train) // 2
    corpus.label[train[:half]] = 1
    corpus.label[train[half:]] = 3
    assert constant_labels(corpus)["adjacent"][1] == 2


@pytest.mark.parametrize("language", ["en", "zh"])
def test_tfidf_learns_words_and_characters(language: str) -> None:
    """Where a word tells the rating, the baseline finds it in either language's features."""
    corpus = make_corpus()
    object.__setattr__(corpus, "language", language)
    predictions, description = tfidf_predictions(corpus)
    assert ("words 1-2" if language == "en" else "characters 1-3") in description
    assert (predictions.predicted == predictions.actual).mean() == 1.0
    assert predictions.probabilities is not None
    assert np.allclose(predictions.probabilities.sum(axis=1), 1.0)
    assert np.allclose(predictions.value, predictions.probabilities @ np.array([1.0, 2.0, 3.0]))


def test_a_label_missing_from_train_still_has_its_column() -> None:
    """Probabilities have one column a label, nought for one that was never seen."""
    corpus = make_corpus()
    train = corpus.rows("train")
    corpus.label[train[corpus.label[train] == 2]] = 1
    predictions, _ = tfidf_predictions(corpus)
    assert predictions.probabilities is not None
    assert predictions.probabilities.shape[1] == 3
    assert not predictions.probabilities[:, 1].any()
