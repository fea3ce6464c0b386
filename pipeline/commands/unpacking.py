"""Unpacking archives that others made: nothing leaves the folder, and nothing swells without bound."""

from __future__ import annotations

import gzip
import shutil
import stat
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from features.errors import InputError

_BLOCK = 1 << 20
_RATIO_FREE = 1 << 24  # bytes below which the ratio does not matter: short texts compress well


@dataclass(frozen=True)
class Limits:
    """What an archive may unpack to: files, bytes in all, and bytes out for each byte in."""

    files: int = 10_000
    bytes: int = 20 * 2**30
    ratio: int = 200


def unpack(archive: Path, folder: Path, limits: Limits | None = None) -> bool:
    """Unpack a zip or gzip file into a folder; told by its first bytes, not by its name.

    Returns:
        Whether it was an archive at all.

    Raises:
        InputError: it is damaged, names a place outside the folder, or is larger than the limits allow.
    """
    allowed = limits or Limits()
    with archive.open("rb") as file:
        start = file.read(4)
    try:
        if start.startswith(b"PK\x03\x04"):
            _unzip(archive, folder, allowed)
        elif start.startswith(b"\x1f\x8b"):
            _gunzip(archive, folder, allowed)
        else:
            return False
    except (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise InputError(f"{archive.name} is damaged ({error}); remove it and fetch it again") from None
    except RuntimeError:  # zipfile's answer to a missing password
        raise InputError(f"{archive.name} is encrypted; unpack it by hand") from None
    return True


def _unzip(archive: Path, folder: Path, limits: Limits) -> None:
    with zipfile.ZipFile(archive) as contents:
        members = [member for member in contents.infolist() if not member.is_dir()]
        if len(members) > limits.files:
            raise InputError(
                f"{archive.name} holds {len(members):,} files, expected at most {limits.files:,}; "
                f"unpack it by hand"
            )
        # Sizes in the table of contents may lie: bytes are counted as they come.
        left = _allowance(archive, limits)
        for member in members:
            target = _place(folder, member, archive)
            target.parent.mkdir(parents=True, exist_ok=True)
            with contents.open(member) as source:
                left -= _copy(source, target, left, archive)


def _gunzip(archive: Path, folder: Path, limits: Limits) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with gzip.open(archive) as source:
        _copy(
            cast(IO[bytes], source),
            folder / archive.name.removesuffix(".gz"),
            _allowance(archive, limits),
            archive,
        )


def _allowance(archive: Path, limits: Limits) -> int:
    size = archive.stat().st_size
    return min(limits.bytes, max(limits.ratio * size, _RATIO_FREE), shutil.disk_usage(archive.parent).free)


def _place(folder: Path, member: zipfile.ZipInfo, archive: Path) -> Path:
    name = PurePosixPath(member.filename.replace("\\", "/"))
    mode = member.external_attr >> 16
    outside = name.is_absolute() or ".." in name.parts or ":" in name.parts[0]
    if outside or (mode and not stat.S_ISREG(mode) and stat.S_IFMT(mode)):
        raise InputError(
            f"{archive.name} holds {member.filename[:80]!r}, which is a link or leaves the folder; "
            f"nothing of it is used"
        )
    return folder / name


def _copy(source: IO[bytes], target: Path, left: int, archive: Path) -> int:
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
