"""The order in which texts are read and trained on; arrays of indices alone, no vectors.

n texts, given by their length in tokens and, for reading, by their place on disk.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

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
