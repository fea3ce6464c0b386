"""Rows that were not asked for: those with other values of a column, all but the first with one value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from features.errors import InputError
from features.preparing.cleaning import clean_text
from features.preparing.columns import Columns
from features.preparing.tables import Table

ONLY, FIRST_OF = "columns.only", "columns.first_of"
_COUNTED = 10_000  # different values of a column that are counted for a message


class Wanted:
    """Decides row by row of one file; remembers what it left out.

    values: per column of `columns.only` how often each of its values was seen, the first 10,000 of them.
    passed: rows that were wanted. any: whether there is anything to decide.
    """

    def __init__(self, table: Table, columns: Columns) -> None:
        self._only = [
            (table.position(column, f"only.{column}"), frozenset(map(clean_text, wanted)), column)
            for column, wanted in columns.only.items()
        ]
        self._first_of = None if columns.first_of is None else table.position(columns.first_of, "first_of")
        self._seen: set[str] = set()
        self.values: dict[str, Counter[str]] = {column: Counter() for column in columns.only}
        self.passed = 0
        self.any = bool(self._only) or self._first_of is not None

    def refusal(self, fields: Sequence[str]) -> str | None:
        """The setting by which a row of the right width is left out; None for one that is wanted."""
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


def nothing_wanted(
    files: str, only: Mapping[str, Sequence[str]], values: Mapping[str, Counter[str]]
) -> InputError:
    """The error for a filter that no row passes: what the columns hold most often."""
    asked = "; ".join(f"{column!r} in {', '.join(map(repr, wanted))}" for column, wanted in only.items())
    found = "; ".join(
        f"{column!r} most often holds "
        + ", ".join(f"{value[:40]!r} ({count} rows)" for value, count in counts.most_common(5))
        for column, counts in values.items()
    )
    return InputError(f"no row of {files} passes `columns.only` ({asked}); {found}: change the values")
