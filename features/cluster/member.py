"""One actor as the driver sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from features.cluster.ledger import Ledger
from features.cluster.plan import Chunk
from features.cluster.reports import ActorSummary, Report
from features.corpus.texts import Text

# One chunk is encoded, the next one waits beside it: an actor is never idle, and memory stays bounded.
AHEAD = 2
# Shards on a node's disk that the driver has not fetched yet; beyond that the actor gets no more work.
UNCOLLECTED = 3
_IO = "io"


class Task(NamedTuple):
    """A call that an actor has not answered yet."""

    kind: Literal["start", "encode", "flush"]
    chunk: Chunk | None = None


@dataclass(eq=False)
class Member:
    """An actor, what it was given and what it said.

    expected: what its encoder is held against whenever it starts, in Ray's object store.
    status: `away` while its process is started or started again, `ready`, `leaving` once it can go on no
        further but still has shards to collect, `gone`.
    pending: calls under way.
    held: chunks that were given to it and are not wholly in the store.
    undelivered: texts that it encoded and no shard has brought yet.
    uncollected: shards on its node's disk that the driver has not fetched.
    dirty: whether it may hold encoded texts that no shard has.
    failures: how often its process went, or could not be reached.
    again: time (`time.monotonic`) before which it is not asked to start once more.
    """

    number: int
    ray: ModuleType
    handle: Any
    expected: Any = None
    status: Literal["away", "ready", "leaving", "gone"] = "away"
    node: str = ""
    pending: dict[Any, Task] = field(default_factory=dict)
    held: list[Chunk] = field(default_factory=list)
    undelivered: int = 0
    uncollected: set[str] = field(default_factory=set)
    dirty: bool = False
    texts: int = 0
    tokens: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory: int = 0
    failures: int = 0
    again: float = 0.0

    @property
    def rate(self) -> float:
        """Tokens a second while it was at work; 0 before its first report."""
        return self.tokens / self.seconds if self.seconds else 0.0

    @property
    def wants_work(self) -> bool:
        """Whether another chunk may be sent."""
        return self.status == "ready" and len(self.pending) < AHEAD and len(self.uncollected) < UNCOLLECTED

    @property
    def idle(self) -> bool:
        """Whether everything it was given was answered and nothing is on its way."""
        return self.status == "ready" and not self.pending and not self.uncollected

    def start(self) -> None:
        """Ask it to load its encoder; answered once Ray has found it a place."""
        self.pending[self.handle.start.remote(self.expected)] = Task("start")

    def encode(self, chunk: Chunk, texts: tuple[Text, ...], digests: npt.NDArray[np.uint8]) -> None:
        """Send a chunk; its texts stay in Ray's object store only until it is answered."""
        self.pending[self.handle.encode.remote(texts, digests)] = Task("encode", chunk)
        self.held.append(chunk)
        self.dirty = True

    def flush(self) -> None:
        """Ask it to write what it has."""
        self.pending[self.handle.flush.remote()] = Task("flush")
        self.dirty = False

    def stop(self) -> None:
        """Ask it to end its chunk early."""
        self._beside("stop").remote()

    def fetch(self, name: str, start: int, size: int) -> bytes:
        """Bytes of a shard on its node's disk."""
        content: bytes = self.ray.get(self._beside("piece").remote(name, start, size))
        return content

    def forget(self, name: str) -> None:
        """Let it remove a shard that the driver has."""
        self._beside("discard").remote(name)

    def note(self, report: Report) -> None:
        """Add a report to its account."""
        self.node = report.node
        self.texts += report.texts
        self.tokens += report.tokens
        self.undelivered += report.texts
        self.seconds += report.seconds
        self.cpu_seconds = max(self.cpu_seconds, report.cpu_seconds)
        self.peak_memory = max(self.peak_memory, report.peak_memory)

    def settle(self, brought: int, ledger: Ledger) -> None:
        """Its shards brought texts to the store: forget the chunks that are wholly there."""
        self.undelivered = max(0, self.undelivered - brought)
        self.held = [chunk for chunk in self.held if len(ledger.missing(chunk.positions))]

    def give_up(self) -> list[Chunk]:
        """Its process is no more: what it held."""
        held, self.held = self.held, []
        self.pending.clear()
        self.uncollected.clear()
        self.undelivered = 0
        self.dirty = False
        self.failures += 1
        return held

    def kill(self) -> None:
        """End its process, and do not start it again."""
        self.status = "gone"
        self.ray.kill(self.handle, no_restart=True)

    def summary(self) -> ActorSummary:
        """Its part in the run."""
        return ActorSummary(
            number=self.number,
            node=self.node,
            texts=self.texts,
            tokens=self.tokens,
            seconds=self.seconds,
            cpu_seconds=self.cpu_seconds,
            peak_memory=self.peak_memory,
            failures=self.failures,
        )

    def _beside(self, method: str) -> Any:
        """A method that is answered while the actor encodes."""
        return getattr(self.handle, method).options(concurrency_group=_IO)


def actor_class(ray: ModuleType, cls: type, cpus: float, gpus: float) -> Any:
    """A class as Ray's, started again as often as its node or process is lost, over all nodes alike."""
    wrapped: Any = ray.remote(
        num_cpus=cpus,
        num_gpus=gpus,
        max_restarts=-1,
        max_task_retries=0,  # the driver hands lost chunks to whoever is free
        scheduling_strategy="SPREAD",
        concurrency_groups={_IO: 1},
    )(cls)
    return wrapped
