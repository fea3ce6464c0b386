"""Raw rows out of CSV, TSV and plain separated text files, with the line each one came from."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from features.errors import InputError


@dataclass(frozen=True)
class TableFormat:
    """How a file separates its fields.

    separator: one character; None follows the file name (`.tsv` is a tab, everything else a comma).
    header: whether the first row names the columns; without one, columns are called "0", "1", ...
    quoted: whether double quotes enclose fields; None means yes for commas, no for other separators.
    encoding: as Python names it; a leading byte-order mark is skipped in the UTF-8 default.
    """

    separator: str | None = None
    header: bool = True
    quoted: bool | None = None
    encoding: str = "utf-8-sig"


class RawRow(NamedTuple):
    """One record: its number (1 is the first after the header), its first line in the file, its fields."""

    number: int
    line: int
    fields: tuple[str, ...]


class Table:
    """A file's columns, and its rows one at a time: memory does not grow with the file."""

    def __init__(self, path: Path, form: TableFormat) -> None:
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "does not exist"
            raise InputError(
                f"{path} {what}; expected a CSV, TSV or text file: put it there or change `source:`"
            )
        self.path = path
        self._form = form
        self.separator = form.separator or ("\t" if path.suffix.lower() == ".tsv" else ",")
        if len(self.separator) != 1:
            raise InputError(f"`columns.separator` is {self.separator!r}; expected a single character")
        first = next(self._records(), None)
        if first is None:
            raise InputError(f"{path} is empty; expected a table with {'a header and ' * form.header}rows")
        width = len(first.fields)
        self.columns: tuple[str, ...] = (
            tuple(name.strip() for name in first.fields) if form.header else tuple(map(str, range(width)))
        )

    def position(self, column: str, role: str) -> int:
        """Where a column stands.

        Raises:
            InputError: there is no such column; the message lists those there are.
        """
        if column not in self.columns:
            raise InputError(
                f"{self.path} has no column {column!r} for `columns.{role}`; it has "
                f"{', '.join(map(repr, self.columns))} (separator {self.separator!r})"
            )
        return self.columns.index(column)

    def rows(self) -> Iterator[RawRow]:
        """All records after the header, blank lines left out."""
        records = self._records()
        if self._form.header:
            next(records, None)
        for number, record in enumerate(records, start=1):
            yield RawRow(number, record.line, record.fields)

    def _records(self) -> Iterator[RawRow]:
        csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
        try:
            with self.path.open(encoding=self._form.encoding, newline="") as file:
                yield from self._split(file)
        except UnicodeDecodeError as error:
            raise InputError(
                f"{self.path} is not {self._form.encoding}: byte {error.object[error.start]:#04x} "
                f"({error.reason}); name its encoding under `columns.encoding`, e.g. gb18030"
            ) from None
        except LookupError:
            raise InputError(
                f"`columns.encoding` is {self._form.encoding!r}, which Python does not know; "
                f"expected a name such as utf-8 or gb18030"
            ) from None
        except csv.Error as error:
            raise InputError(f"{self.path} cannot be read as a table: {error}") from None

    def _split(self, lines: Iterator[str]) -> Iterator[RawRow]:
        quoted = self._form.quoted if self._form.quoted is not None else self.separator == ","
        if quoted:
            yield from _non_empty(csv.reader(lines, delimiter=self.separator))
            return
        for number, line in enumerate(lines, start=1):
            if text := line.rstrip("\r\n"):
                yield RawRow(0, number, tuple(text.split(self.separator)))


def _non_empty(reader: Iterator[Sequence[str]]) -> Iterator[RawRow]:
    last = 0
    for fields in reader:
        line, last = last + 1, reader.line_num  # type: ignore[attr-defined]
        if fields:
            yield RawRow(0, line, tuple(fields))
