"""How a cluster is used: read from the environment, since nothing of it may invalidate what is cached."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from features.errors import InputError

PREFIX = "ENCODE_ONCE_RAY_"


@dataclass(frozen=True)
class Settings:
    """What the run asks of a cluster.

    actors: encoders at once; 0 for as many as the cluster has room for.
    cpus: CPUs that Ray keeps for an actor; fractions below 1 share one.
    gpus: GPUs, or the fraction of one, that Ray keeps for an actor.
    threads: threads with which an actor encodes; 0 for its CPUs rounded down, at least one.
    collect: folder on each node's own disk to which its actors write, and from which the driver fetches;
        None where all nodes see the store.
    """

    actors: int = 0
    cpus: float = 1.0
    gpus: float = 0.0
    threads: int = 0
    collect: Path | None = None

    @property
    def threads_each(self) -> int:
        """Threads with which each actor encodes."""
        return self.threads or max(1, math.floor(self.cpus))

    @property
    def driver_precision(self) -> str:
        """What a CPU driver must load its copy as, so that both name their vectors alike."""
        return "float16" if self.gpus else "auto"


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from `ENCODE_ONCE_RAY_{ACTORS,CPUS,GPUS,THREADS,COLLECT}`.

    Raises:
        InputError: a value is no number, or out of range.
    """
    collect = environment.get(PREFIX + "COLLECT", "")
    if collect and not Path(collect).is_absolute():
        raise InputError(
            f"{PREFIX}COLLECT is `{collect}`; expected an absolute path, a folder on each node's own disk"
        )
    settings = Settings(
        actors=int(_number(environment, "ACTORS", 0, whole=True)),
        cpus=_number(environment, "CPUS", 1.0),
        gpus=_number(environment, "GPUS", 0.0),
        threads=int(_number(environment, "THREADS", 0, whole=True)),
        collect=Path(collect) if collect else None,
    )
    # Ray itself takes fractions of one device or whole devices, nothing between.
    if settings.gpus > 1 and settings.gpus != int(settings.gpus):
        raise InputError(f"{PREFIX}GPUS is {settings.gpus}; expected a fraction below 1 or a whole number")
    return settings


def _number(environment: Mapping[str, str], name: str, default: float, *, whole: bool = False) -> float:
    said = environment.get(PREFIX + name, "")
    if not said:
        return default
    try:
        value = float(int(said)) if whole else float(said)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        kind = "a whole number" if whole else "a number"
        raise InputError(f"{PREFIX}{name} is `{said}`; expected {kind}, 0 or more")
    return value
