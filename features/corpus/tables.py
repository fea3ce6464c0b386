"""Raw rows out of CSV, TSV and plain separated text files, with the line each one came from."""

from __future__ import annotations

import csv
import re
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from features.errors import InputError

MOST_LINES = 1000  # of one record; a quote that stays open for longer is taken for a stray one
_REPORTED = 4096  # records between two calls of `progress`


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
    """One record: its number (1 is the first after the header), its first line in the file, its fields.

    stray: a quote opens in this line that encloses nothing; the fields are the line's, read without quotes.
    """

    number: int
    line: int
    fields: tuple[str, ...]
    stray: bool = False


class Table:
    """A file's columns, and its rows one at a time: memory does not grow with the file.

    Raises:
        InputError: there is no such file, it is empty, or its encoding or separator cannot be.
    """

    def __init__(self, path: Path, form: TableFormat) -> None:
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "does not exist"
            raise InputError(f"{path} {what}; expected a CSV, TSV or text file: change `source:`")
        self.path = path
        self.form = form
        self.separator = form.separator or ("\t" if path.suffix.lower() == ".tsv" else ",")
        if len(self.separator) != 1 or self.separator in '"\r\n':
            expected = "one character, no quote or line end"
            raise InputError(f"`columns.separator` is {self.separator!r}; expected {expected}")
        try:
            "".encode(form.encoding)
        except (LookupError, ValueError):
            found = f"{form.encoding!r}, which is none that Python knows"
            raise InputError(f"`columns.encoding` is {found}; expected e.g. utf-8 or gb18030") from None
        self._field = re.compile(
            r'"(?P<content>[^"]*(?:""[^"]*)*)(?P<close>"?)(?P<after>[^S\r\n]*)(?:S|\r\n?|\n|\Z)'
            r"|[^S\r\n]*(?:S|\r\n?|\n|\Z)".replace("S", re.escape(self.separator))
        )
        with self._opened() as file:
            first = next(self._records(file, None), None)
        if first is None:
            raise InputError(f"{path} is empty; expected a table with {'a header and ' * form.header}rows")
        names = [name.strip() for name in first[1]]
        self.columns: tuple[str, ...] = tuple(names if form.header else map(str, range(len(names))))

    def position(self, column: str, role: str) -> int:
        """Where a column stands; InputError, which lists those there are, if it is not there once."""
        if (found := self.columns.count(column)) != 1:
            what, then = (f"{found} columns called", "; rename all but one") if found else ("no column", "")
            raise InputError(
                f"{self.path} has {what} {column!r} for `columns.{role}`; it has "
                f"{', '.join(map(repr, self.columns))} (separator {self.separator!r}){then}"
            )
        return self.columns.index(column)

    def rows(
        self,
        is_row: Callable[[Sequence[str]], bool] | None = None,
        progress: Callable[[int], object] = lambda more: None,
    ) -> Iterator[RawRow]:
        """All records after the header, blank lines left out.

        In a quoted file a field may run over several lines. Its opening quote is taken for a stray one where
        the closing one does not stand at the end of a field, where the record would have `MOST_LINES` lines
        or more, or where it would swallow rows: most of the lines inside it look like rows by themselves, or
        both its first and its last line do. Then its first line alone is one record, marked as stray, and
        reading goes on with the second. So every line of the file is read, and none twice.

        is_row: whether the fields of a line, read without its quotes and at least as many as there are
        columns, look like a row by themselves; without it, nothing is known to be swallowed.
        progress: called now and then with the bytes read since it was called last.
        """
        reported = 0
        with self._opened() as file:
            for number, (line, fields, stray) in enumerate(
                self._records(file, is_row), start=1 - self.form.header
            ):
                if number % _REPORTED == 0:
                    progress(file.buffer.tell() - reported)
                    reported = file.buffer.tell()
                if number:
                    yield RawRow(number, line, tuple(fields), stray)
            progress(file.buffer.tell() - reported)

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        """The file as text; what can go wrong while it is read becomes an `InputError`."""
        csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
        encoding = self.form.encoding
        try:
            with self.path.open(encoding=encoding, newline="") as file:
                yield file
        except UnicodeError as error:
            found = str(error)
            if isinstance(error, UnicodeDecodeError):  # whose text may quote a megabyte of the file
                found = f"byte {error.object[error.start]:#04x}, {error.reason}"
            remedy = "name its encoding under `columns.encoding`, e.g. gb18030"
            raise InputError(f"{self.path} is not {encoding} ({found}); {remedy}") from None
        except csv.Error as error:
            raise InputError(f"{self.path} cannot be read as a table: {error}") from None

    def _records(
        self, file: Iterator[str], is_row: Callable[[Sequence[str]], bool] | None
    ) -> Iterator[tuple[int, Sequence[str], bool]]:
        """First line, fields, and whether it is stray, of each record that is not blank, header included."""
        quoted = self.form.quoted if self.form.quoted is not None else self.separator == ","
        if not quoted:
            stripped = ((number, line.rstrip("\r\n")) for number, line in enumerate(file, start=1))
            yield from ((number, line.split(self.separator), False) for number, line in stripped if line)
            return
        lines = _Lines(file)
        reader = csv.reader(lines, delimiter=self.separator)
        number = 1
        while lines.start():
            fields = next(reader)
            record = lines.record
            if stray := len(record) > 1 and self._swallows(record, is_row):
                fields = record[0].rstrip("\r\n").split(self.separator)
                lines.read_again(record[1:])
            if fields:
                yield number, fields, stray
            number += 1 if stray else len(record)

    def _swallows(self, record: list[str], is_row: Callable[[Sequence[str]], bool] | None) -> bool:
        """Whether the quote that joins these lines is a stray one, see `rows`."""
        if len(record) >= MOST_LINES:
            return True
        if is_row is not None:
            fields_of = [line.replace('"', "").split(self.separator) for line in record]
            rows = [len(fields) >= len(self.columns) and is_row(fields) for fields in fields_of]
            inside = rows[1:-1]
            if sum(inside) > len(inside) / 2 or (rows[0] and rows[-1]):
                return True
        return any(
            ("\n" in content or "\r" in content) and (not field["close"] or field["after"])
            for field in self._field.finditer("".join(record))
            if (content := field["content"])
        )


class _Lines(Iterator[str]):
    """The lines of a file for `csv.reader`; those of the record under way can be read again."""

    def __init__(self, file: Iterator[str]) -> None:
        self._file = file
        self._again: deque[str] = deque()
        self.record: list[str] = []

    def __next__(self) -> str:
        if len(self.record) == MOST_LINES:
            raise StopIteration  # the reader takes it for the end of the file and gives what it has
        line = self._again.popleft() if self._again else next(self._file)
        self.record.append(line)
        return line

    def start(self) -> bool:
        """Begin a record; False at the end of the file."""
        self.record = []
        if not self._again:
            self._again.extend(line for line in [next(self._file, None)] if line is not None)
        return bool(self._again)

    def read_again(self, lines: Sequence[str]) -> None:
        """Put lines back, to be read next."""
        self._again.extendleft(reversed(lines))
