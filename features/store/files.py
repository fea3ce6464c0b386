"""Files named by their content, whole or not there, and the exclusive lock of their one writer."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from features.errors import InputError
from features.store.identity import digest_bytes

PARTIAL = ".partial"
LOCK = ".lock"
_HOLDER = ".lock.json"
# 2001-09-09, one billion seconds: no write of today can happen to set it.
_SEAL_NS = 10**9 * 10**9


def write_named(folder: Path, content: bytes, suffix: str) -> Path:
    """Write a read-only, sealed file, named by the BLAKE2b-128 digest of its content; see `write_whole`."""
    path = folder / (digest_bytes(content) + suffix)
    write_whole(path, content, seal=True)
    return path


def write_whole(path: Path, content: bytes, *, seal: bool = False) -> None:
    """Write a file that is on the disk and whole, or not there, whatever happens meanwhile.

    Args:
        path: where.
        content: what.
        seal: for names that follow from the content. Others must not have one: DVC takes two files of equal
            path, size and time for the same.

    Raises:
        OSError: the disk is full or cannot be written; nothing is left behind.
    """
    # Its own name for each writer: two nodes may write the same content at the same time.
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if seal:
            partial.chmod(0o444)
            os.utime(partial, ns=(_SEAL_NS, _SEAL_NS))
        partial.replace(path)
        _sync_folder(path.parent)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def is_sealed(path: Path) -> bool:
    """Whether nothing has written to a file since its content was checked.

    Decay of the disk itself does not show here: `python -m pipeline store verify` reads everything.
    """
    return path.stat().st_mtime_ns == _SEAL_NS


def verify(path: Path) -> bool:
    """Read a file from start to end; sealed, and true, if its content is what its name says."""
    with path.open("rb", buffering=0) as file:
        digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    if digest != path.stem:
        return False
    with contextlib.suppress(OSError):  # of another owner, perhaps: then it is read again next time
        os.utime(path, ns=(_SEAL_NS, _SEAL_NS))
    return True


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
            f"the store {folder} is being written by {holder(folder)}; wait until it has finished, or stop "
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


def holder(folder: Path) -> str:
    """Who holds a folder with `exclusive`, in words; `another process` where that is not known."""
    try:
        found = json.loads((folder / _HOLDER).read_text())
        return f"process {found['pid']} on {found['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def _sync_folder(folder: Path) -> None:
    """Make a rename durable; systems that cannot open folders do so by themselves."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
