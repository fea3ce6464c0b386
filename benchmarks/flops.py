"""How much arithmetic an encoder needs, counted exactly, and how much this machine can do."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import torch

Clock = Callable[[], float]


def forward_flops(folder: Path, lengths: Iterable[int]) -> int:
    """Multiplications and additions of the matrix products for texts of these lengths; no padding counted.

    A layer of width D and feed-forward width F takes 2 L (4 D² + 2 D F) for its products with weights and
    4 L² D for attention over a text of L tokens.
    """
    config = json.loads((folder / "config.json").read_text())
    width = config.get("hidden_size", config.get("dim"))
    inner = config.get("intermediate_size", config.get("hidden_dim"))
    layers = config.get("num_hidden_layers", config.get("n_layers"))
    return sum(
        layers * (2 * length * (4 * width**2 + 2 * width * inner) + 4 * length**2 * width)
        for length in lengths
    )


def peak_flops(
    dtype: torch.dtype, device: torch.device, now: Clock = time.perf_counter, seconds: float = 0.5
) -> float:
    """FLOP/s of the fastest matrix product found: square ones, and with weights laid out ahead on a CPU."""
    side = 8192 if device.type == "cuda" else 2048
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    products: list[Callable[[], torch.Tensor]] = [lambda: a @ b]
    if device.type == "cpu" and hasattr(torch.ops.mkldnn, "_reorder_linear_weight"):
        packed = torch.ops.mkldnn._reorder_linear_weight(b, side)
        products.append(lambda: torch.ops.mkldnn._linear_pointwise(a, packed, None, "none", [], ""))
    with torch.inference_mode():
        return 2 * side**3 / min(_fastest(product, device, now, seconds) for product in products)


def _fastest(product: Callable[[], torch.Tensor], device: torch.device, now: Clock, seconds: float) -> float:
    product()
    best, until = float("inf"), now() + seconds
    while now() < until:
        _wait(device)
        started = now()
        product()
        _wait(device)
        best = min(best, now() - started)
    return best


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
