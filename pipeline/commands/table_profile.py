"""A table nobody has described: how it is written, and what stands in its columns."""

from __future__ import annotations

import codecs
import random
import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import islice
from pathlib import Path

from features.corpus.tables import Table, TableFormat
from features.errors import InputError

# Names of columns, each list in order of preference, as `bare` gives them.
TEXTS = (
    "text", "review", "reviewtext", "comment", "content", "sentence", "phrase", "statement", "tweet", "body",
    "message", "document", "article", "question", "description", "评论", "评论内容", "内容", "文本", "正文",
)  # fmt: skip
LABELS = (
    "label", "sentiment", "star", "stars", "rating", "score", "class", "target", "emotion", "category",
    "polarity", "overall", "grade", "topic", "intent", "标签", "评分", "星级", "情感", "类别", "分类",
)  # fmt: skip
GROUPS = (
    "sentenceid", "movienamecn", "movie", "moviename", "movienameen", "movietitle", "movieid", "film",
    "product", "productid", "productname", "item", "itemid", "asin", "book", "hotel", "restaurant",
    "business", "businessid", "shop", "brand", "author", "user", "userid", "username", "cat", "电影",
    "电影名", "商品", "店铺", "用户",
)  # fmt: skip
SPLITS = ("split", "part", "partition", "set", "subset", "fold", "datasplit")
PAIRS = (
    ("title", "text"), ("title", "body"), ("title", "content"), ("title", "article"), ("headline", "body"),
    ("premise", "hypothesis"), ("sentence1", "sentence2"), ("question1", "question2"), ("标题", "内容"),
    ("标题", "正文"), ("summary", "text"),
)  # fmt: skip
_KNOWN = frozenset({*TEXTS, *LABELS, *GROUPS, *SPLITS, *(name for pair in PAIRS for name in pair), "id"})

# Commas last: texts are full of them, so that another mark that fits as well is the likelier one. With and
# without quotes, the likeliest first: the first of equals wins.
_WAYS = [(mark, quoted) for mark in "\t;|" for quoted in (False, True)] + [(",", True), (",", False)]
_RECORDS = 2000  # read for separator, quotes and header
_SAMPLE = 5000  # rows kept of the whole table
_SEED = 13
_BLOCK = 1 << 20
_SIGNS = re.compile(r"[\s_.\-]+")
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_LETTER = re.compile(r"[^\W\d_]")
_NO_TEXT = re.compile(r"https?://\S+|[\d\s:./\-+,TZ]+|[0-9a-f]{16,}")


@dataclass(frozen=True)
class Column:
    """One column: its fields in a sample of the rows, stripped, empty ones left out."""

    name: str
    values: tuple[str, ...]

    @cached_property
    def distinct(self) -> int:
        """Number of different values."""
        return len(set(self.values))

    @cached_property
    def length(self) -> float:
        """Mean characters, Chinese counting twice."""
        return sum(len(value) + len(_HAN.findall(value)) for value in self.values) / max(len(self.values), 1)

    @cached_property
    def prose(self) -> bool:
        """Whether most values could be texts: no numbers, dates, addresses or digests."""
        return sum(_NO_TEXT.fullmatch(value) is None for value in self.values) > 0.5 * len(self.values)

    @cached_property
    def chinese(self) -> float:
        """Share of Chinese characters among the letters."""
        text = "".join(self.values)
        return len(_HAN.findall(text)) / max(len(_LETTER.findall(text)), 1)


@dataclass(frozen=True)
class Profile:
    """A table: how it is written, its number of rows, and its columns in a sample of them.

    ragged: rows that will be rejected, for a stray quote or another number of fields than there are columns.
    """

    table: Table
    rows: int
    ragged: int
    columns: tuple[Column, ...]
    sample: tuple[tuple[str, ...], ...]

    def column(self, name: str) -> Column:
        """A column by name; InputError where there is none, or two."""
        return self.columns[self.table.position(name, "text")]

    def count_values(self, name: str) -> Counter[str]:
        """How often each value of a column occurs in the whole table."""
        place, width = self.table.position(name, "label"), len(self.columns)
        return Counter(row.fields[place].strip() for row in self.table.rows() if len(row.fields) == width)


