"""The device and the arithmetic that compute vectors, and how memory and products are set up for encoding."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from features.errors import InputError

DEVICES = ("cuda", "mps", "cpu")
PRECISIONS = ("float32", "bfloat16", "float16")
BFLOAT16_WIDTH = 128

# Options of glibc's `mallopt`, by their numbers in malloc.h, and their values here.
_MALLOC = (
    (-8, 2),  # M_ARENA_MAX: heaps that threads share; each fragments by itself
    (-3, 32 << 20),  # M_MMAP_THRESHOLD: glibc takes no more
    (-1, 1 << 30),  # M_TRIM_THRESHOLD
)
_matmul: Any = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]  # made when torch is imported


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
    if not present.get(kind):
        have = ", ".join(name for name in DEVICES if present[name])
        missing = f"is not there; this machine has {have}"
        found = missing if kind in present else f"is unknown; expected auto, {', '.join(DEVICES)}"
        raise InputError(f"device `{wanted}` {found}: set ENCODE_ONCE_DEVICE to one of them")
    return torch.device(wanted)


def choose_precision(device: torch.device, width: int, precision: str = "auto") -> str:
    """The arithmetic of matrix products; `ENCODE_ONCE_PRECISION` overrides the argument.

    `auto` depends on the machine and the model alone, never on a measurement, so that a cache stays valid:
    float16 on CUDA; bfloat16 on a CPU that multiplies it natively (AMX or AVX512-BF16), for models whose
    hidden size `width` is at least `BFLOAT16_WIDTH`; float32 everywhere else.

    Raises:
        InputError: an unknown precision.
    """
    wanted = os.environ.get("ENCODE_ONCE_PRECISION", "") or precision
    if wanted == "auto":
        if device.type == "cuda":
            return "float16"
        return "bfloat16" if width >= BFLOAT16_WIDTH and multiplies_bfloat16(device) else "float32"
    if wanted not in PRECISIONS:
        raise InputError(
            f"precision `{wanted}` is unknown; expected auto, {', '.join(PRECISIONS)}: "
            f"set ENCODE_ONCE_PRECISION to one of them"
        )
    return wanted


def finer_settings(device: torch.device, precision: str) -> str:
    """The end of a sentence: what to set so that vectors come nearer to float32 on the CPU; empty there."""
    settings = [] if device.type == "cpu" else ["ENCODE_ONCE_DEVICE=cpu"]
    settings += [] if precision == "float32" else ["ENCODE_ONCE_PRECISION=float32"]
    return f", or set {' or '.join(settings)}" if settings else ""


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether a CPU has instructions for bfloat16 products; without them they are slower than float32."""
    if device.type != "cpu" or not onednn_multiplies(torch.bfloat16):
        return False
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def onednn_multiplies(dtype: torch.dtype) -> bool:
    """Whether oneDNN takes factors of a dtype on this processor; torch's own products take all of them."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    if dtype == torch.float32:
        return True
    name = {torch.bfloat16: "_is_mkldnn_bf16_supported", torch.float16: "_is_mkldnn_fp16_supported"}[dtype]
    return bool(getattr(torch.ops.mkldnn, name, bool)())


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


def bound_kernel_cache() -> None:
    """Let oneDNN and torch keep 64 compiled products each in place of 1,024, unless the environment says.

    One takes about 0.3 MB, and packed batches bring new ones all the time. A batch holds texts of few
    lengths, so that its layers still find what they share: 6,000 comments took 2 to 5 % more processor time,
    and 690 MB in place of 900. Takes effect where nothing has been multiplied yet.
    """
    for name in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):  # oneDNN's, torch's on top of it
        os.environ.setdefault(name, "64")


def keep_freed_memory() -> None:
    """Tell glibc not to hand freed blocks back to the kernel; elsewhere nothing happens.

    A forward pass frees and asks for the same large blocks dozens of times a second; by default each comes
    back as fresh zeroed pages. Measured: 5 to 25 % of the run time, most for small models.
    """
    for option, value in _MALLOC:
        _glibc("mallopt", option, value)


def release_freed_memory() -> None:
    """Hand back to the kernel what the heap holds and nobody uses; meant to be called now and then."""
    _glibc("malloc_trim", 0)


def _glibc(name: str, *values: int) -> None:
    """Call a function of glibc where there is one."""
    if sys.platform.startswith("linux") and hasattr(libc := ctypes.CDLL(None), name):
        getattr(libc, name)(*values)


def give_products_to_half(precision: str) -> None:
    """Let oneDNN round the factors of this process's float32 products to bfloat16; sums stay float32.

    Attention in bfloat16 asks for scores in float32, whose factors are bfloat16 numbers already: nothing is
    rounded that was not, and the products run at twice the rate. torch has this setting for a whole process
    only, so that other float32 products in it would suffer: the extract stage, an actor and a benchmark take
    it, a library's caller is spared. Nothing changes where encoder or processor have no bfloat16.
    """
    if precision == "bfloat16":
        _matmul.fp32_precision = "bf16"


@contextmanager
def plain_products() -> Iterator[None]:
    """float32 products with float32 factors, whatever the process has been given to."""
    before = _matmul.fp32_precision
    _matmul.fp32_precision = "ieee"
    try:
        yield
    finally:
        _matmul.fp32_precision = before
