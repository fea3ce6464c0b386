"""Multi-hop attention pooling (Lin et al. 2017, arXiv 1703.03130), and the heads that are made of it."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from heads.parts.base import Head, HeadInput, HeadOutput, HeadShape
from heads.parts.layers import LayerMix, Standardiser, masked_softmax, scorer
from heads.parts.options import require, require_positive


class HopAttention(nn.Module):
    """Pools tokens (B, L, D) into R vectors (B, R, D), on dimensions standardised if a standardiser is given.

    A = softmax(W2 tanh(W1 H^T)), (R, L): R hops, each a distribution over a text's tokens; M = A H, (R, D).

    Standardising is folded into W1 and into M instead of being done to the tokens:
    W1 (h - m) / s = (W1 / s) h - (W1 / s) m, and rows of A sum to one, so A (H - m) / s = (A H - m) / s.
    The tokens are read twice and never copied.
    """

    def __init__(self, dim: int, hops: int, attention_dim: int) -> None:
        require_positive(hops=hops, attention_dim=attention_dim)
        super().__init__()
        self.project = nn.Linear(dim, attention_dim)
        self.attend = nn.Linear(attention_dim, hops, bias=False)  # softmax would not see a bias

    def forward(
        self, tokens: Tensor, real: Tensor, standardise: Standardiser | None = None
    ) -> tuple[Tensor, Tensor]:
        """Pool tokens (B, L, D) where real (B, L) is True.

        Returns:
            M, (B, R, D), and A, (B, R, L): rows sum to 1 over real tokens and are 0 elsewhere.
        """
        weight: Tensor = self.project.weight
        bias: Tensor = self.project.bias
        if standardise is not None:
            weight = weight / standardise.scale
            bias = bias - weight @ standardise.mean
        logits: Tensor = self.attend(torch.tanh(F.linear(tokens, weight, bias)))
        # Logits may come in 16 bits, in which a row of A would not sum to one.
        attention = masked_softmax(logits.transpose(1, 2).float(), real)
        pooled = torch.bmm(attention.to(tokens.dtype), tokens)
        return (pooled if standardise is None else standardise(pooled)), attention


class HopHead(Head):
    """A head that scores the flattened vectors of R attention hops over tokens.

    Args:
        hops: R, the number of attention distributions.
        attention_dim: rows of W1.
        penalty: weight in the loss of ||A A^T - I||_F^2, which keeps hops from looking at the same tokens.
        dropout: share of the pooled features, and of the hidden layer, dropped in training.
        hidden: units of a ReLU layer between the pooled features and the scores; 0 for none.
    """

    needs = frozenset({"tokens"})
    attends = True
    mixes: ClassVar[bool] = False  # whether it reads a mix of all K layers, or the top one alone

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
        self.standardise = Standardiser(shape.dim, shape.layers if self.mixes else None)
        self.mix = LayerMix(shape.layers) if self.mixes else None
        self.attention = HopAttention(shape.dim, hops, attention_dim)
        self.score = scorer(hops * shape.dim, hidden, dropout, shape.out_dim)

    def forward(self, x: HeadInput) -> HeadOutput:
        """Score the texts; attention is (B, R, L)."""
        if self.mix is None:
            pooled, attention = self.attention(x.sequence.to(self.dtype), x.real, self.standardise)
        else:
            pooled, attention = self.attention(self.mix(x.every_sequence, self.standardise), x.real)
        penalty = self.penalty * overlap(attention) if self.penalty else None
        return HeadOutput(self.score(pooled.flatten(1)), attention, penalty)


def overlap(attention: Tensor) -> Tensor:
    """||A A^T - I||_F^2 (their equation 8) of attention (B, R, L), the mean over the batch, a scalar.

    It is 0 where each hop looks at one token and no two at the same.
    """
    gram = torch.bmm(attention, attention.transpose(1, 2))
    identity = torch.eye(gram.shape[1], dtype=gram.dtype, device=gram.device)
    return (gram - identity).square().sum(dim=(1, 2)).mean()