def profile(path: Path) -> Profile:
    """Find out how a table is written, and read it whole: memory does not grow with it.

    Raises:
        InputError: there is no such file, no encoding fits, or no separator gives two columns.
    """
    form = _sniff(path)
    found = _profile(path, form)
    if not (found.ragged and form.quoted):
        return found
    plain = _profile(path, replace(form, quoted=False))  # perhaps its quotes are plain characters
    return min(found, plain, key=lambda way: way.ragged / max(way.rows, 1))


def bare(name: str) -> str:
    """A name as it is compared.

    >>> bare("Movie_Name CN")
    'movienamecn'
    """
    return _SIGNS.sub("", name.strip().lower())


def _sniff(path: Path) -> TableFormat:
    if not path.is_file():
        raise InputError(f"{path} {'is a folder' if path.is_dir() else 'does not exist'}; expected a table")
    encoding = _encoding(path)
    ways = [_Way(path, TableFormat(mark, False, quoted, encoding)) for mark, quoted in _WAYS]
    best = max(ways, key=lambda way: (way.width > 1, round(way.agreeing, 2), -way.strays))
    if best.width < 2:
        found = "has one column under every separator tried (comma, tab, semicolon, bar)"
        what = found if best.width else "is empty or unreadable"
        raise InputError(f"{path} {what}; expected at least a text and a label in each row")
    return replace(best.form, header=_has_header(best.rows))


class _Way:
    """A table's first records under one reading.

    width: of most of them; 0 where there are none. agreeing: share that is as wide, less a little where
    quotes around whole fields would stay. strays: quotes that enclose nothing.
    """

    def __init__(self, path: Path, form: TableFormat) -> None:
        self.form = form
        self.rows: list[tuple[str, ...]] = []
        self.width, self.agreeing, self.strays = 0, 0.0, 0
        try:
            table = Table(path, form)
            found = list(islice(table.rows(lambda fields: len(fields) == len(table.columns)), _RECORDS))
        except InputError:  # nothing to read under this reading
            return
        self.rows = [row.fields for row in found]
        self.strays = sum(row.stray for row in found)
        ((self.width, count),) = Counter(map(len, self.rows)).most_common(1)
        fields = [field for row in self.rows for field in row if field]
        around = sum(len(field) > 1 and field[0] == field[-1] == '"' for field in fields)
        enclosed = not form.quoted and around > 0.1 * len(fields)
        self.agreeing = count / len(self.rows) - 0.05 * enclosed


def _encoding(path: Path) -> str:
    """The first encoding in which the whole file can be read."""
    with path.open("rb") as file:
        start = file.read(4)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    for encoding in ("utf-8-sig", "gb18030", "cp1252"):
        with suppress(UnicodeDecodeError), path.open(encoding=encoding) as file:
            if all("\x00" not in block for block in iter(partial(file.read, _BLOCK), "")):
                return encoding
    raise InputError(f"{path} is neither UTF-8, GB18030 nor Windows-1252; convert it to UTF-8")


def _has_header(rows: list[tuple[str, ...]]) -> bool:
    """Whether the first row names the columns: names that are known, or unlike everything below them."""
    names, below = [field.strip() for field in rows[0]], rows[1:]
    if not below or any(map(_number, names)) or max(map(len, names)) > 60:
        return False
    if any(bare(name) in _KNOWN for name in names):
        return True
    if len(set(names)) < len(names):
        return False
    columns = [[row[i].strip() for row in below if i < len(row)] for i in range(len(names))]
    if any(column and sum(map(_number, column)) > 0.9 * len(column) for column in columns):
        return True
    means = [sum(map(len, column)) / max(len(column), 1) for column in columns]
    longest = means.index(max(means))
    recurs = any(name in column for name, column in zip(names, columns, strict=True))
    return not recurs and len(names[longest]) < 0.5 * means[longest]


def _number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _profile(path: Path, form: TableFormat) -> Profile:
    """A sorted file is sampled from end to end (Vitter's algorithm R)."""
    table = Table(path, form)
    chance = random.Random(_SEED)
    sample: list[tuple[str, ...]] = []
    rows = ragged = 0
    for row in table.rows():
        rows += 1
        if row.stray or len(row.fields) != len(table.columns):
            ragged += 1
        elif len(sample) < _SAMPLE:
            sample.append(row.fields)
        elif (place := chance.randrange(rows - ragged)) < _SAMPLE:
            sample[place] = row.fields
    columns = tuple(
        Column(name, tuple(stripped for row in sample if (stripped := row[i].strip())))
        for i, name in enumerate(table.columns)
    )
    return Profile(table, rows, ragged, columns, tuple(sample))
