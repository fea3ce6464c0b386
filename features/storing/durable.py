"""Files named by their content: whole or not there, and known to be untouched without being read again.

A file whose bytes were checked carries a seal, a fixed time of modification. Whatever writes to it breaks the
seal, and so does a copy that does not keep times; then the file is read in full once more.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from pathlib import Path

from features.storing.manifest import digest_bytes

PARTIAL = ".partial"
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

    Decay of the disk itself does not show here: `python -m pipeline.store verify` reads everything.
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


def _sync_folder(folder: Path) -> None:
    """Make a rename durable; systems that cannot open folders do so by themselves."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
