"""What actors and the driver tell each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class Place(NamedTuple):
    """Where an actor writes its shards.

    folder: the store's folder of this manifest, or of a node's own disk, for all its actors.
    token: what the store's file `MARK` holds during this run; None where shards are collected.
    """

    folder: Path
    token: str | None


class Written(NamedTuple):
    """A shard that is whole: its name and size in bytes."""

    name: str
    size: int


@dataclass(frozen=True)
class Report:
    """An actor's answer.

    node: host name of its machine.
    texts, tokens: encoded by this call.
    seconds: that it took, waiting left out.
    cpu_seconds: CPU time of the actor's process so far, since its encoder was loaded.
    shards: finished since the last report, or found on the node's disk from an actor that is no more.
    peak_memory: most bytes that the actor's process has held at once so far.
    problem: why the actor can go on no further; empty where it can.
    """

    node: str
    texts: int = 0
    tokens: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    shards: tuple[Written, ...] = ()
    peak_memory: int = 0
    problem: str = ""


@dataclass(frozen=True)
class ActorSummary:
    """One actor's part in a run: see `Report` for the fields; failures: how often its process went."""

    number: int
    node: str
    texts: int
    tokens: int
    seconds: float
    cpu_seconds: float
    peak_memory: int
    failures: int


@dataclass(frozen=True)
class ClusterSummary:
    """What a cluster did.

    actors: all that ever took part.
    tokens: of the texts that came to the store.
    retried: one line for each loss: who, how many texts, why.
    """

    actors: tuple[ActorSummary, ...]
    tokens: int
    retried: tuple[str, ...]

    @property
    def peak_memory(self) -> int:
        """Most bytes that any actor held."""
        return max((actor.peak_memory for actor in self.actors), default=0)


@dataclass(frozen=True)
class State:
    """Where a run stands.

    done, total: new texts encoded, and all.
    actors: those at work.
    rate: tokens a second of an actor, on average.
    left: seconds to go, as estimated; None while nothing is known.
    """

    done: int
    total: int
    actors: int
    rate: float
    left: float | None
