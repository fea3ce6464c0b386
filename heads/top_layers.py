"""The encoder's last k layers, trained from its own weights on the cached tokens of layer L - k.

H = top(H_(L-k)), (L, D), with `top` a copy of the encoder's layers; scores = W pool(H) + b. This fine-tunes
the top layers without ever running those below again; the last quarter of the layers is reported to reach
about 90 % of full fine-tuning (Lee et al. 2019, arXiv 1911.03090). They learn at their own, lower rate.
"""

from __future__ import annotations

import copy
from typing import Any, Literal

from torch import nn

from heads.parts.attention import HopAttention
from heads.parts.base import Head, HeadInput, HeadOutput, HeadShape
from heads.parts.layers import masked_mean
from heads.parts.options import require, require_fraction


class TopLayers(Head):
    """Trainable encoder layers over the top cached layer's tokens.

    Args:
        encoder_top: maps tokens (B, L, D) and mask (B, L) bool to tokens (B, L, D); copied, never changed.
        pooling: "cls" takes the first token, "mean" all real ones, "attention" a learned distribution.
        dropout: share of the pooled vector dropped in training.
        encoder_learning_rate: of the encoder's layers; the rest learns at the run's `learning_rate`.
    """

    needs = frozenset({"tokens"})
    attends = True
    needs_encoder = True

    def __init__(
        self,
        shape: HeadShape,
        *,
        encoder_top: nn.Module,
        pooling: Literal["cls", "mean", "attention"] = "mean",
        dropout: float = 0.1,
        encoder_learning_rate: float = 5e-5,
    ) -> None:
        require_fraction(dropout=dropout)
        require(
            encoder_learning_rate > 0,
            f"option encoder_learning_rate is {encoder_learning_rate}; it must be above 0",
        )
        super().__init__(shape)
        self.pooling = pooling
        self.attends = pooling == "attention"
        self.encoder_learning_rate = encoder_learning_rate
        self.top = copy.deepcopy(encoder_top).requires_grad_(True)
        self.attention = HopAttention(shape.dim, 1, 64) if pooling == "attention" else None
        self.dropout = nn.Dropout(dropout)
        self.score = nn.Linear(shape.dim, shape.out_dim)

    def forward(self, x: HeadInput) -> HeadOutput:
        """Score the texts; attention (B, 1, L) where it is learned."""
        real = x.real
        tokens = self.top(x.sequence.to(self.dtype), real)
        if self.attention is not None:
            pooled, attention = self.attention(tokens, real)
            return HeadOutput(self.score(self.dropout(pooled.squeeze(1))), attention)
        pooled = tokens[:, 0] if self.pooling == "cls" else masked_mean(tokens, real)
        return HeadOutput(self.score(self.dropout(pooled)))

    def param_groups(self, lr: float) -> list[dict[str, Any]]:
        """The encoder's layers at `encoder_learning_rate`, everything else at `lr`."""
        top = {id(parameter) for parameter in self.top.parameters()}
        rest = [parameter for parameter in self.parameters() if id(parameter) not in top]
        return [
            {"params": list(self.top.parameters()), "lr": self.encoder_learning_rate},
            {"params": rest, "lr": lr},
        ]
