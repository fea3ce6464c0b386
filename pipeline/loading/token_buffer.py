"""Tokens of some rows held in memory, and batches padded out of them.

K layers, D width; `Gather` gives, for each layer, the tokens of rows end to end, (T, D) float16, and their
lengths, (B,) int64.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pipeline.loading.order import Indices

Gather = Callable[[Indices], Sequence[tuple[Tensor, Tensor]]]


class TokenBuffer:
    """The tokens of blocks of rows, (T, D) float16 for each layer, in one piece of memory."""

    def __init__(
        self,
        blocks: Sequence[Indices],
        lengths: Callable[[Indices], npt.NDArray[np.int32]],
        layers: int,
        dim: int,
    ) -> None:
        self.rows = np.concatenate(blocks)
        self._lengths = lengths(self.rows).astype(np.int64)
        self._ends = np.cumsum(self._lengths)
        self._position = {int(row): i for i, row in enumerate(self.rows)}
        self._tokens = torch.empty(layers, int(self._ends[-1]), dim, dtype=torch.float16)
        self._filled = 0

    def add(self, block: Indices, tokens: Sequence[tuple[Tensor, Tensor]]) -> None:
        """Put the tokens of the next block in its place; blocks come in the order they were given in."""
        first = self._filled
        self._filled += len(tokens[0][0])
        for layer, (packed, _) in enumerate(tokens):
            self._tokens[layer, first : self._filled] = packed

    def gather(self, rows: Indices) -> list[tuple[Tensor, Tensor]]:
        """For each layer the rows' tokens end to end, and their lengths."""
        positions = [self._position[int(row)] for row in rows]
        lengths = torch.from_numpy(self._lengths[positions])
        spans = [slice(int(self._ends[p] - self._lengths[p]), int(self._ends[p])) for p in positions]
        return [(torch.cat([layer[span] for span in spans]), lengths) for layer in self._tokens]


def pad(gathered: Sequence[tuple[Tensor, Tensor]], dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Tokens (B, K, L, D) of a type, zero beyond each text, and their mask (B, L) bool."""
    lengths = gathered[0][1]
    longest = int(lengths.max())
    mask = torch.arange(longest) < lengths[:, None]
    tokens = torch.empty(len(lengths), len(gathered), longest, gathered[0][0].shape[1], dtype=dtype)
    # A copy a text: an index by the mask would cost several times as much. And on a CPU float16 becomes
    # bfloat16 twice as fast by way of float32, which for one text stays in the processor's cache.
    for layer, (packed, _) in enumerate(gathered):
        for row, text in enumerate(torch.split(packed, lengths.tolist())):
            tokens[row, layer, : len(text)] = text if dtype == text.dtype else text.float()
            tokens[row, layer, len(text) :] = 0
    return tokens, mask
