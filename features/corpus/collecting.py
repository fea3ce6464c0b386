"""The usable rows of a source as columns of numbers, their texts on disk, rejected rows beside them."""

from __future__ import annotations

import json
import mmap
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, overload

import numpy as np
import numpy.typing as npt

from features.corpus.rows import Row
from features.corpus.splits import Units, name_digests, number_digests, renumber
from features.corpus.texts import StoredTexts, Strings


class Reject(NamedTuple):
    """A row that is not used: file, record number, first line, reason, and the start of its fields."""

    file: str
    number: int
    line: int
    reason: str
    excerpt: str

    def encoded(self) -> bytes:
        """As `Rejects` reads it back; half a surrogate pair, which no file can hold, becomes a mark."""
        return json.dumps(self, ensure_ascii=False).encode("utf-8", "replace")


class Rejects(Sequence[Reject]):
    """The rejected rows of a source, in the order they were read."""

    def __init__(self, records: Strings) -> None:
        self._records = records

    def __len__(self) -> int:
        """Number of rejected rows."""
        return len(self._records)

    @overload
    def __getitem__(self, index: int) -> Reject: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Reject, ...]: ...
    def __getitem__(self, index: int | slice) -> Reject | tuple[Reject, ...]:
        """One, or some."""
        if isinstance(index, slice):
            return tuple(Reject(*json.loads(record)) for record in self._records[index])
        return Reject(*json.loads(self._records[index]))

    def __iter__(self) -> Iterator[Reject]:
        """All in order."""
        return (Reject(*json.loads(record)) for record in self._records)


_BUFFER = 1 << 20


class Spool:
    """A nameless file that grows by strings; a context manager. It goes when the last `Strings` of it goes.

    folder: where it takes its room; None is the system's folder for such files, which may be memory.
    """

    def __init__(self, folder: Path | None) -> None:
        self._file = tempfile.TemporaryFile(buffering=_BUFFER, dir=folder)  # noqa: SIM115  (closed on exit)
        self._sizes = array("q")

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        """Number of strings."""
        return len(self._sizes)

    def add(self, encoded: Sequence[bytes]) -> None:
        """Append strings, as UTF-8."""
        self._file.write(b"".join(encoded))
        self._sizes.extend(map(len, encoded))

    def strings(self) -> Strings:
        """All strings so far, readable after the spool is closed."""
        self._file.flush()
        sizes = np.array(self._sizes, np.int64)
        end = np.cumsum(sizes, dtype=np.int64)
        if not len(end) or not end[-1]:
            return Strings(b"", end - sizes, end)
        mapped = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        return Strings(mapped, end - sizes, end)


@dataclass(frozen=True, eq=False)
class Rows:
    """N usable rows over U different texts and G groups.

    texts: U texts in order of first appearance. keys: (U,) what splits hash: a text, or text, NUL and pair.
    groups: G names. text: (N,) int64 into `texts`. label, number: (N,) int64.
    split: (N,) int8, -1 where none is given. group: (N,) int32 into `groups`, -1 for none.
    """

    texts: StoredTexts
    keys: Strings
    groups: Strings
    text: npt.NDArray[np.int64]
    label: npt.NDArray[np.int64]
    split: npt.NDArray[np.int8]
    number: npt.NDArray[np.int64]
    group: npt.NDArray[np.int32]

    def __len__(self) -> int:
        """Number of rows N."""
        return len(self.text)

    def take(self, rows: npt.NDArray[np.int64]) -> Rows:
        """Some of the rows, with the texts and groups that they use numbered anew by first appearance."""
        text, texts = renumber(self.text[rows])
        group = self.group[rows]
        has_group = group >= 0
        numbers, groups = renumber(group[has_group].astype(np.int64))
        group[has_group] = numbers
        return Rows(
            self.texts.select(texts), self.keys.select(texts), self.groups.select(groups), text,
            self.label[rows], self.split[rows], self.number[rows], group,
        )  # fmt: skip

    def by_text(self) -> Units:
        """Units in which equal texts are one."""
        return Units(self.text, self.keys)

    def by_group(self) -> Units:
        """Units in which a group is one; rows without a group are one with those of their text alone."""
        names = self.groups.followed_by(self.keys)
        code, kept = renumber(np.where(self.group >= 0, self.group, len(self.groups) + self.text))
        return Units(code, names.select(kept))


class Collector:
    """Takes rows some thousand at a time and keeps about 50 bytes of each in memory; a context manager.

    paired: whether every row has a pair. folder: where texts go, see `Spool`.
    """

    def __init__(self, paired: bool, folder: Path | None) -> None:
        self._spool = Spool(folder)
        self._paired = paired
        self._digests = bytearray()
        self._cut = array("q")
        self._label, self._split, self._number, self._group = array("q"), array("b"), array("q"), array("i")
        self._groups: dict[str, int] = {}

    def __enter__(self) -> Collector:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._spool.__exit__(kind, error, trace)

    def __len__(self) -> int:
        """Number of rows so far."""
        return len(self._number)

    def add(self, numbers: Sequence[int], rows: Sequence[Row]) -> None:
        """Append rows and their record numbers."""
        keys = [row.text.encode("utf-8") for row in rows]
        if self._paired:
            self._cut.extend(map(len, keys))
            pairs = [(row.pair or "").encode("utf-8") for row in rows]
            keys = [b"%b\x00%b" % parts for parts in zip(keys, pairs, strict=True)]
        self._spool.add(keys)
        self._digests += name_digests(keys)
        known = self._groups
        self._number.extend(numbers)
        self._label.extend([row.label for row in rows])
        self._split.extend([row.split for row in rows])
        self._group.extend(
            [-1 if row.group is None else known.setdefault(row.group, len(known)) for row in rows]
        )

    def rows(self) -> Rows:
        """All rows; the texts stay on disk."""
        self._spool.add([group.encode("utf-8") for group in self._groups])
        stored = self._spool.strings()
        text, first = number_digests(self._digests)
        keys = stored.select(first)
        cut = np.array(self._cut, np.int64)[first] if self._paired else None
        return Rows(
            texts=StoredTexts(keys) if cut is None else StoredTexts(*keys.cut(cut)),
            keys=keys,
            groups=stored.select(np.arange(len(text), len(stored))),
            text=text,
            label=np.array(self._label, np.int64),
            split=np.array(self._split, np.int8),
            number=np.array(self._number, np.int64),
            group=np.array(self._group, np.int32),
        )
