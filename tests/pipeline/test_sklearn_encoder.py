from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks

from features.encoded import Text
from features.encoder import EncoderSpec, FrozenEncoder
from features.errors import InputError
from pipeline.sklearn_encoder import EncoderTransformer

MODEL = str(Path(__file__).resolve().parents[2] / "encoders" / "mini-en")
TEXTS = ["a dull film", "a wonderful and moving film, from its first minute", "money", "a dull film"]


def transformer(**options: Any) -> EncoderTransformer:
    return EncoderTransformer(MODEL, max_length=16, **options)


# Those of scikit-learn's own checks that ask an estimator itself; the others feed it tables of numbers.
CHECKS = (
    "check_estimator_cloneable", "check_estimator_repr", "check_estimator_tags_renamed", "check_mixin_order",
    "check_get_params_invariance", "check_no_attributes_set_in_init", "check_set_params",
    "check_parameters_default_constructible", "check_valid_tag_types",
)  # fmt: skip


@pytest.mark.parametrize("check", CHECKS)
def test_scikit_learns_own_checks_hold(check: str) -> None:
    """Every estimator check that needs no numbers passes."""
    getattr(estimator_checks, check)("EncoderTransformer", transformer())


@pytest.mark.parametrize(("pooling", "column"), [("cls", 0), ("mean", 1)])
def test_vectors_are_the_encoders_own_in_the_order_of_the_texts(pooling: str, column: int) -> None:
    """Short and long texts come back in their places, equal texts with equal vectors."""
    vectors = transformer(pooling=pooling, layer=2).fit_transform(TEXTS)
    encoder = FrozenEncoder.load(EncoderSpec(MODEL, None, 16, (2,), keep_tokens=False))
    for text, vector in zip(TEXTS, vectors, strict=True):
        (alone,) = encoder.encode([Text(text)])
        assert vector == pytest.approx(alone.pooled[0, column], abs=0.02 * float(np.abs(alone.pooled).max()))
    assert vectors.shape == (4, encoder.dim)
    assert vectors.dtype == np.float32
    assert np.allclose(vectors[0], vectors[3], atol=1e-5)


def test_a_pipeline_learns_predicts_and_travels() -> None:
    """As the first step of a pipeline it serves a classifier, also after cloning and pickling."""
    texts = [f"{mood} film number {i}" for i in range(10) for mood in ("a dull", "a wonderful")]
    labels = ["bad", "good"] * 10
    model = clone(make_pipeline(transformer(), LogisticRegression(max_iter=500))).fit(texts, labels)
    assert model.score(texts, labels) == 1.0
    copy = pickle.loads(pickle.dumps(model))
    assert len(pickle.dumps(model)) < 100_000
    assert copy.predict(texts).tolist() == model.predict(texts).tolist()
    names = model[0].get_feature_names_out()
    assert (names[0], len(names)) == ("encodertransformer0", model[0].n_features_out_)


def test_vectors_before_fitting_are_refused() -> None:
    """As with any estimator, `transform` comes after `fit`."""
    with pytest.raises(NotFittedError):
        transformer().transform(TEXTS)


@pytest.mark.parametrize(
    ("texts", "options", "message"),
    [
        ("one text", {}, "a single text; expected a list"),
        ([1.0, 2.0], {}, r"X\[0\] is float; expected texts"),
        (np.zeros((2, 3)), {}, r"X\[0\] is ndarray; expected texts"),
        (TEXTS, {"pooling": "max"}, "pooling is 'max'; expected mean or cls"),
        (TEXTS, {"layer": 99}, "layer 99 is asked for"),
    ],
)
def test_what_is_not_text_is_named(texts: Any, options: dict[str, Any], message: str) -> None:
    """Numbers, a lone string and unknown options are told apart, with what was expected."""
    with pytest.raises(InputError, match=message):
        transformer(**options).fit(texts)
