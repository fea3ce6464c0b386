"""What the values of a label column are: ratings with an order, or classes with names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from features.errors import InputError
from features.labels import MISSING
from pipeline.declaring.names import RATINGS, bare
from pipeline.declaring.profiling import is_whole

_MOST = 50  # different classes
_RARE = 0.002  # share of the labelled rows below which a spelling is taken for a slip
_SLIPS = 0.05  # share of slips above which the column is no label column
_RATING_ENDS = (3, 4, 5, 6, 7, 10, 100)


@dataclass(frozen=True)
class LabelGuess:
    """What a label column holds.

    rating: lowest and highest, or None for classes. classes: spelling to name, in the order of the names.
    counts: rows of each name, in order. missing: rows without a label, or with the header again. slips: rows
    with a spelling that is too rare to be a label.
    """

    rating: tuple[int, int] | None
    classes: Mapping[str, str]
    counts: Mapping[str, int]
    missing: int
    slips: int


def guess_labels(column: str, values: Counter[str], header: bool) -> LabelGuess:
    """Tell ratings from classes, and labels from slips.

    Raises:
        InputError: the column holds one value, too many, or mostly slips; the message says which.
    """
    missing = sum(count for value, count in values.items() if value.lower() in MISSING)
    repeated_header = values.get(column, 0) if header else 0
    labelled = {
        value: count
        for value, count in values.items()
        if value.lower() not in MISSING and not (header and value == column)
    }
    total = sum(labelled.values())
    kept = _without_slips(labelled, total)
    slips = total - sum(kept.values())
    name_of = _names(kept)
    names = sorted(set(name_of.values()), key=_order)
    if not 2 <= len(names) <= _MOST or slips > _SLIPS * total:
        shown = ", ".join(repr(value[:20]) for value, _ in values.most_common(3))
        raise InputError(
            f"column {column!r} holds {len(labelled)} different values ({shown}, ...), which are no labels; "
            f"expected 2 to {_MOST} that repeat: name the label column with --label"
        )
    counts = {name: sum(kept[value] for value in kept if name_of[value] == name) for name in names}
    rating = _rating(column, names)
    if rating is not None:
        counts = {str(k): counts.get(str(k), 0) for k in range(rating[0], rating[1] + 1)}
    spellings = sorted(kept, key=lambda value: (names.index(name_of[value]), value))
    classes = {value: name_of[value] for value in spellings}
    return LabelGuess(rating, classes, counts, missing + repeated_header, slips)


def _without_slips(values: Mapping[str, int], total: int) -> dict[str, int]:
    """The values that are frequent enough, and whole numbers only where almost all are."""
    whole = sum(count for value, count in values.items() if is_whole(value))
    numbers_only = whole >= (1 - _SLIPS) * total
    return {
        value: count
        for value, count in values.items()
        if count >= _RARE * total and (is_whole(value) or not numbers_only)
    }


def _names(spellings: Mapping[str, int]) -> dict[str, str]:
    """One name for spellings that differ in case only (the most frequent), or as 4 and 4.0 (the former)."""
    best: dict[str, str] = {}
    for value in sorted(spellings, key=lambda value: (-spellings[value], value)):
        best.setdefault(value.casefold(), value)
    return {
        value: str(int(float(value))) if is_whole(value) else best[value.casefold()] for value in spellings
    }


def _order(name: str) -> tuple[int, float, str]:
    return (0, float(name), "") if is_whole(name) else (1, 0.0, name.casefold())


def _rating(column: str, names: list[str]) -> tuple[int, int] | None:
    """The range of three or more whole numbers that a rating-like name, or a usual scale, makes ratings."""
    if len(names) < 3 or not all(map(is_whole, names)):
        return None
    low, high = int(names[0]), int(names[-1])
    usual = low == 1 and high in _RATING_ENDS and len(names) >= 3
    if high - low >= 2 * len(names) or not (usual or bare(column) in RATINGS):
        return None
    return low, high
