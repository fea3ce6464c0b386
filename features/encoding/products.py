"""float32 products on a processor's bfloat16 units, for a process that does nothing but encode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

_matmul: Any = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]  # made when torch is imported


def give_products_to_half(precision: str) -> None:
    """Let oneDNN round the factors of this process's float32 products to bfloat16; sums stay float32.

    Attention in bfloat16 asks for scores in float32, whose factors are bfloat16 numbers already: nothing is
    rounded that was not, and the products run at twice the rate. torch has this setting for a whole process
    only, so that other float32 products in it would suffer: the extract stage, an actor and a benchmark take
    it, a library's caller is spared. Nothing changes where the processor has no bfloat16.

    Args:
        precision: of the encoder that the process is for; only `bfloat16` is meant.
    """
    if precision != "bfloat16":
        return
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
