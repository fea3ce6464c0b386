"""Raw rows out of CSV, TSV and plain separated text files, with the line each one came from."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from features.errors import InputError

_BLOCK = 8192  # records
_BLOCK_BYTES = 4 << 20  # of the file; few records make a block where they are long
_STEP = 64


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


class Block(NamedTuple):
    """Some records on end: many at a time cost less than one by one.

    number: of the first. records: first line in the file and fields of each. read: bytes of the file so far.
    """

    number: int
    records: list[tuple[int, Sequence[str]]]
    read: int


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
        with self._opened() as file:
            _, first = next(self._records(file), (0, None))
        if first is None:
            raise InputError(f"{path} is empty; expected a table with {'a header and ' * form.header}rows")
        width = len(first)
        self.columns: tuple[str, ...] = (
            tuple(name.strip() for name in first) if form.header else tuple(map(str, range(width)))
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
        with self._opened() as file:
            for number, (line, fields) in enumerate(self._body(file), start=1):
                yield RawRow(number, line, tuple(fields))

    def blocks(self, size: int = _BLOCK) -> Iterator[Block]:
        """The same records, up to `size` at a time, fewer where they are long."""
        with self._opened() as file:
            records = self._body(file)
            number, start = 1, file.buffer.tell()
            while block := list(islice(records, min(size, _STEP))):
                while len(block) < size and file.buffer.tell() - start < _BLOCK_BYTES:
                    more = list(islice(records, min(size - len(block), _STEP)))
                    if not more:
                        break
                    block += more
                start = file.buffer.tell()
                yield Block(number, block, start)
                number += len(block)

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        """The file as text; what can go wrong while it is read becomes an `InputError`."""
        csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
        try:
            with self.path.open(encoding=self._form.encoding, newline="") as file:
                yield file
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

    def _body(self, file: Iterator[str]) -> Iterator[tuple[int, Sequence[str]]]:
        return islice(self._records(file), int(self._form.header), None)

    def _records(self, lines: Iterator[str]) -> Iterator[tuple[int, Sequence[str]]]:
        """First line and fields of each record that is not blank, the header among them."""
        quoted = self._form.quoted if self._form.quoted is not None else self.separator == ","
        if quoted:
            return _non_empty(csv.reader(lines, delimiter=self.separator))
        stripped = ((number, line.rstrip("\r\n")) for number, line in enumerate(lines, start=1))
        return ((number, line.split(self.separator)) for number, line in stripped if line)


def _non_empty(reader: Any) -> Iterator[tuple[int, Sequence[str]]]:
    last = 0
    for fields in reader:
        line, last = last + 1, reader.line_num
        if fields:
            yield line, fields
