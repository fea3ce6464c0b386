"""Small layers that heads share: standardisation, pooling over real tokens, a mix of layers, convolution."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from heads.parts.options import require, require_fraction

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


def masked_softmax(logits: Tensor, real: Tensor) -> Tensor:
    """Softmax over the last dimension of logits (B, R, L), exactly 0 where real (B, L) is False."""
    keep = real.unsqueeze(1)
    return logits.masked_fill(~keep, torch.finfo(logits.dtype).min).softmax(dim=-1) * keep


def masked_mean(tokens: Tensor, real: Tensor) -> Tensor:
    """The mean (B, D) of the real tokens of (B, L, D)."""
    weights = real.to(tokens.dtype)
    weights = weights / weights.sum(dim=1, keepdim=True).clamp(min=1)
    return torch.bmm(weights.unsqueeze(1), tokens).squeeze(1)


def masked_max(tokens: Tensor, real: Tensor) -> Tensor:
    """The maximum (B, D) of each dimension over the real tokens of (B, L, D); 0 for a text without one."""
    highest = tokens.masked_fill(~real.unsqueeze(-1), torch.finfo(tokens.dtype).min).amax(dim=1)
    return highest * real.any(dim=1, keepdim=True)


def scorer(width: int, hidden: int, dropout: float, out_dim: int) -> nn.Sequential:
    """The layers from pooled features (B, width) to scores (B, out_dim).

    Args:
        width: of the features.
        hidden: units of a ReLU layer in between; 0 for none.
        dropout: share of the features, and of the hidden layer, dropped in training.
        out_dim: scores a text.

    Raises:
        HeadError: hidden is negative, or dropout not a share.
    """
    require_fraction(dropout=dropout)
    require(hidden >= 0, f"option hidden is {hidden}; it must be at least 0")
    layers: list[nn.Module] = [nn.Dropout(dropout)]
    if hidden:
        layers += [nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear(hidden or width, out_dim))


class LayerMix(nn.Module):
    """A learned mix of layers (ELMo: Peters et al. 2018, arXiv 1802.05365, equation 1); starts as their mean.

    mix = gamma sum_k softmax(w)_k (x_k - mean_k) / scale_k: each layer is standardised first, so that the
    weights compare layers and not their sizes (their layer normalisation, statistics of the training split).
    """

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(layers))
        self.gamma = nn.Parameter(torch.ones(()))

    @property
    def weights(self) -> Tensor:
        """softmax(w), (K,): how much each layer counts."""
        return self.logits.softmax(dim=0)

    def forward(self, features: Tensor, standardise: Standardiser) -> Tensor:
        """Mix features (B, K, D) or (B, K, L, D) of any float type into (B, D) or (B, L, D).

        Layers are cast one at a time: a float32 copy of all tokens of all layers is never made.
        """
        factors = self.gamma * self.weights.unsqueeze(1) / standardise.scale
        shift = (factors * standardise.mean).sum(dim=0)
        mixed = features[:, 0].to(factors.dtype) * factors[0] - shift
        for k in range(1, features.shape[1]):
            mixed = torch.addcmul(mixed, features[:, k].to(factors.dtype), factors[k])
        return mixed


class TokenWindows(nn.Conv1d):
    """`Conv1d` whose output l sees (width - 1) // 2 tokens before token l and width // 2 after it.

    As padding="same", which copies its input and warns where the width is even.
    """

    def __init__(self, dim: int, channels: int, width: int, bias: bool = True) -> None:
        super().__init__(dim, channels, width, padding=width // 2, bias=bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (B, D, L) to (B, C, L)."""
        return super().forward(tokens)[..., -tokens.shape[-1] :]
