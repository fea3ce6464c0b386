"""A light convolutional network over tokens (Kim 2014, arXiv 1408.5882).

c_w = max over tokens of ReLU(conv_w(H')), (channels,), for each window width w; scores = W [c_w ...] + b.
H' are the standardised tokens. A window is centred on a real token and sees zeros beyond the text, so that
texts shorter than a window work and padding changes nothing.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from heads.parts.base import Head, HeadInput, HeadOutput, HeadShape
from heads.parts.layers import Standardiser, TokenWindows
from heads.parts.options import require, require_fraction, require_positive


class Conv(Head):
    """Convolutions of several widths over the top layer's tokens, each reduced to its maximum.

    Args:
        widths: window widths in tokens, with commas.
        channels: filters of each width.
        dropout: share of the maxima dropped in training.
    """

    needs = frozenset({"tokens"})

    def __init__(
        self, shape: HeadShape, *, widths: str = "3,4,5", channels: int = 64, dropout: float = 0.5
    ) -> None:
        require_positive(channels=channels)
        require_fraction(dropout=dropout)
        spans = [int(part) for part in widths.split(",") if part.strip().isdecimal()]
        valid = len(spans) == len(widths.split(",")) and min(spans) >= 1
        require(valid, f"option widths is {widths!r}; it must be whole numbers of tokens, such as '3,4,5'")
        super().__init__(shape)
        self.standardise = Standardiser(shape.dim)
        self.windows = nn.ModuleList(TokenWindows(shape.dim, channels, span) for span in spans)
        self.dropout = nn.Dropout(dropout)
        self.score = nn.Linear(channels * len(spans), shape.out_dim)

    def forward(self, x: HeadInput) -> HeadOutput:
        """Score the texts."""
        real = x.real.unsqueeze(1)
        tokens = self.standardise(x.sequence).transpose(1, 2).masked_fill(~real, 0)
        # ReLU gives nothing below zero, so a masked window can be given zero and never be the maximum.
        maxima = [F.relu(window(tokens)).masked_fill(~real, 0).amax(dim=2) for window in self.windows]
        return HeadOutput(self.score(self.dropout(torch.cat(maxima, dim=1))))
