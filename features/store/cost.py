"""What encoding takes: a forecast of it, and an account of what it really took, kept beside the vectors.

A run that finds all texts in the store measures nothing. So each shard leaves a line in the store when it is
taken in, and what is reported is the sum of those lines: runs that were killed count as well.

    store/<manifest key>/encoding.jsonl
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from features.errors import InputError
from features.store.identity import Manifest
from features.store.shards import columns

COSTS = "encoding.jsonl"
_RESERVE = 64 * 2**20  # the index, and room for the system to breathe


@dataclass(frozen=True)
class Size:
    """Expected size of new vectors: texts, tokens (special tokens included) and bytes at rest."""

    texts: int
    tokens: int
    bytes: int

    @classmethod
    def of(cls, texts: int, tokens: int, manifest: Manifest) -> Size:
        """Size of so many texts and tokens as a manifest's shards keep them."""
        per_text, per_token = entry_bytes(manifest)
        return cls(texts, tokens, per_text * texts + per_token * tokens)


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


@dataclass(frozen=True)
class EncodeCost:
    """What encoding with one encoder took, whatever the corpus: one line of the account, or their sum.

    texts, tokens: encoded.
    seconds: wall-clock time of all runs up to the last shard of each, the device's check included.
    machines: what they ran on, each once.
    """

    texts: int = 0
    tokens: int = 0
    seconds: float = 0.0
    machines: tuple[str, ...] = ()

    @property
    def rate(self) -> float | None:
        """Tokens a second; None where no run was timed."""
        return self.tokens / self.seconds if self.tokens and self.seconds > 0 else None

    def seconds_for(self, tokens: int) -> float | None:
        """What so many tokens take at that rate."""
        return tokens / self.rate if self.rate else None


def note_encoding(folder: Path, cost: EncodeCost) -> None:
    """Add a line to the account of `store/<key>`.

    Raises:
        OSError: the disk is full or cannot be written.
    """
    with (folder / COSTS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(cost)) + "\n")


def encode_cost(folder: Path) -> EncodeCost:
    """The sum of an account; a line that a kill cut short is left out."""
    try:
        lines = (folder / COSTS).read_text("utf-8").splitlines()
    except FileNotFoundError:
        return EncodeCost()
    noted = [cost for line in lines if (cost := _parse(line)) is not None]
    return EncodeCost(
        texts=sum(cost.texts for cost in noted),
        tokens=sum(cost.tokens for cost in noted),
        seconds=sum(cost.seconds for cost in noted),
        machines=tuple(dict.fromkeys(machine for cost in noted for machine in cost.machines)),
    )


def describe_machine(device: str) -> str:
    """A device in words: how many threads of a CPU, which GPU."""
    import torch

    if device.startswith("cuda"):
        return str(torch.cuda.get_device_name(device))
    threads = torch.get_num_threads()
    return f"{device}, {threads} thread{'s' if threads != 1 else ''}"


def _parse(line: str) -> EncodeCost | None:
    try:
        data = json.loads(line)
        return EncodeCost(
            int(data["texts"]), int(data["tokens"]), float(data["seconds"]), tuple(map(str, data["machines"]))
        )
    except (ValueError, KeyError, TypeError):
        return None
