"""A frozen model's linear layers, prepared for many products: packed, fused, in the precision asked for.

Only modules are exchanged, never a model's code. Queries, keys and values become one product; a GELU joins
the product before it; weights are laid out for the processor ahead of time (oneDNN), which by itself doubles
the float32 rate where the default library is tuned for another maker's processors. In half precision the
products take 16-bit numbers while residuals, layer norms and poolings stay float32: 16-bit rounding does not
add up from layer to layer.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

_ROWS = 2048
_PROJECTIONS = (("query", "key", "value"), ("q_lin", "k_lin", "v_lin"))
_FEED_FORWARD = (("dense", "intermediate_act_fn"), ("lin1", "activation"))
_ERF_GELU = ("gelu",)


class FrozenLinear(nn.Module):
    """y = x Wᵀ + b, then GELU where asked, with W held as the device likes it.

    Takes (..., D_in) of any floating dtype, gives (..., D_out) in `dtype`.
    """

    def __init__(
        self, weight: torch.Tensor, bias: torch.Tensor | None, dtype: torch.dtype, gelu: bool
    ) -> None:
        super().__init__()
        self.dtype = dtype
        self.gelu = gelu
        self.bias = None if bias is None else bias.to(dtype)
        self.packed = _can_pack(weight.device)
        weight = weight.to(dtype).contiguous()
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight, _ROWS) if self.packed else weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Products of all rows: (..., D_in) -> (..., D_out)."""
        x = x.to(self.dtype)
        if self.packed:
            activation, algorithm = ("gelu", "none") if self.gelu else ("none", "")
            packed: torch.Tensor = torch.ops.mkldnn._linear_pointwise(
                x, self.weight, self.bias, activation, [], algorithm
            )
            return packed
        product = F.linear(x, self.weight, self.bias)
        return F.gelu(product) if self.gelu else product


def fuse(layers: Sequence[nn.Module], dtype: torch.dtype, activation: str) -> None:
    """Exchange the linear layers of transformer layers, in place; their weights must be where they will run.

    Args:
        layers: transformer layers of BERT's, DistilBERT's or a kindred shape; products that are not
            recognised as parts of one stay apart, but are exchanged all the same.
        dtype: precision of the products.
        activation: name of the feed-forward activation; only `gelu`, by the error function, is fused.
    """
    for layer in layers:
        for module in list(layer.modules()):
            _fuse_projections(module, dtype)
            if activation in _ERF_GELU:
                _fuse_activation(module, dtype)
        for module in list(layer.modules()):
            for name, child in list(module.named_children()):
                if isinstance(child, nn.Linear):
                    setattr(module, name, FrozenLinear(child.weight, child.bias, dtype, gelu=False))


def _fuse_projections(module: nn.Module, dtype: torch.dtype) -> None:
    """The attention function finds `fused_projections` and multiplies; the three originals pass through."""
    for names in _PROJECTIONS:
        parts: list[Any] = [getattr(module, name, None) for name in names]
        if not all(isinstance(part, nn.Linear) and part.in_features == part.out_features for part in parts):
            continue
        if any(part.bias is None for part in parts):
            continue
        weight = torch.cat([part.weight for part in parts])
        bias = torch.cat([part.bias for part in parts])
        module.fused_projections = FrozenLinear(weight, bias, dtype, gelu=False)
        for name in names:
            setattr(module, name, nn.Identity())


def _fuse_activation(module: nn.Module, dtype: torch.dtype) -> None:
    for dense, activation in _FEED_FORWARD:
        linear: Any = getattr(module, dense, None)
        if isinstance(linear, nn.Linear) and hasattr(module, activation):
            setattr(module, dense, FrozenLinear(linear.weight, linear.bias, dtype, gelu=True))
            setattr(module, activation, nn.Identity())


def _can_pack(device: torch.device) -> bool:
    operators = torch.ops.mkldnn
    return (
        device.type == "cpu"
        and platform.machine() in ("x86_64", "AMD64")
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and hasattr(operators, "_reorder_linear_weight")
        and hasattr(operators, "_linear_pointwise")
    )
