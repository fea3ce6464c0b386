"""A learned mix of layers (ELMo: Peters et al. 2018, arXiv 1802.05365, equation 1).

mix = gamma sum_k softmax(w)_k (x_k - mean_k) / scale_k: each layer is standardised first, so that the weights
compare layers and not their sizes (their layer normalisation, with statistics of the training split).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from heads.standardise import Standardiser


class LayerMix(nn.Module):
    """K weights and a scale over cached layers; starts as the mean of the layers."""

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
