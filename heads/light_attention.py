"""Light attention (Staerk, Dallago, Heinzinger and Rost 2021, doi 10.1093/bioadv/vbab035).

V = conv_v(H'), E = conv_e(H'), both (C, L); A = softmax of E over tokens, one distribution a channel;
scores = MLP([sum_l A_cl V_cl; max_l V_cl]). H' are the standardised tokens. Both convolutions have C = D
channels and a window of 9 unless told otherwise, which at D = 768 is 10.6 M weights: set `channels` to make
it light on a CPU.

Two departures from the paper: the MLP normalises with LayerNorm, since BatchNorm cannot train on a batch of
one, and padding is kept out of the windows and of the maximum.
"""

from __future__ import annotations

import torch
from torch import nn

from heads.parts.base import Head, HeadInput, HeadOutput, HeadShape
from heads.parts.layers import Standardiser, TokenWindows, masked_max, masked_softmax
from heads.parts.options import require, require_fraction, require_positive


class LightAttention(Head):
    """Attention per channel from convolutions over the top layer's tokens.

    Args:
        kernel: width of the windows in tokens.
        channels: C; 0 for as many as the encoder is wide.
        hidden: units of the MLP.
        conv_dropout: share of V dropped in training.
        dropout: share of the MLP's units dropped in training.
    """

    needs = frozenset({"tokens"})
    attends = True

    def __init__(
        self,
        shape: HeadShape,
        *,
        kernel: int = 9,
        channels: int = 0,
        hidden: int = 32,
        conv_dropout: float = 0.25,
        dropout: float = 0.25,
    ) -> None:
        require_positive(kernel=kernel, hidden=hidden)
        require(channels >= 0, f"option channels is {channels}; it must be at least 0")
        require_fraction(conv_dropout=conv_dropout, dropout=dropout)
        super().__init__(shape)
        width = channels or shape.dim
        self.standardise = Standardiser(shape.dim)
        self.values = TokenWindows(shape.dim, width, kernel)
        # A bias would shift all of a channel's logits alike, which softmax does not see.
        self.logits = TokenWindows(shape.dim, width, kernel, bias=False)
        self.conv_dropout = nn.Dropout(conv_dropout)
        self.score = nn.Sequential(
            nn.Linear(2 * width, hidden),
            nn.Dropout(dropout),
            nn.ReLU(),
            nn.LayerNorm(hidden),
            nn.Linear(hidden, shape.out_dim),
        )

    def forward(self, x: HeadInput) -> HeadOutput:
        """Score the texts; attention is the channels' mean, (B, 1, L)."""
        real = x.real
        tokens = self.standardise(x.sequence).transpose(1, 2).masked_fill(~real.unsqueeze(1), 0)
        values = self.conv_dropout(self.values(tokens))
        attention = masked_softmax(self.logits(tokens), real)
        attended = (attention * values).sum(dim=2)
        highest = masked_max(values.transpose(1, 2), real)
        scores = self.score(torch.cat([attended, highest], dim=1))
        return HeadOutput(scores, attention.mean(dim=1, keepdim=True))
