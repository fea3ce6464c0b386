"""What is in the store: the driver's account of every new text."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


class Ledger:
    """m texts, of which shards bring some: 25 bytes of memory a text."""

    def __init__(self, digests: npt.NDArray[np.uint8]) -> None:
        """Take the (m, 16) uint8 digests of texts that differ."""
        self._done = np.zeros(len(digests), np.bool_)
        self._count = self._tokens = 0
        strings = _as_strings(digests)
        self._order = np.argsort(strings)
        self._sorted = strings[self._order]

    def __len__(self) -> int:
        return len(self._done)

    @property
    def done(self) -> int:
        """Texts that a shard of the store holds."""
        return self._count

    @property
    def tokens(self) -> int:
        """Tokens of those texts."""
        return self._tokens

    def mark(self, digests: npt.NDArray[np.uint8], lengths: npt.NDArray[np.int32]) -> int:
        """Texts of a shard are in the store; gives how many of them were not before.

        Args:
            digests: (n, 16) uint8; texts of other corpora among them do not matter.
            lengths: (n,) int32, their tokens.
        """
        if not len(self._sorted):
            return 0
        wanted = _as_strings(digests)
        place = np.minimum(np.searchsorted(self._sorted, wanted), len(self._sorted) - 1)
        ours = self._sorted[place] == wanted
        found = self._order[place[ours]]
        fresh = ~self._done[found]
        self._done[found] = True
        self._count += int(fresh.sum())
        self._tokens += int(lengths[ours][fresh].sum(dtype=np.int64))
        return int(fresh.sum())

    def missing(self, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Those of the positions that are not in the store yet."""
        return positions[~self._done[positions]]


def _as_strings(digests: npt.NDArray[np.uint8]) -> npt.NDArray[np.bytes_]:
    """(n, 16) bytes as n comparable items; equal width makes NumPy's stripping of zero bytes harmless."""
    return np.ascontiguousarray(digests).view("S16").ravel()
