"""What an extraction will take, before it starts: tokens, bytes on the disk, time."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from features.encoded import Text
from features.errors import InputError
from features.storing.manifest import Manifest
from features.storing.shards import columns

if TYPE_CHECKING:
    from features.storing.extraction import Encoder

_SAMPLE = 4096
_RESERVE = 64 * 2**20  # the index, and room for the system to breathe


@dataclass(frozen=True)
class Size:
    """Expected size of new vectors: texts, tokens (special tokens included) and bytes at rest."""

    texts: int
    tokens: int
    bytes: int


def estimate(encoder: Encoder, texts: Sequence[Text], manifest: Manifest) -> Size:
    """Size of the vectors of texts, from the lengths of up to 4,096 of them, evenly spread."""
    chosen = np.unique(np.linspace(0, len(texts) - 1, min(_SAMPLE, len(texts))).astype(np.int64))
    lengths = encoder.tokenize([texts[i] for i in chosen]).lengths
    tokens = round(float(lengths.mean()) * len(texts))
    per_text, per_token = entry_bytes(manifest)
    return Size(len(texts), tokens, per_text * len(texts) + per_token * tokens)


def entry_bytes(manifest: Manifest) -> tuple[int, int]:
    """Bytes at rest of one text without its tokens, and of one token."""
    sizes = {True: 0, False: 0}
    for column in columns(manifest):
        sizes[column.per_token] += column.dtype.itemsize * int(np.prod(column.shape))
    return sizes[False], sizes[True]


def check_space(folder: Path, size: Size) -> None:
    """Refuse what the disk cannot hold.

    Raises:
        InputError: says what is needed and what is free.
    """
    free = shutil.disk_usage(folder).free
    needed = size.bytes + _RESERVE
    if needed > free:
        raise InputError(
            f"{size.texts:,} new texts need about {readable_bytes(needed)} in {folder}, but only "
            f"{readable_bytes(free)} are free; free some space, move the store (ENCODE_ONCE_STORE), or keep "
            f"tokens in 8 bits (`tokens: int8`) or pooled vectors only (`tokens: false`)"
        )


def readable_bytes(count: float) -> str:
    """Bytes in decimal units, as disks are sold."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def readable_time(seconds: float) -> str:
    """A duration in the unit that a person would choose."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
