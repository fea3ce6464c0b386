"""Damage done to files on purpose."""

from __future__ import annotations

import os
from pathlib import Path


def flip_unseen(path: Path) -> None:
    """Flip a bit in the middle of a file and leave its times as they were, as a failing disk does."""
    times = path.stat()
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
