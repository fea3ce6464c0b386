"""What the labels of a corpus are: ratings with an order, or classes with names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from features.errors import InputError

# How files say "no label": rows that hold one are rejected with a reason, never guessed.
MISSING = frozenset({"", "none", "nan", "null", "na", "n/a"})

MOST_RATINGS = 1000


@dataclass(frozen=True)
class Labels:
    """The label values of a corpus: the integers `low` to `low + size - 1`, each with a name.

    names: C names for people, in the order of the values.
    low: value of the first label: the lowest rating, or 0 for classes.
    ordered: True for ratings, where neighbouring values are neighbours in meaning.
    """

    names: tuple[str, ...]
    low: int
    ordered: bool

    @property
    def size(self) -> int:
        """Number of labels C."""
        return len(self.names)

    @property
    def values(self) -> range:
        """The label values in order."""
        return range(self.low, self.low + self.size)

    def name(self, value: int) -> str:
        """The name of a label value."""
        return self.names[value - self.low]


@dataclass(frozen=True)
class LabelMap:
    """How the strings of a label column become label values.

    labels: the values they become.
    codes: label value of each spelling found in the file.
    """

    labels: Labels
    codes: Mapping[str, int]


def rating_labels(low: int, high: int) -> LabelMap:
    """Whole-number ratings from `low` to `high`; files may write 4 as `4`, `4.0` or ` 4`.

    InputError where the range holds fewer than two ratings, or more than `MOST_RATINGS`.
    """
    if not low < high < low + MOST_RATINGS:
        expected = f"the lowest and the highest of at most {MOST_RATINGS} ratings, e.g. [1, 5]"
        raise InputError(f"`labels.rating` is [{low}, {high}]; expected {expected}")
    values = range(low, high + 1)
    codes = {spelling: value for value in values for spelling in (str(value), f"{value}.0")}
    return LabelMap(Labels(tuple(str(value) for value in values), low, ordered=True), codes)


def class_labels(classes: Sequence[str] | Mapping[str, str]) -> LabelMap:
    """Named classes: a sequence of the names the file uses, or a mapping from spelling in the file to name.

    Several spellings may share a name. The order given is the order of the label values 0 to C-1.
    InputError where there are fewer than two names, or a spelling is given twice.
    """
    pairs = list(classes.items()) if isinstance(classes, Mapping) else [(name, name) for name in classes]
    names = tuple(dict.fromkeys(name for _, name in pairs))
    if len(names) < 2 or len({spelling for spelling, _ in pairs}) < len(pairs):
        raise InputError(
            f"`labels.classes` gives {len(names)} different names in {len(pairs)} entries; "
            f"expected at least two classes, each spelling once"
        )
    codes = {spelling: names.index(name) for spelling, name in pairs}
    return LabelMap(Labels(names, low=0, ordered=False), codes)
