"""Mean and maximum of the real tokens, side by side, then a linear layer: strong and without attention.

scores = W [mean(H'); max(H')] + b, with H' the standardised tokens (L, D) and W (out_dim, 2 D). Standardising
is increasing in each dimension, so it is done to the two pooled vectors and not to the tokens.
"""

from __future__ import annotations

import torch

from heads.parts.base import Head, HeadInput, HeadOutput, HeadShape
from heads.parts.layers import Standardiser, masked_max, masked_mean, scorer


class MeanMax(Head):
    """Mean and maximum pooling of the top layer's tokens.

    Args:
        dropout: share of the pooled features, and of the hidden layer, dropped in training.
        hidden: units of a ReLU layer before the scores; 0 for none.
    """

    needs = frozenset({"tokens"})

    def __init__(self, shape: HeadShape, *, dropout: float = 0.2, hidden: int = 0) -> None:
        super().__init__(shape)
        self.standardise = Standardiser(shape.dim)
        self.score = scorer(2 * shape.dim, hidden, dropout, shape.out_dim)

    def forward(self, x: HeadInput) -> HeadOutput:
        """Score the texts."""
        tokens, real = x.sequence.to(self.dtype), x.real
        mean, highest = masked_mean(tokens, real), masked_max(tokens, real)
        pooled = torch.cat([self.standardise(mean), self.standardise(highest)], dim=1)
        return HeadOutput(self.score(pooled))
