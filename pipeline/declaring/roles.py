"""Which column is the text, the label, the pair, the group and the split; a choice comes with a remark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from features.errors import InputError
from pipeline.declaring.labelling import LabelGuess, guess_labels
from pipeline.declaring.names import GROUPS, LABELS, PAIRS, SPLIT_NAMES, SPLITS, TEXTS, bare
from pipeline.declaring.profiling import Column, Profile, count_values

_MOST_LABELS = 60  # different values in the sample beyond which a column holds no labels


@dataclass(frozen=True)
class Roles:
    """The columns of a table by role, what its labels are, and a remark for each choice that was not clear.

    split_names: spelling in the split column to split; empty where there is no such column.
    """

    text: str
    label: str
    labels: LabelGuess
    pair: str | None
    group: str | None
    split: str | None
    split_names: Mapping[str, str]
    remarks: tuple[str, ...]


def assign_roles(profile: Profile, text: str | None = None, label: str | None = None) -> Roles:
    """Choose a column for each role.

    Args:
        profile: the table.
        text: column that the user named; None leaves the choice.
        label: the same for the label.

    Raises:
        InputError: a named column is not there, or no column could be the text or the label.
    """
    remarks: list[str] = []
    for given in (text, label):
        if given is not None and given not in [column.name for column in profile.columns]:
            raise InputError(
                f"{profile.path} has no column {given!r}; it has {_list(profile.columns)}: name one of them"
            )
    split, split_names = _split(profile)
    free = [column for column in profile.columns if column.name not in {split, label}]
    text, pair = (text, None) if text is not None else _text_and_pair(profile, free, remarks)
    free = [column for column in profile.columns if column.name not in {split, text, pair}]
    label, labels = _label(profile, label, free, remarks)
    free = [column for column in free if column.name != label]
    group = _group(free, remarks)
    return Roles(text, label, labels, pair, group, split, split_names, tuple(remarks))


def _text_and_pair(profile: Profile, columns: Sequence[Column], remarks: list[str]) -> tuple[str, str | None]:
    names = {bare(column.name): column for column in columns}
    for first, second in PAIRS:
        if first in names and second in names and names[first].prose and names[second].prose:
            remarks.append(
                f"{names[first].name!r} and {names[second].name!r} are read as a text and its pair; for one "
                f"of them alone leave out `pair:` and name it under `text:`"
            )
            return names[first].name, names[second].name
    prose = [column for column in columns if column.prose and column.distinct > 1]
    if not prose:
        raise InputError(
            f"no column of {profile.path} looks like text (it has {_list(profile.columns)}); "
            f"name it with --text"
        )
    longest = max(prose, key=lambda column: column.length)
    known = [column for name in TEXTS for column in prose if bare(column.name) == name]
    chosen = known[0] if known and known[0].length >= 0.3 * longest.length else longest
    others = [column.name for column in prose if column is not chosen and column.length > 0.3 * chosen.length]
    if others:
        remarks.append(
            f"the text could also be {_quoted(others)}; {chosen.name!r} was taken: change it with --text"
        )
    return chosen.name, None


def _label(
    profile: Profile, given: str | None, columns: Sequence[Column], remarks: list[str]
) -> tuple[str, LabelGuess]:
    header = profile.written.form.header
    if given is not None:
        return given, guess_labels(given, count_values(profile, given), header)
    candidates = sorted(
        (column for column in columns if 2 <= column.distinct <= _MOST_LABELS), key=_label_rank
    )
    guesses: list[tuple[str, LabelGuess]] = []
    for column in candidates:
        # Labels repeat; a handful of different values in a handful of rows says nothing.
        if column.distinct > 0.5 * len(column.values):
            continue
        try:
            guesses.append(
                (column.name, guess_labels(column.name, count_values(profile, column.name), header))
            )
        except InputError:
            continue
    if not guesses:
        found = ", ".join(f"{column.name!r} ({column.distinct} different values)" for column in columns)
        raise InputError(
            f"no column of {profile.path} looks like labels that repeat: "
            f"{found or 'there is only the text'}; name it with --label"
        )
    if others := _quoted([name for name, _ in guesses[1:] if bare(name) not in GROUPS]):
        remarks.append(
            f"the label could also be {others}; {guesses[0][0]!r} was taken: change it with --label"
        )
    return guesses[0]


def _label_rank(column: Column) -> tuple[int, int]:
    name = bare(column.name)
    return (LABELS.index(name) if name in LABELS else len(LABELS), column.distinct)


def _group(columns: Sequence[Column], remarks: list[str]) -> str | None:
    repeated = {
        bare(column.name): column for column in columns if 1 < column.distinct < 0.9 * len(column.values)
    }
    found = [repeated[name].name for name in GROUPS if name in repeated]
    if not found:
        return None
    if len(found) > 1:
        remarks.append(f"the group could also be {_quoted(found[1:])}; {found[0]!r} was taken")
    return found[0]


def _split(profile: Profile) -> tuple[str | None, dict[str, str]]:
    for column in profile.columns:
        values = set(column.values)
        known = {value: SPLIT_NAMES[value.lower()] for value in values if value.lower() in SPLIT_NAMES}
        if (
            bare(column.name) in SPLITS
            and known.keys() == values
            and {"train", "test"} <= set(known.values())
        ):
            return column.name, _all_spellings(count_values(profile, column.name))
    return None, {}


def _all_spellings(values: Counter[str]) -> dict[str, str]:
    return {value: SPLIT_NAMES[value.lower()] for value in sorted(values) if value.lower() in SPLIT_NAMES}


def _list(columns: Sequence[Column]) -> str:
    return _quoted([column.name for column in columns])


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))
