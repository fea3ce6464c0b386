"""Which device and which arithmetic compute the vectors."""

from __future__ import annotations

import os

import torch

from features.errors import InputError

DEVICES = ("cuda", "mps", "cpu")
PRECISIONS = ("float32", "bfloat16", "float16")
BFLOAT16_WIDTH = 128


def choose_device(device: str = "auto") -> torch.device:
    """CUDA, then MPS, then CPU; `ENCODE_ONCE_DEVICE` overrides the argument.

    Raises:
        InputError: an unknown device, or one that this machine lacks.
    """
    wanted = os.environ.get("ENCODE_ONCE_DEVICE", "") or device
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return torch.device(next(name for name in DEVICES if present[name]))
    kind = wanted.partition(":")[0]
    if kind not in present:
        raise InputError(
            f"device `{wanted}` is unknown; expected auto, cuda, mps or cpu: "
            f"set ENCODE_ONCE_DEVICE to one of them"
        )
    if not present[kind]:
        have = ", ".join(name for name in DEVICES if present[name])
        raise InputError(
            f"device `{wanted}` is not there; this machine has {have}: set ENCODE_ONCE_DEVICE to one of them"
        )
    return torch.device(wanted)


def choose_precision(device: torch.device, width: int, precision: str = "auto") -> str:
    """The arithmetic of matrix products; `ENCODE_ONCE_PRECISION` overrides the argument.

    `auto` depends on the machine and the model alone, never on a measurement, so that a cache stays valid:
    float16 on CUDA; bfloat16 on a CPU that multiplies it natively (AMX or AVX512-BF16), for models at least
    `BFLOAT16_WIDTH` wide; float32 everywhere else.

    Args:
        device: where the model runs.
        width: hidden size of the model.
        precision: auto, float32, bfloat16 or float16.

    Raises:
        InputError: an unknown precision.
    """
    wanted = os.environ.get("ENCODE_ONCE_PRECISION", "") or precision
    if wanted == "auto":
        if device.type == "cuda":
            return "float16"
        fast = multiplies_bfloat16(device) and width >= BFLOAT16_WIDTH
        return "bfloat16" if fast else "float32"
    if wanted not in PRECISIONS:
        raise InputError(
            f"precision `{wanted}` is unknown; expected auto, {', '.join(PRECISIONS)}: "
            f"set ENCODE_ONCE_PRECISION to one of them"
        )
    return wanted


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether a CPU has instructions for bfloat16 products; without them they are slower than float32."""
    if device.type != "cpu" or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def finest(device: torch.device) -> torch.dtype:
    """The finest numbers that a device computes with; MPS has no float64."""
    return torch.float32 if device.type == "mps" else torch.float64


def token_budget(device: torch.device, width: int) -> int:
    """Tokens of a batch: on a CPU what its caches serve best, on a GPU enough to keep it busy.

    Measured on two cores with 32 MiB of third-level cache: 8,192 tokens up to a width of 312, 2,048 to 4,096
    at 768.
    """
    tokens = min(8192, max(2048, 2**21 // width))
    return tokens if device.type == "cpu" else 16 * tokens


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory did not suffice; the CPU and MPS say so in words only."""
    said = any(words in str(error) for words in ("out of memory", "can't allocate memory"))
    return said or isinstance(error, torch.OutOfMemoryError)
