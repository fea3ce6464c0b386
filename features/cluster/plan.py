"""Cutting work by tokens: seconds of it at a time, less towards the end, so that actors finish together."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from features.corpus.texts import StoredTexts, Text

SAMPLE = 4096
# Guided self-scheduling (Polychronopoulos and Kuck 1987): a share of what is left, halved once more because
# actors are not equally fast.
_SHARE = 0.5
_SMALLEST = 2048  # tokens; less keeps no encoder busy
_FIRST = 8192  # tokens that tell an actor's rate
_WINDOW = 2**16
_SECONDS = 10.0  # of work in a chunk: long beside handing it out, short beside a run
_SHARDS = 8  # of tokens in a chunk at most, so that its texts are a small part of an actor's memory

Lengths = Callable[[Sequence[Text]], npt.NDArray[np.int32]]


class Chunk(NamedTuple):
    """Texts that are handed out together.

    positions: (n,) int64.
    tokens: what they are estimated to hold.
    tries: how often they were lost before.
    """

    positions: npt.NDArray[np.int64]
    tokens: int
    tries: int = 0


def estimate_tokens(
    texts: Sequence[Text], positions: npt.NDArray[np.int64], lengths: Lengths
) -> npt.NDArray[np.int32]:
    """Tokens of texts from their sizes; only a sample of them is cut into pieces.

    A line through up to 4,096 (size, tokens) pairs, kept between the sample's smallest and largest count.

    Args:
        texts: U texts; of `StoredTexts` none is read but the sample.
        positions: (n,) int64, the texts wanted.
        lengths: cuts texts into pieces and counts them.

    Returns:
        (n,) int32.
    """
    if not len(positions):
        return np.empty(0, np.int32)
    sizes = text_sizes(texts, positions)
    chosen = np.unique(np.linspace(0, len(positions) - 1, min(SAMPLE, len(positions))).astype(np.int64))
    counted = lengths([texts[i] for i in positions[chosen]]).astype(np.float64)
    x = sizes[chosen].astype(np.float64)
    low, high = counted.min(), counted.max()
    # Truncated texts would pull the line down; where all are, one count serves.
    whole = counted < high
    slope, base = 0.0, float(counted.mean())
    if whole.any() and np.ptp(x[whole]) > 0:
        slope, base = np.polyfit(x[whole], counted[whole], 1)
    tokens: npt.NDArray[np.int32] = np.rint(np.clip(base + slope * sizes, low, high)).astype(np.int32)
    return tokens


def text_sizes(texts: Sequence[Text], positions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Bytes of UTF-8 of texts with their pairs: (n,) int64."""
    if isinstance(texts, StoredTexts):
        stored = texts.texts.sizes[positions]
        return stored if texts.pairs is None else stored + texts.pairs.sizes[positions]
    sizes = (sum(len(part.encode("utf-8", "surrogatepass")) for part in texts[i] if part) for i in positions)
    return np.fromiter(sizes, np.int64, len(positions))


def order_by_length(tokens: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Longest first within every 65,536 texts: (n,) int64.

    Texts of equal length meet in a chunk, which attention without padding is fastest with; and neighbours in
    the corpus stay within a few dozen shards of each other.
    """
    window = np.arange(len(tokens)) // _WINDOW
    order: npt.NDArray[np.int64] = np.lexsort((-tokens.astype(np.int64), window)).astype(np.int64)
    return order


class Queue:
    """Texts that no actor has yet; lost ones first, then the rest in the order given."""

    def __init__(self, positions: npt.NDArray[np.int64], tokens: npt.NDArray[np.int32]) -> None:
        self._positions = positions
        self._ends = np.cumsum(tokens, dtype=np.int64)
        self._next = 0
        self._lost: deque[Chunk] = deque()

    @property
    def tokens(self) -> int:
        """Tokens that wait, as estimated."""
        ahead = int(self._ends[-1]) if len(self._ends) else 0
        return ahead - self._taken() + sum(chunk.tokens for chunk in self._lost)

    def __bool__(self) -> bool:
        return bool(self._lost) or self._next < len(self._positions)

    def take(self, largest: int, actors: int) -> Chunk:
        """The next chunk: an actor's share of what is left, at most `largest` tokens, at least one text."""
        if self._lost:
            return self._lost.popleft()
        wanted = guided(self.tokens, largest, actors)
        start = self._taken()
        end = int(np.searchsorted(self._ends, start + wanted, side="right"))
        end = max(end, self._next + 1)
        positions = self._positions[self._next : end]
        self._next = end
        return Chunk(positions, self._taken() - start)

    def give_back(self, chunk: Chunk) -> None:
        """Take in a chunk whose actor was lost."""
        self._lost.append(chunk)

    def _taken(self) -> int:
        return int(self._ends[self._next - 1]) if self._next else 0


def guided(left: int, largest: int, actors: int) -> int:
    """Tokens of the next chunk: a share of the `left` ones; an actor that is alone waits for nobody."""
    share = _SHARE / actors if actors > 1 else 1.0
    return min(largest, max(_SMALLEST, round(share * left)))


def largest_chunk(rate: float, shard_tokens: int) -> int:
    """Tokens of the largest chunk for an actor of `rate` tokens a second; 0 for one that nothing is known of.

    A slow actor gets less at a time, so that none is waited for longer than the others.
    """
    if not rate:
        return min(_FIRST, shard_tokens)
    return round(min(max(_SECONDS * rate, _SMALLEST), _SHARDS * shard_tokens))
