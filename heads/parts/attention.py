"""Multi-hop attention pooling (Lin et al. 2017, arXiv 1703.03130), shared by the heads that attend.

A = softmax(W2 tanh(W1 H^T)), (R, L): R hops, each a distribution over a text's tokens; M = A H, (R, D).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from heads.parts.layers import Standardiser, masked_softmax
from heads.parts.options import require, require_fraction, require_positive


class HopAttention(nn.Module):
    """Pools tokens (B, L, D) into R vectors (B, R, D), on dimensions standardised if a standardiser is given.

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


def scorer(width: int, hidden: int, dropout: float, out_dim: int) -> nn.Sequential:
    """The layers from flattened M, (B, width), to scores (B, out_dim).

    Args:
        width: R D.
        hidden: units of a ReLU layer in between; 0 for none.
        dropout: share of the input, and of the hidden layer, dropped in training.
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


def overlap(attention: Tensor) -> Tensor:
    """||A A^T - I||_F^2 (their equation 8) of attention (B, R, L), the mean over the batch, a scalar.

    It is 0 where each hop looks at one token and no two at the same.
    """
    gram = torch.bmm(attention, attention.transpose(1, 2))
    identity = torch.eye(gram.shape[1], dtype=gram.dtype, device=gram.device)
    return (gram - identity).square().sum(dim=(1, 2)).mean()
