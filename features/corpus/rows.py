"""One row of a table to what a corpus keeps of it: column roles, row filters, cleaning."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from features.corpus.labels import MISSING, LabelMap
from features.corpus.splits import SPLITS
from features.corpus.tables import Table, TableFormat

_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
# Zero-width marks, byte-order marks and controls carry no meaning here and would make equal texts unequal.
# Joiners (200C, 200D) stay: emoji and several scripts need them.
_INVISIBLE = re.compile(
    "[\u0000-\u0008\u000e-\u001f\u007f\u200b\u2060\ufeff\ufffe\ufff9-\ufffb\ud800-\udfff]"
)
_SPACES = re.compile(r"\s+")


def clean_text(raw: str) -> str:
    """Drop HTML line breaks and invisible characters, fold white space (also full-width) to single spaces."""
    text = raw.strip()
    # Most texts are clean. Whatever the patterns look for is not printable, save breaks and plain spaces.
    if text.isprintable() and "  " not in text and "<" not in text:
        return text
    return _SPACES.sub(" ", _INVISIBLE.sub("", _BREAK.sub(" ", text))).strip()


@dataclass(frozen=True)
class Columns:
    """Which column plays which role; names from the header, or "0", "1", ... where there is none.

    split_names: spelling in the split column to `train`, `validation` or `test`.
    reject_unknown: labels that are not declared reject their row instead of stopping the run.
    only: the values that a column must hold for its row to be used; all of several columns must.
    first_of: of the rows of a file with one value in this column, the first alone is used.
    """

    text: str
    label: str
    pair: str | None = None
    group: str | None = None
    split: str | None = None
    split_names: Mapping[str, str] = field(default_factory=lambda: {name: name for name in SPLITS})
    reject_unknown: bool = False
    only: Mapping[str, Sequence[str]] = field(default_factory=dict)
    first_of: str | None = None
    form: TableFormat = field(default_factory=TableFormat)


ONLY, FIRST_OF = SETTINGS = "columns.only", "columns.first_of"  # by which rows are left out
UNKNOWN_LABEL = "unknown label"
_COUNTED = 10_000  # different values of a column that are counted for a message
_SHOWN = 40  # characters of a strange label or split


class Row(NamedTuple):
    """What is kept of a row. label, split: codes; split -1 where none is given. group: None for none."""

    text: str
    pair: str | None
    label: int
    group: str | None
    split: int


class RowParser:
    """Reads the rows of one table.

    split: the split that the whole file is; None where a column says it, or nothing does.
    values: per column of `columns.only` how often each of its values was seen, the first 10,000 of them.
    passed: rows that no filter left out.

    Raises:
        InputError: a column is missing.
    """

    def __init__(self, table: Table, columns: Columns, label_map: LabelMap, split: str | None) -> None:
        def place(role: str) -> int | None:
            column = getattr(columns, role)
            return None if column is None else table.position(column, role)

        self.table = table
        self._width = len(table.columns)
        self._text = table.position(columns.text, "text")
        self._label = table.position(columns.label, "label")
        self._anchored_label = self._label - (self._width if self._text < self._label else 0)
        self._pair, self._group, self._split = place("pair"), place("group"), place("split")
        self._first_of = place("first_of")
        self._only = [
            (table.position(column, f"only.{column}"), frozenset(map(clean_text, wanted)), column)
            for column, wanted in columns.only.items()
        ]
        self._header = columns.label if columns.form.header else None
        self._codes = label_map.codes
        self._split_codes = {spelling: SPLITS.index(split) for spelling, split in columns.split_names.items()}
        self._given = -1 if split is None else SPLITS.index(split)
        self._seen: set[str] = set()
        self.values: dict[str, Counter[str]] = {column: Counter() for column in columns.only}
        self.passed = 0

    def is_row(self, fields: Sequence[str]) -> bool:
        """Whether the fields of a line, at least as many as there are columns, look like a row by themselves.

        Its label is a declared one, or says that there is none, whatever separators its text holds.
        """
        label = fields[self._anchored_label].strip()
        return label in self._codes or (label != "" and label.lower() in MISSING)

    def parse(self, fields: Sequence[str]) -> Row | str:
        """The row, or one of `SETTINGS` where that leaves it out, or the reason why it is rejected."""
        if len(fields) != self._width:
            return f"{len(fields)} fields, expected {self._width}"
        spelling = fields[self._label].strip()
        if spelling == self._header:
            return "the header again"
        if setting := self._left_out(fields):
            return setting
        text = clean_text(fields[self._text])
        if not text:
            return "empty text"
        label = self._codes.get(spelling)
        if label is None:
            missing = spelling.lower() in MISSING
            return "no label" if missing else f"{UNKNOWN_LABEL} {spelling[:_SHOWN]!r}"
        split = self._given
        if self._split is not None:
            named = fields[self._split].strip()
            if named not in self._split_codes:
                return f"unknown split {named[:_SHOWN]!r}"
            split = self._split_codes[named]
        pair = None if self._pair is None else clean_text(fields[self._pair])
        group = None if self._group is None else clean_text(fields[self._group]) or None
        return Row(text, pair, label, group, split)

    def _left_out(self, fields: Sequence[str]) -> str | None:
        refused = False
        for place, wanted, column in self._only:
            value = clean_text(fields[place])
            counts = self.values[column]
            if value in counts or len(counts) < _COUNTED:
                counts[value] += 1
            refused |= value not in wanted
        if refused:
            return ONLY
        if self._first_of is not None and (value := clean_text(fields[self._first_of])):
            if value in self._seen:
                return FIRST_OF
            self._seen.add(value)
        self.passed += 1
        return None
