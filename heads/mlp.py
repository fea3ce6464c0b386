"""A multilayer perceptron on the standardised pooled vector.

h_0 = (x - mean) / scale; h_i = dropout(GELU(W_i h_(i-1) + b_i)), (B, hidden); scores = W h_depth + b.
"""

from __future__ import annotations

from torch import nn

from heads.parts.base import Head, HeadInput, HeadOutput, HeadShape
from heads.parts.layers import Standardiser
from heads.parts.options import require_fraction, require_positive


class Mlp(Head):
    """Hidden layers on the top layer's pooled vector.

    Args:
        hidden: units of each hidden layer.
        depth: number of hidden layers.
        dropout: share of the standardised features, and of each hidden layer, dropped in training.
    """

    needs = frozenset({"pooled"})

    def __init__(self, shape: HeadShape, *, hidden: int = 256, depth: int = 1, dropout: float = 0.2) -> None:
        require_positive(hidden=hidden, depth=depth)
        require_fraction(dropout=dropout)
        super().__init__(shape)
        self.standardise = Standardiser(shape.dim)
        layers: list[nn.Module] = [nn.Dropout(dropout)]
        for i in range(depth):
            layers += [nn.Linear(hidden if i else shape.dim, hidden), nn.GELU(), nn.Dropout(dropout)]
        self.score = nn.Sequential(*layers, nn.Linear(hidden, shape.out_dim))

    def forward(self, x: HeadInput) -> HeadOutput:
        """Score the pooled vectors."""
        return HeadOutput(self.score(self.standardise(x.vector)))
