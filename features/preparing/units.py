"""What a split may not tear apart: numbered by equal names, each name hashed once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.strings import Strings

_DIGEST = 16  # bytes: two different names share a digest with a chance of about n² / 2^129


@dataclass(frozen=True, eq=False)
class Units:
    """N rows of U units (texts, or groups such as movies).

    code: (N,) int64, row to unit. names: U different names.
    """

    code: npt.NDArray[np.int64]
    names: Strings

    @classmethod
    def of(cls, names: Sequence[str]) -> Units:
        """Units from the name of each row; in order of first appearance."""
        known: dict[str, int] = {}
        code = np.fromiter((known.setdefault(name, len(known)) for name in names), np.int64, len(names))
        return cls(code, Strings.of(known))

    def __len__(self) -> int:
        """Number of rows N."""
        return len(self.code)

    def take(self, rows: npt.NDArray[np.int64]) -> Units:
        """The units of some rows, numbered anew."""
        code, kept = renumber(self.code[rows])
        return Units(code, self.names.select(kept))

    def hashes(self, seed: int, salt: str) -> npt.NDArray[np.float64]:
        """`unit_hash` of each unit's name: (U,) float64 in [0, 1)."""
        keyed = _keyed(seed, salt)
        numbers = np.empty(len(self.names), np.float64)
        first = 0
        for block in self.names.blocks():
            raw = b"".join([_finished(keyed, name) for name in block])
            numbers[first : first + len(block)] = np.frombuffer(raw, ">u8").astype(np.float64) / 2**64
            first += len(block)
        return numbers


def unit_hash(seed: int, salt: str, text: str) -> float:
    """A number in [0, 1) that depends on the three arguments alone, uniform over texts (BLAKE2b, 64 bits)."""
    digest = _finished(_keyed(seed, salt), text.encode("utf-8", "surrogatepass"))
    return int.from_bytes(digest, "big") / 2**64


def name_digests(names: Sequence[bytes]) -> bytes:
    """16 bytes for each name, end to end: equal for equal names."""
    return b"".join([hashlib.blake2b(name, digest_size=_DIGEST).digest() for name in names])


def number_digests(digests: bytes | bytearray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Number names by their digests, in order of first appearance.

    Args:
        digests: of N names, as `name_digests` gives them.

    Returns:
        (N,) int64 numbers 0 to U-1, and (U,) int64, where each first appears.
    """
    halves = np.frombuffer(digests, np.uint64).reshape(-1, 2)
    order = np.lexsort((halves[:, 1], halves[:, 0]))  # stable: equal digests stay in order of appearance
    ordered = halves[order]
    is_first = np.ones(len(order), np.bool_)
    is_first[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    return _by_appearance(order, is_first)


def renumber(codes: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Number values anew in order of first appearance: (N,) int64 numbers, and (U,) the value of each."""
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    is_first = np.ones(len(order), np.bool_)
    is_first[1:] = ordered[1:] != ordered[:-1]
    numbers, first = _by_appearance(order, is_first)
    return numbers, codes[first]


def _by_appearance(
    order: npt.NDArray[np.int64], is_first: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    first = order[is_first]
    by_appearance = np.argsort(first)
    rank = np.empty_like(by_appearance)
    rank[by_appearance] = np.arange(len(first))
    numbers = np.empty_like(order)
    numbers[order] = rank[np.cumsum(is_first) - 1]
    return numbers, first[by_appearance]


def _keyed(seed: int, salt: str) -> hashlib.blake2b:
    return hashlib.blake2b(f"{seed}\x00{salt}\x00".encode("utf-8", "surrogatepass"), digest_size=8)


def _finished(keyed: hashlib.blake2b, name: bytes) -> bytes:
    state = keyed.copy()
    state.update(name)
    return state.digest()
