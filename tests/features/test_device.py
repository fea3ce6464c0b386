"""The choice of device and precision."""

from __future__ import annotations

import pytest
import torch

from features.encoder import device as devices
from features.errors import InputError

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ENCODE_ONCE_DEVICE", raising=False)
    monkeypatch.delenv("ENCODE_ONCE_PRECISION", raising=False)


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu"), (True, False, "cuda")],
)
def test_auto_takes_cuda_then_mps_then_cpu(
    cuda: bool, mps: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fastest device that is there is chosen."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert devices.choose_device().type == expected


def test_the_environment_overrides_the_device_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """ENCODE_ONCE_DEVICE wins over the argument and over what is there."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("ENCODE_ONCE_DEVICE", "cpu")
    assert devices.choose_device("cuda") == CPU


@pytest.mark.parametrize(("device", "says"), [("tpu", "is unknown"), ("cuda", "this machine has")])
def test_a_device_that_cannot_be_had_is_refused(
    device: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the device and the variable to set."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match=f"`{device}`.*{says}.*ENCODE_ONCE_DEVICE"):
        devices.choose_device(device)


@pytest.mark.parametrize(
    ("capabilities", "width", "expected"),
    [
        ({"avx512_bf16": True}, 768, "bfloat16"),
        ({"amx_bf16": True}, 128, "bfloat16"),
        ({"avx512_bf16": True}, 64, "float32"),
        ({"avx2": True, "avx512_f": True}, 768, "float32"),
        ({}, 768, "float32"),
    ],
)
def test_a_cpu_multiplies_bfloat16_only_where_it_can(
    capabilities: dict[str, bool], width: int, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Precision on a CPU depends on its instructions and on the width of the model."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    monkeypatch.setattr(devices, "onednn_multiplies", lambda dtype: True)
    assert devices.choose_precision(CPU, width) == expected


def test_gpus_have_their_own_precision() -> None:
    """CUDA computes in float16, MPS in float32, whatever the processor beside them."""
    assert devices.choose_precision(torch.device("cuda"), 768) == "float16"
    assert devices.choose_precision(torch.device("mps"), 768) == "float32"


def test_the_environment_overrides_the_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """ENCODE_ONCE_PRECISION wins over the argument, and an unknown one is refused by name."""
    monkeypatch.setenv("ENCODE_ONCE_PRECISION", "float32")
    assert devices.choose_precision(CPU, 768, "bfloat16") == "float32"
    monkeypatch.setenv("ENCODE_ONCE_PRECISION", "int4")
    with pytest.raises(InputError, match="`int4` is unknown; expected auto, float32"):
        devices.choose_precision(CPU, 768)


def test_wide_models_get_smaller_batches() -> None:
    """The token budget falls with the width of the model and is larger on a GPU."""
    budgets = [devices.token_budget(CPU, width) for width in (64, 256, 768, 1024)]
    assert budgets == sorted(budgets, reverse=True)
    assert budgets[0] > budgets[-1] >= 1024
    assert devices.token_budget(torch.device("cuda"), 768) > devices.token_budget(CPU, 768)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 9 GiB)"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), True),
        (RuntimeError("shape mismatch"), False),
    ],
)
def test_running_out_of_memory_is_told_from_other_errors(error: Exception, expected: bool) -> None:
    """CUDA has a class for it, the CPU and MPS say it in their message."""
    assert devices.is_out_of_memory(error) is expected
