"""The gate that a device passes before it may fill a cache."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from features.encoder.device import finer_settings
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
    """Wrong vectors stop with the three figures; on the CPU in float32 no variable would help."""
    encoder = load(write_tiny(tmp_path / "bert", "bert"))
    with torch.no_grad():
        encoder.forward.stack.layers[0].attention.output.LayerNorm.weight[:16] *= 1.5
    with pytest.raises(InputError, match=r"cpu in float32 .*mean 0\.9\d+, lowest .*choose another `model:`$"):
        check_parity(encoder)


@pytest.mark.parametrize(
    ("device", "precision", "ends"),
    [
        ("cpu", "float32", "weights"),
        ("cpu", "bfloat16", "weights, or set ENCODE_ONCE_PRECISION=float32"),
        ("mps", "float32", "weights, or set ENCODE_ONCE_DEVICE=cpu"),
        ("cuda", "float16", "weights, or set ENCODE_ONCE_DEVICE=cpu or ENCODE_ONCE_PRECISION=float32"),
    ],
)
def test_what_helps_is_what_is_advised(device: str, precision: str, ends: str) -> None:
    """A variable is named only where it is not set to that already."""
    assert "weights" + finer_settings(torch.device(device), precision) == ends


def test_an_error_of_an_architecture_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a forward raises in the gate names the model, and what it said."""
    encoder = load(write_tiny(tmp_path / "bert", "bert"))

    def fail(**_: object) -> None:
        raise KeyError("lang_ids")

    monkeypatch.setattr(encoder.forward.stack.model, "forward", fail)
    with pytest.raises(InputError, match=r"/bert` cannot be run here \(KeyError: 'lang_ids'\)"):
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
