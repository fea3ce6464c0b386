"""Batches of token embeddings: their order, reading one ahead, and padding out of memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Indices = npt.NDArray[np.int64]

_BUCKET = 50  # batches whose texts are sorted by length together: little padding, yet well mixed
MIXED = 64  # blocks that are in memory at a time, from anywhere in the store


def batches_of(
    lengths: npt.NDArray[np.int32], size: int, generator: np.random.Generator | None
) -> list[Indices]:
    """Batches of `size` texts of similar length: shuffled with a generator, in order of length without one.

    Args:
        lengths: (n,) tokens of each text.
        size: texts of a batch.
        generator: draws the order.

    Returns:
        Indices into `lengths`; each occurs once.
    """
    if generator is None:
        order = np.argsort(lengths, kind="stable")
        return [order[i : i + size] for i in range(0, len(order), size)]
    order = generator.permutation(len(lengths))
    batches = []
    for start in range(0, len(order), size * _BUCKET):
        bucket = order[start : start + size * _BUCKET]
        bucket = bucket[np.argsort(lengths[bucket], kind="stable")]
        batches += [bucket[i : i + size] for i in range(0, len(bucket), size)]
    return [batches[i] for i in generator.permutation(len(batches))]


def buffers_of(
    places: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int32],
    tokens: int,
    generator: np.random.Generator | None,
) -> Iterator[list[Indices]]:
    """Block shuffle: what to hold in memory at a time, as blocks that are each read sequentially.

    The texts, in order of place, are cut into blocks of `tokens / MIXED` tokens; the blocks are shuffled and
    as many taken together as fit. Batches drawn from one such buffer mix texts of MIXED places of the store,
    while the disk is read in long runs; every text is read once.

    Args:
        places: (n,) order on disk.
        lengths: (n,) tokens of each text.
        tokens: that fit into the memory of one buffer; a longer single text is a buffer of its own.
        generator: shuffles the blocks; in order of place without one.
    """
    order = np.argsort(places, kind="stable")
    ends = np.cumsum(lengths[order], dtype=np.int64)
    # A text belongs to the block that its last token falls into: no block is longer, but for one long text.
    number = (ends - 1) // max(1, tokens // MIXED)
    blocks = np.split(order, np.flatnonzero(np.diff(number)) + 1)
    if generator is not None:
        blocks = [blocks[i] for i in generator.permutation(len(blocks))]
    held: list[Indices] = []
    total = 0
    for block in blocks:
        size = int(lengths[block].sum(dtype=np.int64))
        if held and total + size > tokens:
            yield held
            held, total = [], 0
        held.append(block)
        total += size
    if held:
        yield held


Given = TypeVar("Given")
Made = TypeVar("Made")


def one_ahead(compute: Callable[[Given], Made], items: Iterable[Given]) -> Iterator[Made]:
    """Map items in order; at most one result waits while another is in use.

    Args:
        compute: called in a thread; copies of arrays and reads of files let the caller run meanwhile.
        items: drawn in the caller's thread.
    """
    rest = iter(items)
    with ThreadPoolExecutor(1, "prefetch") as pool:
        pending = [pool.submit(compute, item) for item in _first(rest)]
        while pending:
            made = pending.pop().result()
            pending += [pool.submit(compute, item) for item in _first(rest)]
            yield made


def _first(items: Iterator[Given]) -> list[Given]:
    for item in items:
        return [item]
    return []


# Tokens of some rows held in memory, and batches padded out of them.
#
# K layers, D width; `Gather` gives, for each layer, the tokens of rows end to end, (T, D) float16, and their
# lengths, (B,) int64.

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
