"""Strings set down on disk while a table is read, and found again as `Strings`."""

from __future__ import annotations

import mmap
import tempfile
from array import array
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np

from features.strings import Strings

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
