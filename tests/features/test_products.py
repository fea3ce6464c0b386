"""float32 products of a process that does nothing but encode."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from features.corpus.texts import Text
from features.encoder import parity
from features.encoder.device import give_products_to_half, plain_products
from features.encoder.encoder import Encoder, EncoderSpec
from tests.features.tiny_models import write_tiny

TEXTS = [Text("good"), Text("a slow ending, but a great cast " * 4), Text("loved it", "never again")]


@pytest.fixture(autouse=True)
def _untouched() -> Iterator[None]:
    before = torch.backends.mkldnn.matmul.fp32_precision
    yield
    torch.backends.mkldnn.matmul.fp32_precision = before


def test_only_an_encoder_in_bfloat16_is_given_them() -> None:
    """For float32 and float16 the process keeps the setting it had."""
    for precision in ("float32", "float16"):
        give_products_to_half(precision)
        assert torch.backends.mkldnn.matmul.fp32_precision != "bf16"
    give_products_to_half("bfloat16")
    assert torch.backends.mkldnn.matmul.fp32_precision == "bf16"


def test_plain_products_end_where_their_block_ends() -> None:
    """Inside, factors are float32; after an error too the setting comes back."""
    give_products_to_half("bfloat16")
    seen: list[str] = []
    with contextlib.suppress(KeyError), plain_products():
        seen.append(torch.backends.mkldnn.matmul.fp32_precision)
        raise KeyError
    assert seen == ["ieee"]
    assert torch.backends.mkldnn.matmul.fp32_precision == "bf16"


@pytest.mark.parametrize("architecture", ["bert", "roberta", "electra"])
def test_vectors_stay_what_they_were(tmp_path: Path, architecture: str) -> None:
    """Scores of bfloat16 factors are the same by either way, and the pooler's product is not rounded."""
    folder = write_tiny(tmp_path / architecture, architecture)
    encoder = Encoder.load(EncoderSpec(str(folder), None, 40), device="cpu", precision="bfloat16")
    before = next(encoder.encode(TEXTS, budget=400))
    give_products_to_half(encoder.precision)
    after = next(encoder.encode(TEXTS, budget=400))
    near = 0.02 if architecture == "electra" else 4e-3  # ELECTRA's embeddings pass through one more product
    np.testing.assert_allclose(after.tokens[0], before.tokens[0], atol=near)
    np.testing.assert_allclose(after.pooled, before.pooled, atol=near)


def test_the_reference_of_the_parity_gate_is_not_rounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process given to bfloat16 still measures its vectors against true float32 ones."""
    folder = write_tiny(tmp_path / "bert", "bert")
    encoder = Encoder.load(EncoderSpec(str(folder), None, 40), device="cpu", precision="bfloat16")
    give_products_to_half(encoder.precision)
    reference, seen = parity.plain_forward(encoder), []

    def watched(text: Text) -> Any:
        seen.append(torch.backends.mkldnn.matmul.fp32_precision)
        return reference(text)

    monkeypatch.setattr(parity, "plain_forward", lambda _: watched)
    assert parity.measure_parity(encoder, TEXTS).lowest > 0.99
    assert seen == ["ieee"] * len(TEXTS)
