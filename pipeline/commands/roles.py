"""Column roles: which column is text, label, pair, group and split, and what the labels are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from features.corpus.labels import MISSING
from features.errors import InputError
from pipeline.commands.table_profile import GROUPS, LABELS, PAIRS, SPLITS, TEXTS, Column, Profile, bare

_RATINGS = ("star", "stars", "rating", "score", "overall", "grade", "评分", "星级", "sentiment")
_is_whole = re.compile(r"[+-]?\d{1,9}(\.0)?").fullmatch  # a number that could be a label, also as `4.0`
_MOST = 50  # different classes
_RARE = 0.002  # share of the labelled rows below which a spelling is taken for a slip
_SLIPS = 0.05  # share of slips above which the column is no label column
_RATING_ENDS = (3, 4, 5, 6, 7, 10, 100)
_MOST_LABELS = 60  # different values in the sample beyond which a column holds no labels
_SPLIT_NAMES = {
    "train": "train", "training": "train",
    "dev": "validation", "valid": "validation", "val": "validation", "validation": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip


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


@dataclass(frozen=True)
class Roles:
    """Which columns play which role, what the labels are, and a remark for each choice that was not clear.

    columns: role (`text`, `label`, and of `pair`, `group`, `split` those found) to the column's name.
    split_names: spelling in the split column to split; empty where there is no such column.
    """

    columns: Mapping[str, str]
    labels: LabelGuess
    split_names: Mapping[str, str]
    remarks: tuple[str, ...]


def assign_roles(profile: Profile, text: str | None = None, label: str | None = None) -> Roles:
    """Choose a column for each role; `text` and `label` are those that the user named.

    Raises:
        InputError: a named column is not there, twice there or named twice, or no column could be the text or
            the label.
    """
    remarks: list[str] = []
    if text is not None and text == label:
        raise InputError(f"--text and --label both name {text!r}; expected two columns")
    split, split_names = _split(profile, (text, label))
    free = [column for column in profile.columns if column.name not in {split, label}]
    text, pair = (text, None) if text is not None else _text_and_pair(profile, free, remarks)
    free = [column for column in free if column.name not in {text, pair}]
    label, labels = _label(profile, label, free, remarks)
    group = _group([column for column in free if column.name != label], remarks)
    found = {"text": text, "label": label, "pair": pair, "group": group, "split": split}
    columns = {role: column for role, column in found.items() if column is not None}
    for role, column in columns.items():
        profile.table.position(column, role)  # refuses what is missing, or there twice
    return Roles(columns, labels, split_names, tuple(remarks))


def _guess_labels(column: str, values: Counter[str], header: bool) -> LabelGuess:
    """Tell ratings from classes, and labels from slips; InputError if no two to fifty values repeat."""
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
            f"column {column!r} holds {len(labelled)} different values ({shown}, ...); expected 2 to {_MOST} "
            f"that repeat: name the label column with --label"
        )
    rating = _rating(column, names)
    shown_names = names if rating is None else [str(k) for k in range(rating[0], rating[1] + 1)]
    counts = dict.fromkeys(shown_names, 0)
    for value, count in kept.items():
        counts[name_of[value]] += count
    in_order = sorted(kept, key=lambda value: (names.index(name_of[value]), value))
    classes = {value: name_of[value] for value in in_order}
    return LabelGuess(rating, classes, counts, values.total() - total, slips)


def _without_slips(values: Mapping[str, int], total: int) -> dict[str, int]:
    """The values that are frequent enough, and whole numbers only where almost all are."""
    whole = sum(count for value, count in values.items() if _is_whole(value))
    numbers_only = whole >= (1 - _SLIPS) * total
    return {
        value: count
        for value, count in values.items()
        if count >= _RARE * total and (_is_whole(value) or not numbers_only)
    }


def _names(spellings: Mapping[str, int]) -> dict[str, str]:
    """One name for spellings that differ in case only (the most frequent), or as 4 and 4.0 (the former)."""
    best: dict[str, str] = {}
    for value in sorted(spellings, key=lambda value: (-spellings[value], value)):
        best.setdefault(value.casefold(), value)
    return {
        value: str(int(float(value))) if _is_whole(value) else best[value.casefold()] for value in spellings
    }


def _order(name: str) -> tuple[int, float, str]:
    return (0, float(name), "") if _is_whole(name) else (1, 0.0, name.casefold())


def _rating(column: str, names: list[str]) -> tuple[int, int] | None:
    """The range of three or more whole numbers that a rating-like name, or a usual scale, makes ratings."""
    if len(names) < 3 or not all(map(_is_whole, names)):
        return None
    low, high = int(names[0]), int(names[-1])
    usual = low == 1 and high in _RATING_ENDS
    return (low, high) if high - low < 2 * len(names) and (usual or bare(column) in _RATINGS) else None


def _text_and_pair(profile: Profile, columns: Sequence[Column], remarks: list[str]) -> tuple[str, str | None]:
    prose = [column for column in columns if column.prose and column.distinct > 1]
    names = {bare(column.name): column.name for column in columns if column.prose}
    for first, second in PAIRS:
        if first in names and second in names:
            found = names[first], names[second]
            remarks.append(
                f"{_quoted(found)} are read as a text and its pair; leave out `pair:` for one alone"
            )
            return found
    if not prose:
        there = _quoted(profile.table.columns)
        raise InputError(f"no column of {profile.table.path} looks like text ({there}); name it with --text")
    longest = max(prose, key=lambda column: column.length)
    known = [column for name in TEXTS for column in prose if bare(column.name) == name]
    chosen = known[0] if known and known[0].length >= 0.3 * longest.length else longest
    others = [column.name for column in prose if column is not chosen and column.length > 0.3 * chosen.length]
    if others:
        remarks.append(f"the text could also be {_quoted(others)}: choose with --text")
    return chosen.name, None


def _label(
    profile: Profile, given: str | None, columns: Sequence[Column], remarks: list[str]
) -> tuple[str, LabelGuess]:
    header = profile.table.form.header
    if given is not None:
        return given, _guess_labels(given, profile.count_values(given), header)
    guesses: list[tuple[str, LabelGuess]] = []
    for column in sorted(columns, key=_label_rank):
        # Labels repeat; a handful of different values in a handful of rows says nothing.
        if 2 <= column.distinct <= min(_MOST_LABELS, 0.5 * len(column.values)):
            values = profile.count_values(column.name)
            with suppress(InputError):
                guesses.append((column.name, _guess_labels(column.name, values, header)))
    if not guesses:
        found = ", ".join(f"{column.name!r} ({column.distinct} different values)" for column in columns)
        raise InputError(
            f"no column of {profile.table.path} looks like labels that repeat "
            f"({found or 'there is only the text'}); name it with --label"
        )
    if others := _quoted(name for name, _ in guesses[1:] if bare(name) not in GROUPS):
        remarks.append(f"the label could also be {others}: choose with --label")
    return guesses[0]


def _label_rank(column: Column) -> tuple[int, int]:
    name = bare(column.name)
    return (LABELS.index(name) if name in LABELS else len(LABELS), column.distinct)


def _group(columns: Sequence[Column], remarks: list[str]) -> str | None:
    repeated = {
        bare(column.name): column.name for column in columns if 1 < column.distinct < 0.9 * len(column.values)
    }
    found = [repeated[name] for name in GROUPS if name in repeated]
    if len(found) > 1:
        remarks.append(f"the group could also be {_quoted(found[1:])}; {found[0]!r} was taken")
    return found[0] if found else None


def _split(profile: Profile, given: Sequence[str | None]) -> tuple[str | None, dict[str, str]]:
    for column in profile.columns:
        if bare(column.name) in SPLITS and column.name not in given:
            values = profile.count_values(column.name)
            names = {value: _SPLIT_NAMES.get(value.lower(), "") for value in sorted(values) if value}
            rows = sum(count for value, count in values.items() if names.get(value))
            if {"train", "test"} <= set(names.values()) and rows >= (1 - _RARE) * values.total():
                return column.name, {value: name for value, name in names.items() if name}
    return None, {}


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))
