"""How a table is written: encoding, separator, quotes, header; found by reading it each way."""

from __future__ import annotations

import codecs
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from features.errors import InputError
from features.preparing.tables import Table, TableFormat
from pipeline.declaring.names import KNOWN, bare

# Commas last: texts are full of them, so that another mark that fits as well is the likelier one.
_SEPARATORS = ("\t", ";", "|", ",")
_RECORDS = 2000  # read for separator, quotes and header
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Written:
    """How a file is written, and the first records under that reading.

    form: what `features.preparing.tables.Table` takes. agreeing: share of the records as wide as most are.
    """

    form: TableFormat
    width: int
    agreeing: float


def sniff(path: Path) -> Written:
    """Find out how a table is written.

    Raises:
        InputError: there is no such file, no encoding fits, or no separator gives two columns.
    """
    if not path.is_file():
        raise InputError(f"{path} {'is a folder' if path.is_dir() else 'does not exist'}; expected a table")
    encoding = _encoding(path)
    found = [_read(path, TableFormat(mark, False, quoted, encoding)) for mark, quoted in _ways()]
    best = max(found, key=lambda way: (way.width > 1, round(way.agreeing, 2)))
    if not best.width:
        raise InputError(f"{path} is empty or unreadable; expected a text and a label in each row")
    if best.width < 2:
        raise InputError(
            f"{path} has one column under every separator tried (comma, tab, semicolon, bar); expected at "
            f"least a text and a label in each row"
        )
    header = _has_header([row.fields for row in islice(Table(path, best.form).rows(), _RECORDS)])
    form = best.form
    return Written(TableFormat(form.separator, header, form.quoted, form.encoding), best.width, best.agreeing)


def _ways() -> list[tuple[str, bool]]:
    """Separators with and without quotes, the likeliest first: the first of equals wins."""
    return [
        (mark, quoted) for mark in _SEPARATORS for quoted in ((True, False) if mark == "," else (False, True))
    ]


def _read(path: Path, form: TableFormat) -> Written:
    try:
        rows = [row.fields for row in islice(Table(path, form).rows(), _RECORDS)]
    except InputError:  # nothing to read, or a quote that never closes under this reading
        return Written(form, 0, 0.0)
    (width, count), *_ = Counter(map(len, rows)).most_common()
    agreeing = count / len(rows)
    if form.quoted is False and _enclosed(rows):
        agreeing -= 0.05  # quotes around whole fields are there to be taken off
    return Written(form, width, agreeing)


def _enclosed(rows: list[tuple[str, ...]]) -> bool:
    fields = [field for row in rows for field in row if field]
    around = sum(len(field) > 1 and field[0] == field[-1] == '"' for field in fields)
    return around > 0.1 * len(fields)


def _encoding(path: Path) -> str:
    """The first encoding in which the whole file can be read."""
    with path.open("rb") as file:
        start = file.read(4)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    for encoding in ("utf-8-sig", "gb18030", "cp1252"):
        if _decodes(path, encoding):
            return encoding
    raise InputError(
        f"{path} is neither UTF-8, GB18030 nor Windows-1252; convert it to UTF-8, e.g. with iconv"
    )


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                if "\x00" in decoder.decode(block):
                    return False
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _has_header(rows: list[tuple[str, ...]]) -> bool:
    """Whether the first row names the columns: names that are known, or unlike everything below them."""
    first, below = rows[0], rows[1:]
    names = [field.strip() for field in first]
    # One name may be missing: tables are saved with a column of row numbers that nobody named.
    if len(set(names)) < len(names) or not below:
        return False
    if any(_number(name) for name in names) or max(map(len, names)) > 60:
        return False
    columns = [[row[i].strip() for row in below if i < len(row)] for i in range(len(names))]
    recurs = any(name in column for name, column in zip(names, columns, strict=True))
    if any(bare(name) in KNOWN for name in names):
        return True
    numeric = any(column and _mostly_numbers(column) for column in columns)
    return numeric or (not recurs and _shorter(names, columns))


def _shorter(names: list[str], columns: list[list[str]]) -> bool:
    """Whether the longest column's name is far shorter than what stands below it."""
    means = [sum(map(len, column)) / max(len(column), 1) for column in columns]
    longest = means.index(max(means))
    return len(names[longest]) < 0.5 * means[longest]


def _mostly_numbers(column: list[str]) -> bool:
    return sum(map(_number, column)) > 0.9 * len(column)


def _number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
