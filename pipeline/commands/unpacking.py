"""Unpacking archives that others made: only what is asked for comes out, and nothing swells without bound."""

from __future__ import annotations

import gzip
import shutil
import zipfile
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import IO, cast

from features.errors import InputError

LARGEST = 20 * 2**30  # bytes of all files of an archive
_RATIO = 200  # bytes out for each byte in
_RATIO_FREE = 1 << 24  # bytes below which the ratio does not matter: short texts compress well
_BLOCK = 1 << 20


def unpack(archive: Path, folder: Path, names: Collection[str], within: str | None = None) -> bool:
    """Take files out of a zip or gzip archive, which is told by its first bytes, not by its name.

    Args:
        archive: the file.
        folder: where they go under their bare names, so that no path inside an archive can lead elsewhere.
        names: which files are wanted; of several of one name the least deep is taken.
        within: a folder inside the archive, where it holds several files of one name.

    Returns:
        Whether it was an archive at all.

    Raises:
        InputError: it is damaged or encrypted, or unpacks to more than its size or the disk allows.
    """
    with archive.open("rb") as file:
        start = file.read(4)
    if not start.startswith((b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b")):
        return False
    folder.mkdir(parents=True, exist_ok=True)
    size = archive.stat().st_size
    left = min(LARGEST, max(_RATIO * size, _RATIO_FREE), shutil.disk_usage(folder).free)
    try:
        if start.startswith(b"PK"):
            with zipfile.ZipFile(archive) as contents:
                for member in _wanted(contents, names, within):
                    with contents.open(member) as source:
                        left -= _copy(source, folder / PurePosixPath(member.filename).name, left, archive)
        else:
            with gzip.open(archive) as source:
                _copy(cast(IO[bytes], source), folder / archive.name.removesuffix(".gz"), left, archive)
    except InputError:
        raise
    except Exception as error:  # every library below has errors of its own
        what = "encrypted" if "password" in str(error) else f"damaged ({type(error).__name__}: {error})"
        raise InputError(f"{archive.name} is {what}; fetch it again, or unpack it by hand") from None
    return True


def _wanted(contents: zipfile.ZipFile, names: Collection[str], within: str | None) -> list[zipfile.ZipInfo]:
    """The members that are wanted, one a name."""
    found: dict[str, zipfile.ZipInfo] = {}
    files = [(PurePosixPath(file.filename), file) for file in contents.infolist() if not file.is_dir()]
    for path, file in sorted(files, key=lambda item: len(item[0].parts)):
        if path.name in names and (within is None or within in path.parts[:-1]):
            found.setdefault(path.name, file)
    return list(found.values())


def _copy(source: IO[bytes], target: Path, left: int, archive: Path) -> int:
    """Copy up to `left` bytes, counted as they come: sizes in an archive's table of contents may lie."""
    written = 0
    with target.open("wb") as file:
        while block := source.read(_BLOCK):
            written += len(block)
            if written > left:
                raise InputError(
                    f"{archive.name} unpacks to more than its size or the disk allows; nothing of it is "
                    f"used: check where it comes from, and unpack it by hand if it is right"
                )
            file.write(block)
    return written
