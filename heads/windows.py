"""Convolution over tokens that keeps a text's length, for odd and even widths alike."""

from __future__ import annotations

from torch import Tensor, nn


class TokenWindows(nn.Conv1d):
    """`Conv1d` whose output l sees (width - 1) // 2 tokens before token l and width // 2 after it.

    As padding="same", which copies its input and warns where the width is even.
    """

    def __init__(self, dim: int, channels: int, width: int, bias: bool = True) -> None:
        super().__init__(dim, channels, width, padding=width // 2, bias=bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (B, D, L) to (B, C, L)."""
        return super().forward(tokens)[..., -tokens.shape[-1] :]
