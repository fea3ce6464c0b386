"""Seeded splits that depend on the texts alone, and the audit that finds texts on both sides.

A unit (a text, or a group such as a movie) gets a number in [0, 1) from a keyed hash. Within each label the
units are ranked by it; the lowest are test, the next validation, the rest train. So the order of the file,
the version of numpy and rows added later leave almost every text where it was, a repeated text can never
stand in two splits, and a smaller corpus has nearly nested test rows in a larger one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.corpus.texts import Strings
from features.errors import InputError

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


__all__ = [
    "SPLITS", "TEST", "TRAIN", "VALIDATION", "LeakAudit", "assign_splits", "audit_leaks", "hold_out",
    "sample_rows", "unit_hash",
]  # fmt: skip

SPLITS = ("train", "validation", "test")
TRAIN, VALIDATION, TEST = range(3)

Names = Units | Sequence[str]
Values = Sequence[object] | npt.NDArray[np.int64]


@dataclass(frozen=True)
class LeakAudit:
    """What the audit of a given split found.

    texts: distinct texts that stood in more than one split.
    moved: rows that were moved so that each text stands in one split.
    dropped: rows that were left out instead.
    """

    texts: int
    moved: int
    dropped: int = 0


def assign_splits(
    units: Names, labels: Values, *, test: float | int, validation: float | int, seed: int
) -> npt.NDArray[np.int8]:
    """Split rows into train (0), validation (1) and test (2), stratified by label, whole units together.

    Args:
        units: N texts or group names; rows with the same unit land in the same split.
        labels: N labels; a unit's stratum is its most frequent label.
        test: share of the units (a float below 1) or number of units (an int).
        validation: the same for the validation split.
        seed: changes the assignment.

    Returns:
        (N,) int8 codes into `SPLITS`.

    Raises:
        InputError: the sizes leave no unit for training, or a split asked for stays empty.
    """
    units = _units(units)
    total = len(units.names)
    counts = {TEST: _count(test, total, "test"), VALIDATION: _count(validation, total, "validation")}
    if sum(counts.values()) >= total:
        raise InputError(
            f"a split of {counts[TEST]} test and {counts[VALIDATION]} validation units leaves none of the "
            f"{total} for training; give smaller sizes under `split:`"
        )
    stratum, label_names = _strata(units.code, labels)
    counted = np.bincount(stratum, minlength=len(label_names)).tolist()
    sizes = {name: size for name, size in zip(label_names, counted, strict=True) if size}
    test_quota = _quotas(sizes, counts[TEST], total)
    validation_quota = _quotas(sizes, counts[VALIDATION], total)
    code_of = np.full(total, TRAIN, np.int8)
    ranked = _ranked(units, stratum, seed)
    start = 0
    for name, size in sizes.items():  # in the order of the strata
        last_test = start + test_quota[name]
        code_of[ranked[start:last_test]] = TEST
        code_of[ranked[last_test : last_test + validation_quota[name]]] = VALIDATION
        start += size
    return code_of[units.code]


def hold_out(
    units: Names,
    labels: Values,
    codes: npt.NDArray[np.int8],
    *,
    validation: float | int,
    seed: int,
) -> npt.NDArray[np.int8]:
    """Take a validation split out of the training rows of a given split; (N,) int8 codes, a new array."""
    train = np.flatnonzero(codes == TRAIN)
    result = codes.copy()
    result[train] = assign_splits(
        _units(units).take(train), np.asarray(labels)[train], test=0, validation=validation, seed=seed
    )
    return result


def sample_rows(units: Names, rows: int, seed: int) -> npt.NDArray[np.int64]:
    """The `rows` rows whose units hash lowest, in file order: (rows,) int64. All rows if there are fewer."""
    units = _units(units)
    if rows >= len(units):
        return np.arange(len(units), dtype=np.int64)
    keys = units.hashes(seed, "sample")[units.code]
    return np.sort(np.argsort(keys, kind="stable")[:rows]).astype(np.int64)


def audit_leaks(texts: Names, codes: npt.NDArray[np.int8]) -> tuple[npt.NDArray[np.int8], LeakAudit]:
    """Find texts in more than one split and move each to the split that must stay clean the most.

    Test wins over validation, validation over train: a model may lose a training row, never gain a test one.

    Returns:
        (N,) int8 codes in which each text stands in one split, and the figures.
    """
    units = _units(texts)
    highest = np.full(len(units.names), TRAIN, np.int8)
    lowest = np.full(len(units.names), TEST, np.int8)
    np.maximum.at(highest, units.code, codes)
    np.minimum.at(lowest, units.code, codes)
    moved = highest[units.code]
    leaked = int((highest != lowest).sum())
    return moved, LeakAudit(texts=leaked, moved=int((moved != codes).sum()))


def _units(units: Names) -> Units:
    return units if isinstance(units, Units) else Units.of(units)


def _strata(code: npt.NDArray[np.int64], labels: Values) -> tuple[npt.NDArray[np.int64], list[str]]:
    """The most frequent label of each unit, the first by name of several: (U,) int64, and the names."""
    values, given = np.unique(np.asarray(labels), return_inverse=True)
    names = [str(value) for value in values.tolist()]
    by_name = np.argsort(np.array(names), kind="stable")
    rank = np.empty_like(by_name)
    rank[by_name] = np.arange(len(names))
    votes, counts = np.unique(code * len(names) + rank[given], return_counts=True)
    unit, label = np.divmod(votes, len(names))
    order = np.lexsort((label, -counts, unit))
    first = np.searchsorted(unit, np.arange(unit[-1] + 1))  # `order` keeps units together, in their order
    return label[order][first], [names[i] for i in by_name]


def _ranked(units: Units, stratum: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.int64]:
    """Units by stratum, then hash, then name: (U,) int64."""
    hashes = units.hashes(seed, "split")
    order = np.lexsort((hashes, stratum))
    is_first = np.ones(len(order), np.bool_)
    is_first[1:] = (np.diff(hashes[order]) != 0) | (np.diff(stratum[order]) != 0)
    starts = np.flatnonzero(is_first)
    ends = np.append(starts[1:], len(order))
    several = ends - starts > 1  # in one of 4,000 corpora of two million texts
    for start, end in zip(starts[several].tolist(), ends[several].tolist(), strict=True):
        order[start:end] = sorted(order[start:end].tolist(), key=units.names.__getitem__)
    return order


def _count(size: float | int, total: int, name: str) -> int:
    if size < 0 or (isinstance(size, float) and size >= 1):
        raise InputError(
            f"`split.{name}` is {size}; expected a share from 0.0 to below 1.0, or a whole number of rows"
        )
    return round(size * total) if isinstance(size, float) else size


def _quotas(sizes: dict[str, int], count: int, total: int) -> dict[str, int]:
    """Largest-remainder shares of `count` over the strata, so that they sum to it exactly."""
    exact = {label: count * size / total for label, size in sizes.items()}
    quota = {label: int(share) for label, share in exact.items()}
    by_remainder = sorted(exact, key=lambda label: (quota[label] - exact[label], label))
    for label in by_remainder[: count - sum(quota.values())]:
        quota[label] += 1
    return quota
