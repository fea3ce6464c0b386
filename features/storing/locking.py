"""One writer at a time: an exclusive lock on a folder that dies with the process that holds it."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from features.errors import InputError

LOCK = ".lock"
_HOLDER = ".lock.json"


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold a folder for writing; creates it.

    Raises:
        InputError: another process holds it, and which; or the folder cannot be written.
    """
    lock = FileLock(folder / LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(
            f"the store {folder} is being written by {_holder(folder)}; wait until it has finished, or stop "
            f"it, and run this again"
        ) from None
    except OSError as error:
        raise InputError(
            f"the store {folder} cannot be written ({error.strerror or error}); give it a folder that can, "
            f"for instance through the environment variable ENCODE_ONCE_STORE"
        ) from None
    try:
        with suppress(OSError):  # only tells others who it is; a full disk is reported where it matters
            (folder / _HOLDER).write_text(json.dumps({"pid": os.getpid(), "host": platform.node()}))
        yield
    finally:
        (folder / _HOLDER).unlink(missing_ok=True)
        lock.release()


def _holder(folder: Path) -> str:
    try:
        holder = json.loads((folder / _HOLDER).read_text())
        return f"process {holder['pid']} on {holder['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
