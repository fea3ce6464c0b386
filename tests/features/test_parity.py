"""The gate that a device passes before it may fill a cache."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from features.encoder.encoder import Encoder, EncoderSpec
from features.encoder.parity import Parity, check_parity
from features.errors import InputError
from tests.features.tiny_models import ARCHITECTURES, LAYERS, POSITIONS, write_tiny


def load(folder: Path, precision: str = "float32", *, keep_tokens: bool = True) -> Encoder:
    """A tiny encoder with a cached layer below the last."""
    spec = EncoderSpec(str(folder), None, POSITIONS, (1, LAYERS), keep_tokens)
    return Encoder.load(spec, device="cpu", precision=precision)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_float32_on_the_cpu_agrees_with_itself(tmp_path: Path, architecture: str) -> None:
    """Packing costs nothing but the rounding of tokens to float16."""
    parity = check_parity(load(write_tiny(tmp_path / architecture, architecture)))
    assert parity.holds
    assert min(parity.mean, parity.lowest, parity.pooled) > 0.999999


def test_a_device_that_computes_something_else_is_refused(tmp_path: Path) -> None:
    """Wrong vectors stop with the three figures and the variables to set."""
    encoder = load(write_tiny(tmp_path / "bert", "bert"))
    with torch.no_grad():
        encoder.forward.stack.layers[0].attention.output.LayerNorm.weight[:16] *= 1.5
    says = r"cpu in float32 .*mean 0\.9\d+, lowest .*ENCODE_ONCE_DEVICE=cpu or ENCODE_ONCE_PRECISION=float32"
    with pytest.raises(InputError, match=says):
        check_parity(encoder)


def test_the_gate_looks_at_pooled_vectors_where_nothing_else_is_kept(tmp_path: Path) -> None:
    """Without tokens the pooled vectors decide, and they are looked at."""
    encoder = load(write_tiny(tmp_path / "bert", "bert"), keep_tokens=False)
    assert check_parity(encoder).lowest > 0.999999
    with torch.no_grad():
        encoder.forward.stack.layers[0].attention.output.LayerNorm.weight[:16] *= 1.5
    with pytest.raises(InputError, match="does not agree"):
        check_parity(encoder)


@pytest.mark.parametrize(
    ("parity", "holds"),
    [
        (Parity(0.9999, 0.999, 0.9999), True),
        (Parity(0.9998, 0.999, 0.9999), False),
        (Parity(0.9999, 0.9989, 0.9999), False),
        (Parity(0.9999, 0.999, 0.9998), False),
        (Parity(float("nan"), float("nan"), float("nan")), False),
    ],
)
def test_every_figure_must_reach_its_bar(parity: Parity, holds: bool) -> None:
    """One figure below its bar, or one that is no number, is enough to refuse."""
    assert parity.holds is holds
