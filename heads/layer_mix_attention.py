"""A learned mix of all cached layers' tokens, then multi-hop attention (arXiv 1802.05365 and 1703.03130).

H = gamma sum_k softmax(w)_k (H_k - mean_k) / scale_k, (L, D); A = softmax(W2 tanh(W1 H^T)), (R, L); the
flattened A H is scored. It is a file of its own beside `layer_mix` because it reads tokens, and that one
need not.
"""

from __future__ import annotations

from heads.parts.attention import HopAttention, overlap, scorer
from heads.parts.base import Head, HeadInput, HeadOutput, HeadShape
from heads.parts.layers import LayerMix, Standardiser
from heads.parts.options import require


class LayerMixAttention(Head):
    """Softmax-weighted sum of K layers' tokens, pooled by R hops.

    Args:
        shape: the sizes; K is the number of layers the run reads.
        hops: R, the number of attention distributions.
        attention_dim: rows of W1.
        penalty: weight of ||A A^T - I||_F^2 in the loss.
        dropout: share of the pooled features, and of the hidden layer, dropped in training.
        hidden: units of a ReLU layer between the pooled features and the scores; 0 for none.
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
        self.standardise = Standardiser(shape.dim, shape.layers)
        self.mix = LayerMix(shape.layers)
        self.attention = HopAttention(shape.dim, hops, attention_dim)
        self.score = scorer(hops * shape.dim, hidden, dropout, shape.out_dim)

    def forward(self, x: HeadInput) -> HeadOutput:
        """Score the texts; attention is (B, R, L)."""
        mixed = self.mix(x.every_sequence, self.standardise)
        pooled, attention = self.attention(mixed, x.real)
        penalty = self.penalty * overlap(attention) if self.penalty else None
        return HeadOutput(self.score(pooled.flatten(1)), attention, penalty)
