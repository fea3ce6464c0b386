"""A masked-LM head on given states against the whole model it came from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForMaskedLM

from features.encoder.masked_lm import MaskedHead
from features.encoder.weights import load_tokenizer, quiet_transformers
from tests.features.tiny_models import ARCHITECTURES, WIDTH, write_tiny, write_tiny_masked

ENCODERS = Path(__file__).parents[2] / "encoders"


def own_scores(folder: Path, text: str, variant: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The model's own scores for a text, and the last hidden states they were made of."""
    with quiet_transformers(), torch.inference_mode():
        model = AutoModelForMaskedLM.from_pretrained(folder, variant=variant)
        pieces = load_tokenizer(folder)(text, return_tensors="pt")
        output = model(**pieces, output_hidden_states=True)
    return output.logits[0].numpy(), output.hidden_states[-1][0].numpy()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_given_states_get_the_scores_of_the_whole_model(architecture: str, tmp_path: Path) -> None:
    """The head alone gives what the model gives, in every architecture."""
    folder = write_tiny_masked(tmp_path / architecture, architecture)
    expected, hidden = own_scores(folder, "the film was not good")
    head = MaskedHead.load(folder)
    assert head is not None
    np.testing.assert_allclose(head.scores(hidden), expected, atol=1e-5)
    np.testing.assert_array_equal(head.name(hidden), expected.argmax(-1))


@pytest.mark.parametrize("name", ["mini-en", "mini-zh"])
def test_the_bundled_encoders_bring_theirs(name: str) -> None:
    """The head that lies beside the bundled weights is found and is the model's own."""
    expected, hidden = own_scores(ENCODERS / name, "The film was good. 电影很好看", "mlm")
    head = MaskedHead.load(ENCODERS / name)
    assert head is not None
    np.testing.assert_allclose(head.scores(hidden), expected, atol=1e-4)


@pytest.mark.parametrize("architecture", [name for name in ARCHITECTURES if name != "macbert"])
def test_an_encoder_without_a_head_has_none(architecture: str, tmp_path: Path) -> None:
    """Weights of the encoder alone give no head, never one of random weights."""
    assert MaskedHead.load(write_tiny(tmp_path / architecture, architecture)) is None


def test_many_tokens_are_named_in_parts(tmp_path: Path) -> None:
    """Long texts are named piece by piece as short ones are."""
    head = MaskedHead.load(write_tiny_masked(tmp_path / "bert", "bert"))
    assert head is not None
    hidden = np.random.default_rng(0).normal(size=(1100, WIDTH)).astype(np.float16)
    np.testing.assert_array_equal(head.name(hidden), head.scores(hidden).argmax(-1))
