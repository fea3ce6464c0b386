"""A table nobody has described: how it is written, and what stands in its columns."""

from __future__ import annotations

import codecs
import random
import re
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from features.corpus.tables import Table, TableFormat
from features.errors import InputError

# Each list in order of preference; compared in lower case without spaces, dots, hyphens and underscores.
TEXTS = (
    "text", "review", "reviewtext", "comment", "content", "sentence", "phrase", "statement", "tweet", "body",
    "message", "document", "article", "question", "description", "评论", "评论内容", "内容", "文本", "正文",
)  # fmt: skip
LABELS = (
    "label", "sentiment", "star", "stars", "rating", "score", "class", "target", "emotion", "category",
    "polarity", "overall", "grade", "topic", "intent", "标签", "评分", "星级", "情感", "类别", "分类",
)  # fmt: skip
RATINGS = ("star", "stars", "rating", "score", "overall", "grade", "评分", "星级", "sentiment")
GROUPS = (
    "sentenceid", "movienamecn", "movie", "moviename", "movienameen", "movietitle", "movieid", "film",
    "product", "productid", "productname", "item", "itemid", "asin", "book", "hotel", "restaurant",
    "business", "businessid", "shop", "brand", "author", "user", "userid", "username", "cat", "电影",
    "电影名", "商品", "店铺", "用户",
)  # fmt: skip
SPLITS = ("split", "part", "partition", "set", "subset", "fold", "datasplit")
SPLIT_NAMES = {
    "train": "train", "training": "train",
    "dev": "validation", "valid": "validation", "val": "validation", "validation": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip
PAIRS = (
    ("title", "text"), ("title", "body"), ("title", "content"), ("title", "article"), ("headline", "body"),
    ("premise", "hypothesis"), ("sentence1", "sentence2"), ("question1", "question2"), ("标题", "内容"),
    ("标题", "正文"), ("summary", "text"),
)  # fmt: skip

_SIGNS = re.compile(r"[\s_.\-]+")


def bare(name: str) -> str:
    """A name as it is compared.

    >>> bare("Movie_Name CN")
    'movienamecn'
    """
    return _SIGNS.sub("", name.strip().lower())


KNOWN = frozenset({*TEXTS, *LABELS, *GROUPS, *SPLITS, *(name for pair in PAIRS for name in pair), "id"})


# Commas last: texts are full of them, so that another mark that fits as well is the likelier one.
_SEPARATORS = ("\t", ";", "|", ",")
_RECORDS = 2000  # read for separator, quotes and header
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Written:
    """How a file is written, and the first records under that reading.

    form: what `features.corpus.tables.Table` takes. agreeing: share of the records as wide as most are.
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
