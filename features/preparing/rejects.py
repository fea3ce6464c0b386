"""Rows that cannot be used, each with the reason, kept on disk: a file may hold nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple, overload

from features.strings import Strings


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
