"""Seeded splits that depend on the texts alone, and the audit that finds texts on both sides.

A unit (a text, or a group such as a movie) gets a number in [0, 1) from a keyed hash. Within each label the
units are ranked by it; the lowest are test, the next validation, the rest train. So the order of the file,
the version of numpy and rows added later leave almost every text where it was, a repeated text can never
stand in two splits, and a smaller corpus has nearly nested test rows in a larger one.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.errors import InputError

SPLITS = ("train", "validation", "test")
TRAIN, VALIDATION, TEST = range(3)


@dataclass(frozen=True)
class LeakAudit:
    """What the audit of a given split found.

    texts: distinct texts that stood in more than one split.
    moved: rows that were moved so that each text stands in one split.
    """

    texts: int
    moved: int


def unit_hash(seed: int, salt: str, text: str) -> float:
    """A number in [0, 1) that depends on the three arguments alone, uniform over texts (BLAKE2b, 64 bits)."""
    digest = hashlib.blake2b(f"{seed}\x00{salt}\x00{text}".encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "big") / 2**64


def assign_splits(
    units: Sequence[str],
    labels: Sequence[object],
    *,
    test: float | int,
    validation: float | int,
    seed: int,
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
    strata = _strata(units, labels)
    total = sum(map(len, strata.values()))
    counts = {TEST: _count(test, total, "test"), VALIDATION: _count(validation, total, "validation")}
    if sum(counts.values()) >= total:
        raise InputError(
            f"a split of {counts[TEST]} test and {counts[VALIDATION]} validation units leaves none of the "
            f"{total} for training; give smaller sizes under `split:`"
        )
    code_of: dict[str, int] = {}
    test_quota = _quotas(strata, counts[TEST], total)
    validation_quota = _quotas(strata, counts[VALIDATION], total)
    for label, members in strata.items():
        ranked = sorted(members, key=lambda unit: (unit_hash(seed, "split", unit), unit))
        last_test = test_quota[label]
        last_validation = last_test + validation_quota[label]
        for rank, unit in enumerate(ranked):
            code_of[unit] = TEST if rank < last_test else VALIDATION if rank < last_validation else TRAIN
    return np.array([code_of[unit] for unit in units], dtype=np.int8)


def hold_out(
    units: Sequence[str],
    labels: Sequence[object],
    codes: npt.NDArray[np.int8],
    *,
    validation: float | int,
    seed: int,
) -> npt.NDArray[np.int8]:
    """Take a validation split out of the training rows of a given split; (N,) int8 codes, a new array."""
    train = np.flatnonzero(codes == TRAIN).tolist()
    inner = assign_splits(
        [units[i] for i in train], [labels[i] for i in train], test=0, validation=validation, seed=seed
    )
    result = codes.copy()
    result[train] = inner
    return result


def sample_rows(units: Sequence[str], rows: int, seed: int) -> npt.NDArray[np.int64]:
    """The `rows` rows whose units hash lowest, in file order: (rows,) int64. All rows if there are fewer."""
    if rows >= len(units):
        return np.arange(len(units), dtype=np.int64)
    keys = np.array([unit_hash(seed, "sample", unit) for unit in units])
    return np.sort(np.argsort(keys, kind="stable")[:rows]).astype(np.int64)


def audit_leaks(texts: Sequence[str], codes: npt.NDArray[np.int8]) -> tuple[npt.NDArray[np.int8], LeakAudit]:
    """Find texts in more than one split and move each to the split that must stay clean the most.

    Test wins over validation, validation over train: a model may lose a training row, never gain a test one.

    Returns:
        (N,) int8 codes in which each text stands in one split, and the figures.
    """
    highest: dict[str, int] = {}
    lowest: dict[str, int] = {}
    for text, code in zip(texts, codes.tolist(), strict=True):
        highest[text] = max(code, highest.get(text, code))
        lowest[text] = min(code, lowest.get(text, code))
    moved = np.array([highest[text] for text in texts], dtype=np.int8)
    leaked = sum(highest[text] != lowest[text] for text in highest)
    return moved, LeakAudit(texts=leaked, moved=int((moved != codes).sum()))


def _strata(units: Sequence[str], labels: Sequence[object]) -> dict[str, list[str]]:
    votes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for unit, label in zip(units, labels, strict=True):
        votes[unit][str(label)] += 1
    strata: defaultdict[str, list[str]] = defaultdict(list)
    for unit, counter in votes.items():
        label = min(counter, key=lambda name: (-counter[name], name))
        strata[label].append(unit)
    return dict(sorted(strata.items()))


def _count(size: float | int, total: int, name: str) -> int:
    if size < 0 or (isinstance(size, float) and size >= 1):
        raise InputError(
            f"`split.{name}` is {size}; expected a share from 0.0 to below 1.0, or a whole number of rows"
        )
    return round(size * total) if isinstance(size, float) else size


def _quotas(strata: dict[str, list[str]], count: int, total: int) -> dict[str, int]:
    """Largest-remainder shares of `count` over the strata, so that they sum to it exactly."""
    exact = {label: count * len(members) / total for label, members in strata.items()}
    quota = {label: int(share) for label, share in exact.items()}
    by_remainder = sorted(exact, key=lambda label: (quota[label] - exact[label], label))
    for label in by_remainder[: count - sum(quota.values())]:
        quota[label] += 1
    return quota
