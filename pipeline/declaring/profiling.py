"""What stands in a table's columns: a seeded sample of the whole file, and figures of each column."""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from features.preparing.tables import Table
from pipeline.declaring.sniffing import Written

_SAMPLE = 5000
_SEED = 13
_WHOLE = re.compile(r"[+-]?\d+(\.0)?")
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_KANA = re.compile(r"[\u3040-\u30ff]")
_LETTER = re.compile(r"[^\W\d_]")
_NO_TEXT = re.compile(r"https?://\S+|[\d\s:./\-+,TZ]+|[0-9a-f]{16,}")


@dataclass(frozen=True)
class Column:
    """One column in the sample.

    values: its fields, stripped, empty ones left out. length: mean characters, Chinese counting twice.
    distinct: different values.
    """

    name: str
    values: tuple[str, ...]
    length: float
    distinct: int

    @property
    def whole_numbers(self) -> bool:
        """Whether all but a few values are whole numbers."""
        return bool(self.values) and sum(map(is_whole, self.values)) >= 0.95 * len(self.values)

    @property
    def prose(self) -> bool:
        """Whether most values could be texts: no numbers, dates, addresses or digests."""
        return bool(self.values) and (
            sum(_NO_TEXT.fullmatch(value) is None for value in self.values) > 0.5 * len(self.values)
        )


@dataclass(frozen=True)
class Profile:
    """A table: how it is written, its number of rows, and its columns in a sample of them.

    ragged: rows with another number of fields than the table has columns; they will be rejected.
    """

    path: Path
    written: Written
    rows: int
    ragged: int
    columns: tuple[Column, ...]
    sample: tuple[tuple[str, ...], ...]

    def column(self, name: str) -> Column:
        """A column by name."""
        return next(column for column in self.columns if column.name == name)


def profile(path: Path, written: Written) -> Profile:
    """Read the whole table once; a sorted file is seen from end to end, memory does not grow with it."""
    table = Table(path, written.form)
    chance = random.Random(_SEED)
    sample: list[tuple[str, ...]] = []
    rows = ragged = 0
    for row in table.rows():
        rows += 1
        if len(row.fields) != len(table.columns):
            ragged += 1
            continue
        if len(sample) < _SAMPLE:
            sample.append(row.fields)
        elif (place := chance.randrange(rows - ragged)) < _SAMPLE:
            sample[place] = row.fields
    columns = tuple(_column(name, [row[i] for row in sample]) for i, name in enumerate(table.columns))
    return Profile(path, written, rows, ragged, columns, tuple(sample))


def count_values(profile: Profile, name: str) -> Counter[str]:
    """How often each value of a column occurs in the whole table."""
    table = Table(profile.path, profile.written.form)
    place = table.columns.index(name)
    width = len(table.columns)
    return Counter(row.fields[place].strip() for row in table.rows() if len(row.fields) == width)


def is_whole(field: str) -> bool:
    """Whether a field is a whole number, also as `4.0`."""
    return _WHOLE.fullmatch(field) is not None


def chinese_share(values: tuple[str, ...]) -> float:
    """Share of Chinese characters among the letters of the values."""
    text = "".join(values)
    return len(_HAN.findall(text)) / max(len(_LETTER.findall(text)), 1)


def has_kana(values: tuple[str, ...]) -> bool:
    """Whether the values hold more than a trace of Japanese syllables."""
    text = "".join(values)
    return len(_KANA.findall(text)) > 0.05 * max(len(_LETTER.findall(text)), 1)


def _column(name: str, fields: list[str]) -> Column:
    values = tuple(stripped for field in fields if (stripped := field.strip()))
    length = sum(len(value) + len(_HAN.findall(value)) for value in values) / max(len(values), 1)
    return Column(name, values, length, len(set(values)))
