"""Batches of token embeddings: their order, reading one ahead, and padding."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Indices = npt.NDArray[np.int64]

_BUCKET = 50  # batches whose texts are sorted by length together: little padding, yet well mixed
_CHUNK = 4096  # texts that the encoder sorts by length and lays out together
MIXED = 64  # blocks that are drawn from at a time, from anywhere in the corpus


def batches_of(
    lengths: npt.NDArray[np.int32], size: int, generator: np.random.Generator | None
) -> list[Indices]:
    """Batches of `size` texts of similar length: shuffled with a generator, in order of length without one.

    Given (n,) tokens of each text, they are indices into these; each occurs once.
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
    texts: Indices, lengths: npt.NDArray[np.int32], tokens: int, generator: np.random.Generator | None
) -> Iterator[Indices]:
    """Block shuffle: rows that are drawn from together, as blocks that lie together on disk.

    Rows are ordered as encoding lays out their texts, which is near their order on disk and, unlike that,
    the same on every machine. They are cut into blocks of `tokens / MIXED` tokens, which are shuffled, and
    as many taken together as fit. Batches drawn from one such buffer mix rows of MIXED places, while the
    disk is read in runs. Where all fit, one buffer holds them in their own order.

    Args:
        texts: (n,) number of each row's text in the corpus.
        lengths: (n,) tokens of each row.
        tokens: of a buffer; a longer single row is a buffer of its own.
        generator: shuffles the blocks; in order without one.

    Returns:
        Indices into `texts`; each occurs once.
    """
    if lengths.sum(dtype=np.int64) <= tokens:
        yield np.arange(len(texts))
        return
    order = np.lexsort((texts, -lengths.astype(np.int64), texts // _CHUNK))
    ends = np.cumsum(lengths[order], dtype=np.int64)
    # A row belongs to the block that its last token falls into: no block is longer, but for one long row.
    number = (ends - 1) // max(1, tokens // MIXED)
    blocks = np.split(order, np.flatnonzero(np.diff(number)) + 1)
    if generator is not None:
        blocks = [blocks[i] for i in generator.permutation(len(blocks))]
    sizes = [int(lengths[block].sum(dtype=np.int64)) for block in blocks]
    first, total = 0, 0
    for i, size in enumerate(sizes):
        if i > first and total + size > tokens:
            yield np.concatenate(blocks[first:i])
            first, total = i, 0
        total += size
    yield np.concatenate(blocks[first:])


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
        pending = [pool.submit(compute, item) for item in islice(rest, 1)]
        while pending:
            made = pending.pop().result()
            pending += [pool.submit(compute, item) for item in islice(rest, 1)]
            yield made


def pad(gathered: Sequence[tuple[Tensor, Tensor]], dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Tokens (B, K, L, D) of a type, zero beyond each text, and their mask (B, L) bool.

    Args:
        gathered: for each of K layers the tokens of B texts end to end, (T, D) float16, and their lengths,
            (B,) int64.
        dtype: of the tokens given back.
    """
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
