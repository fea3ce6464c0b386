"""How much memory cached tokens may take: what decides between random access and streaming."""

from __future__ import annotations

import os
import re
from pathlib import Path

from features.errors import InputError

VARIABLE = "ENCODE_ONCE_MEMORY"
_SHARE = 0.5  # of what is free: the head, its gradients and the rest of the machine need some as well
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def token_memory() -> int:
    """Bytes that tokens may take: ENCODE_ONCE_MEMORY (such as 8GB), else half of what is free now.

    Memory that only caches files counts as free; a container's own limit counts where it is lower.

    Raises:
        InputError: the variable is set and is no size.
    """
    given = os.environ.get(VARIABLE, "")
    if not given:
        return int(_SHARE * min(_free(), _free_in_container()))
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)B?", given.strip().upper())
    if match is None or (size := int(float(match[1]) * _UNITS[match[2]])) < 1:
        raise InputError(
            f"{VARIABLE} is {given!r}; expected a size such as 500MB or 8GB: set it so, or unset it"
        )
    return size


def _free() -> int:
    try:
        table = Path("/proc/meminfo").read_text("ascii")
    except OSError:  # not Linux
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    found = re.search(r"^MemAvailable:\s+(\d+) kB", table, re.MULTILINE)
    return int(found[1]) * 1024 if found else os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")


def _free_in_container(folder: Path = Path("/sys/fs/cgroup")) -> float:
    """What a control group (version 2) still allows; infinite where there is none or it sets no limit."""
    try:
        limit = (folder / "memory.max").read_text("ascii").strip()
        used = int((folder / "memory.current").read_text("ascii"))
        cached = re.search(r"^file (\d+)", (folder / "memory.stat").read_text("ascii"), re.MULTILINE)
    except (OSError, ValueError):
        return float("inf")
    if not limit.isdigit():
        return float("inf")
    return max(0, int(limit) - used + (int(cached[1]) if cached else 0))
