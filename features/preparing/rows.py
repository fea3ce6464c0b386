"""One row of a table to what a corpus keeps of it, or to the reason why it keeps nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from features.labels import MISSING, LabelMap
from features.preparing.cleaning import clean_text
from features.preparing.columns import Columns
from features.preparing.splits import SPLITS
from features.preparing.tables import Table
from features.preparing.wanted import Wanted

_ROLES = ("text", "label", "pair", "group", "split")
_SHOWN = 40  # characters of a strange label or split


class Row(NamedTuple):
    """What is kept of a row. label, split: codes; split -1 where none is given. group: None for none."""

    text: str
    pair: str | None
    label: int
    group: str | None
    split: int


class RowParser:
    """Reads the rows of one file.

    split: the split that the whole file is; None where a column says it, or nothing does.
    unknown: counts labels that are not declared.

    Raises:
        InputError: a column is missing.
    """

    def __init__(
        self, table: Table, columns: Columns, label_map: LabelMap, split: str | None, unknown: Counter[str]
    ) -> None:
        places = {
            role: table.position(column, role)
            for role in _ROLES
            if (column := getattr(columns, role)) is not None
        }
        self._width = len(table.columns)
        self._text, self._label = places["text"], places["label"]
        self._pair, self._group, self._split = (places.get(role) for role in ("pair", "group", "split"))
        self._header = columns.label if columns.form.header else None
        self._codes = label_map.codes
        self._split_codes = {spelling: SPLITS.index(split) for spelling, split in columns.split_names.items()}
        self._given = -1 if split is None else SPLITS.index(split)
        self._unknown = unknown
        self.wanted = Wanted(table, columns)

    def refusal(self, fields: Sequence[str]) -> str | None:
        """The setting by which a row is left out, see `Wanted`; broken rows are left to `parse`."""
        return None if self._unreadable(fields) else self.wanted.refusal(fields)

    def parse(self, fields: Sequence[str]) -> Row | str:
        """The row, or the reason it is rejected."""
        if reason := self._unreadable(fields):
            return reason
        text = clean_text(fields[self._text])
        if not text:
            return "empty text"
        spelling = fields[self._label].strip()
        label = self._codes.get(spelling)
        if label is None:
            return self._label_reason(spelling)
        split = self._given
        if self._split is not None:
            named = fields[self._split].strip()
            if named not in self._split_codes:
                return f"unknown split {named[:_SHOWN]!r}"
            split = self._split_codes[named]
        pair = None if self._pair is None else clean_text(fields[self._pair])
        group = None if self._group is None else clean_text(fields[self._group]) or None
        return Row(text, pair, label, group, split)

    def _unreadable(self, fields: Sequence[str]) -> str | None:
        if len(fields) != self._width:
            return f"{len(fields)} fields, expected {self._width}"
        if self._header is not None and fields[self._label].strip() == self._header:
            return "the header again"
        return None

    def _label_reason(self, spelling: str) -> str:
        if spelling.lower() in MISSING:
            return "no label"
        self._unknown[spelling[:_SHOWN]] += 1
        return f"unknown label {spelling[:_SHOWN]!r}"
