"""Standardisation of features, fitted on the training split and saved with the head.

x' = (x - mean) / scale for each dimension. A few dimensions of BERT's layers are an order of magnitude larger
than the rest; unscaled, they are all that a head trained by gradient descent sees at first.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

CHUNK = 16_384  # rows taken at a time when fitting


class Standardiser(nn.Module):
    """Mean and standard deviation of each dimension, as buffers.

    Attributes:
        mean, scale: (D,) for the top layer alone, or (K, D) where `layers` is given; 0 and 1 until fitted.
            A dimension that does not vary has scale 1.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, dim: int, layers: int | None = None) -> None:
        super().__init__()
        shape = (dim,) if layers is None else (layers, dim)
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("scale", torch.ones(shape))

    @torch.no_grad()
    def fit(self, features: Tensor) -> None:
        """Measure features (N, K, D) of any float type; the top layer is used where only one is kept."""
        rows = features.shape[0]
        if rows == 0:
            return
        kept = features[:, -1] if self.mean.dim() == 1 else features
        # float16 overflows when squared and long float32 sums lose digits, but a float64 copy of millions of
        # rows is too much to hold; sums are about the first row, so that little cancels.
        origin = kept[0].cpu().double()
        total, squares = torch.zeros_like(origin), torch.zeros_like(origin)
        for part in torch.split(kept, CHUNK):
            offset = part.cpu().double() - origin
            total += offset.sum(dim=0)
            squares += offset.square().sum(dim=0)
        mean = origin + total / rows
        scale = (squares / rows - (total / rows).square()).clamp(min=0).sqrt()
        varies = scale > 1e-6 * mean.abs().clamp(min=1e-6)
        self.mean.copy_(mean)
        self.scale.copy_(torch.where(varies, scale, torch.ones_like(scale)))

    def forward(self, x: Tensor) -> Tensor:
        """Standardise (..., D) or (..., K, D); same shape, the buffers' type."""
        return (x.to(self.mean.dtype) - self.mean) / self.scale
