"""Logistic or linear regression on the standardised pooled vector: the probe that other heads must beat.

scores = W (x - mean) / scale + b, with x (B, D) the top layer's pooled vector and W (out_dim, D).
"""

from __future__ import annotations

from torch import Tensor, nn

from heads.parts.base import Head, HeadInput, HeadOutput, HeadShape
from heads.parts.layers import Standardiser
from heads.parts.options import require_fraction


class Linear(Head):
    """One linear layer on the top layer's pooled vector.

    Args:
        dropout: share of the standardised features dropped in training.
    """

    needs = frozenset({"pooled"})

    def __init__(self, shape: HeadShape, *, dropout: float = 0.0) -> None:
        require_fraction(dropout=dropout)
        super().__init__(shape)
        self.standardise = Standardiser(shape.dim)
        self.dropout = nn.Dropout(dropout)
        self.score = nn.Linear(shape.dim, shape.out_dim)

    def forward(self, x: HeadInput) -> HeadOutput:
        """Score the pooled vectors."""
        return HeadOutput(self.score(self.dropout(self.standardise(x.vector))))

    def linear_part(self, x: HeadInput) -> tuple[Tensor, nn.Linear] | None:
        """The standardised vectors and their layer, unless dropout makes the loss a random one."""
        return None if self.dropout.p else (self.standardise(x.vector), self.score)
