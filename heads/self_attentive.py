"""Structured self-attention over token embeddings (Lin et al. 2017, arXiv 1703.03130).

A = softmax(W2 tanh(W1 H^T)), (R, L): R hops, each a distribution over a text's L tokens; M = A H, (R, D).
The flattened M is scored, through a hidden layer if asked for. The penalty ||A A^T - I||_F^2 keeps hops from
looking at the same tokens; it is the batch's mean times the option `penalty`. H is standardised.
"""

from __future__ import annotations

from heads.parts.attention import HopAttention, overlap, scorer
from heads.parts.base import Head, HeadInput, HeadOutput, HeadShape
from heads.parts.layers import Standardiser
from heads.parts.options import require


class SelfAttentive(Head):
    """R attention hops over the top layer's tokens, then a linear layer.

    Args:
        shape: the sizes.
        hops: R, the number of attention distributions.
        attention_dim: rows of W1.
        penalty: weight of ||A A^T - I||_F^2 in the loss.
        dropout: share of M, and of the hidden layer, dropped in training.
        hidden: units of a ReLU layer between M and the scores; 0 for none.
    """

    needs = frozenset({"tokens"})
    attends = True

    def __init__(
        self,
        shape: HeadShape,
        *,
        hops: int = 4,
        attention_dim: int = 64,
        penalty: float = 0.01,
        dropout: float = 0.5,
        hidden: int = 0,
    ) -> None:
        require(penalty >= 0, f"option penalty is {penalty}; it must be at least 0")
        super().__init__(shape)
        self.penalty = penalty
        self.standardise = Standardiser(shape.dim)
        self.attention = HopAttention(shape.dim, hops, attention_dim)
        self.score = scorer(hops * shape.dim, hidden, dropout, shape.out_dim)

    def forward(self, x: HeadInput) -> HeadOutput:
        """Score the texts; attention is (B, R, L)."""
        pooled, attention = self.attention(x.sequence.to(self.dtype), x.real, self.standardise)
        penalty = self.penalty * overlap(attention) if self.penalty else None
        return HeadOutput(self.score(pooled.flatten(1)), attention, penalty)
