"""The engine that encodes on a Ray cluster: actors write shards into the shared store, the driver counts.

Ray places actors and starts lost ones again. A chunk of texts is one call of an actor and one shard, and is
done once the driver has read the shard. What was lost is handed out again, which is harmless even where its
shard turns up after all: a text in two shards is read from one (`Store.locate`).
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field, NonNegativeFloat, NonNegativeInt, ValidationError

from features.cluster.actor import EncodingActor, Outcome, load_proven
from features.corpus.texts import StoredTexts, Text
from features.encoder.encoder import Encoder, EncoderSpec
from features.encoder.parity import expected_vectors
from features.errors import InputError
from features.store.cost import Size, check_space, readable_time
from features.store.extraction import TextEncoder, Work, forecast
from features.store.files import holder
from features.store.shards import SHARDS, SUFFIX

AHEAD = 2  # one chunk is encoded, the next one waits beside it: no actor is idle, and memory stays bounded
TRIES = 4  # so often may a text's actor be lost before the text is suspected
SAMPLE = 4096  # texts
SMALLEST = 2048  # tokens of a chunk; less keeps no encoder busy
UNKNOWN = 0.2  # an actor's speed before its first report, over the mean
_PREFIX = "ENCODE_ONCE_RAY_"
_PASSED_ON = ("ENCODE_ONCE_DEVICE", "ENCODE_ONCE_PRECISION", "HF_HOME", "HF_HUB_OFFLINE")  # Ray does not


class Settings(BaseModel, frozen=True, allow_inf_nan=False):
    """What is asked of a cluster; of the environment, since nothing of it may make what is cached stale.

    actors: encoders at once; 0 for as many as there is room for.
    cpus, gpus: that Ray keeps for an actor; fractions below 1 share one.
    threads: with which an actor encodes; 0 for its CPUs rounded down, at least one.
    """

    actors: NonNegativeInt = 0
    cpus: NonNegativeFloat = 1.0
    gpus: NonNegativeInt | Annotated[float, Field(ge=0, le=1)] = 0  # Ray takes nothing between
    threads: NonNegativeInt = 0

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Settings from `ENCODE_ONCE_RAY_{ACTORS,CPUS,GPUS,THREADS}`.

        Raises:
            InputError: a value is no number, or out of range.
        """
        given = {name: said for name in cls.model_fields if (said := environment.get(_PREFIX + name.upper()))}
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            wrong = error.errors()[-1]
            name = f"{_PREFIX}{wrong['loc'][0]}".upper()
            raise InputError(f"{name} is `{wrong['input']}`; {wrong['msg'].lower()}") from None


def load_cluster_engine(spec: EncoderSpec) -> tuple[Encoder, ClusterEngine]:
    """The driver's encoder, which only counts tokens and says what the vectors are, and a cluster's engine.

    Raises:
        InputError: a setting is wrong, or the encoder cannot be loaded.
    """
    settings = Settings.read()
    precision = "float16" if settings.gpus else "auto"  # as the actors name theirs
    encoder = Encoder.load(spec, device="cpu", precision=precision)
    threads = settings.threads or int(settings.cpus) or 1
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    build = partial(load_proven, spec, encoder.manifest, Path.cwd(), threads, passed_on)
    return encoder, ClusterEngine(build, lambda: expected_vectors(encoder), settings)


@dataclass(frozen=True)
class ClusterEngine:
    """Encodes new texts with actors; the driver alone holds the store and publishes.

    build: makes an actor's encoder where it is called, and holds it against what `expect` gave the driver.
    """

    build: Callable[[Any], TextEncoder]
    expect: Callable[[], object]
    settings: Settings

    def __call__(self, work: Work) -> None:
        """Encode the new texts of a corpus.

        Raises:
            InputError: Ray is missing or cannot be reached, the disk is too small, no actor can go on, or the
                same texts were lost again and again.
        """
        with _connected() as ray:
            there, cpus, gpus = ray.cluster_resources(), self.settings.cpus, self.settings.gpus
            room = [there.get(name, 0) / each for name, each in (("CPU", cpus), ("GPU", gpus)) if each]
            count = self.settings.actors or max(1, int(min(room, default=1)))
            work.store.machine = f"Ray, {count} actors of {cpus:g} CPUs and {gpus:g} GPUs"
            # Room for one more call at a time, so that `stop` is heard; lost calls go to whoever is free.
            actor = ray.remote(max_restarts=20, max_concurrency=AHEAD + 1)(EncodingActor).options(
                num_cpus=cpus, num_gpus=gpus, scheduling_strategy="SPREAD"
            )
            store = work.store.folder.resolve()
            given = self.build, work.store.manifest, store, holder(store)
            members = [_Member(number, actor.remote(*given)) for number in range(1, count + 1)]
            _Run(ray, work, members, ray.put(self.expect())).encode()


class Chunk(NamedTuple):
    """Positions of texts, (n,) int64, and which time they are handed out."""

    positions: npt.NDArray[np.int64]
    tries: int = 1


class Queue:
    """Texts that no actor has: those that were lost, then the longest of every 65,536 first.

    So texts of equal length meet, which attention without padding is fastest with.

    tokens: (n,) int32, of each text. largest: tokens of a chunk at most, but for a single text; a shard's.
    """

    def __init__(self, tokens: npt.NDArray[np.int32], largest: int) -> None:
        self._order = np.lexsort((-tokens.astype(np.int64), np.arange(len(tokens)) // 2**16)).astype(np.int64)
        self._ends = np.cumsum(tokens[self._order], dtype=np.int64)
        self._largest, self._first = largest, 0
        self.lost: deque[Chunk] = deque()

    def __bool__(self) -> bool:
        return bool(self.lost) or self._first < len(self._order)

    def take(self, share: float) -> Chunk:
        """The next chunk for an actor with that share of all actors' speed; at least one text."""
        if self.lost:
            return self.lost.popleft()
        first, start = self._first, int(self._ends[self._first - 1]) if self._first else 0
        end = start + chunk_tokens(int(self._ends[-1]) - start, share, self._largest)
        self._first = max(int(np.searchsorted(self._ends, end, side="right")), first + 1)
        return Chunk(self._order[first : self._first])


def chunk_tokens(left: int, share: float, largest: int) -> int:
    """Half an actor's share of what is left: guided self-scheduling, Polychronopoulos and Kuck (1987)."""
    return min(largest, max(SMALLEST, round(left * share / 2)))


@dataclass(eq=False)
class _Member:
    """An actor as the driver sees it.

    ready: whether its encoder is loaded and proven. gone: whether it is lost for good.
    pending: calls that it has not answered, and their chunks; None for a start.
    """

    number: int
    handle: Any
    node: str = "an unknown node"
    ready: bool = False
    gone: bool = False
    pending: dict[Any, Chunk | None] = field(default_factory=dict)
    tokens: int = 0
    seconds: float = 0.0


@dataclass(eq=False)
class _Run:
    """One extraction by actors that exist already; `expected` is what their encoders are held against."""

    ray: Any
    work: Work
    members: list[_Member]
    expected: Any
    done: int = 0
    losses: int = 0

    def encode(self) -> None:
        """Encode everything; the plan is made while actors load their encoders."""
        started, work = time.monotonic(), self.work
        for member in self.members:
            self._start(member)
        tokens = estimate_tokens(work.texts, work.new, lambda texts: work.encoder.tokenize(texts).lengths)
        size = Size.of(len(tokens), int(tokens.sum(dtype=np.int64)), work.store.manifest)
        check_space(work.store.folder, size)
        shard_tokens = max(1, round(size.tokens * work.shard_bytes / max(size.bytes, 1)))
        self.tokens, self.queue = size.tokens, Queue(tokens, shard_tokens)
        work.report(f"{forecast(work, size)}, for {len(self.members)} actors")
        try:
            while self.done < len(work.new):
                self._hand_out()
                self._listen()
                work.progress(self.done, len(work.new), self._describe())
        except BaseException:
            self._save_what_is_done()
            raise
        took = readable_time(time.monotonic() - started)
        rate, losses = f"{self._rate():,.0f} tokens/s each", self.losses or "none"
        work.report(f"{len(self.members)} actors took {took}, {rate}; losses: {losses}")

    def _start(self, member: _Member) -> None:
        # Ray repeats this one call until the actor is up again: its failure means that it never will be.
        call = member.handle.start.options(max_task_retries=-1)
        member.pending[call.remote(self.expected)] = None

    def _hand_out(self) -> None:
        """Each actor gets one chunk before any gets its second."""
        for ahead in range(AHEAD):
            for member in self.members:
                if member.ready and len(member.pending) == ahead and self.queue:
                    speed = member.tokens / member.seconds / self._rate() if member.seconds else UNKNOWN
                    chunk = self.queue.take(speed / sum(not each.gone for each in self.members))
                    chosen = self.work.new[chunk.positions]
                    texts = tuple(self.work.texts[i] for i in chosen)
                    member.pending[member.handle.encode.remote(texts, self.work.digests[chosen])] = chunk

    def _listen(self) -> None:
        """Take in whatever was answered; the first answer ends the wait."""
        owners = {ref: member for member in self.members for ref in member.pending}
        self.ray.wait(list(owners), timeout=0.5, fetch_local=False)
        answered, _ = self.ray.wait(list(owners), num_returns=len(owners), timeout=0, fetch_local=False)
        for ref in answered:
            member = owners[ref]
            if ref not in member.pending:  # an earlier answer said that the actor was lost
                continue
            try:
                report: Outcome = self.ray.get(ref)
            except self.ray.exceptions.RayError as error:
                self._lose(member, member.pending[ref] is None, error)
                continue
            del member.pending[ref]
            member.node, member.ready = report.node, True
            member.tokens, member.seconds = member.tokens + report.tokens, member.seconds + report.seconds
            if report.shard:
                path = self.work.store.folder / SHARDS / (report.shard + SUFFIX)
                latest = time.monotonic() + 60  # a network file system may show another node's file late
                while not path.exists() and time.monotonic() < latest:
                    time.sleep(0.1)
                self.work.store.admit(path)
            self.done += report.texts

    def _lose(self, member: _Member, starting: bool, error: Any) -> None:
        """Let others have what an actor had; start it again unless it says why it can go on no further."""
        cause = getattr(error, "cause", None)
        if cause is not None and not isinstance(cause, InputError):
            raise cause from error  # a defect: it keeps its traceback
        lost = [chunk for chunk in member.pending.values() if chunk is not None]
        member.pending.clear()
        member.ready, member.gone = False, starting or cause is not None
        self.losses += bool(lost)
        texts = sum(len(chunk.positions) for chunk in lost)
        why = f"stops: {cause}" if cause else "was lost, its process or its node ended"
        self.work.report(f"{texts:,} texts go to others: actor {member.number} on {member.node} {why}")
        if not member.gone:
            self._start(member)
        elif all(each.gone for each in self.members):
            raise InputError(f"no actor is left to encode with: {cause or str(error)[-200:]}")
        for chunk in lost:
            if chunk.tries == TRIES:
                first = self.work.texts[self.work.new[chunk.positions[0]]].joined
                raise InputError(
                    f"{len(chunk.positions)} texts were lost {TRIES} times with the actor that had them, the "
                    f"first is {first[:60]!r}; the others are kept: give actors more memory, or look at these"
                )
            self.queue.lost.append(chunk._replace(tries=chunk.tries + 1))

    def _rate(self) -> float:
        """Tokens a second of an actor at work, on average; 0 before the first report."""
        seconds = sum(member.seconds for member in self.members)
        return sum(member.tokens for member in self.members) / seconds if seconds else 0.0

    def _describe(self) -> str:
        """Who is at work, how fast, and for how long."""
        ready, rate = sum(member.ready for member in self.members), self._rate()
        said = f"{ready} of {len(self.members)} actors"
        if not ready or not rate:
            return said
        left = max(self.tokens - sum(member.tokens for member in self.members), 0) / rate / ready
        return f"{said} at {rate:,.0f} tokens/s each, {readable_time(left)} left"

    def _save_what_is_done(self) -> None:
        """On the way out, Ctrl-C included, actors end their batch and write what they have."""
        latest = time.monotonic() + 20
        ready = [member for member in self.members if member.ready]
        with contextlib.suppress(Exception):  # the first error is the one to show
            for member in ready:
                member.handle.stop.remote()
            while time.monotonic() < latest and any(member.pending for member in ready):
                self._listen()


def estimate_tokens(
    texts: Sequence[Text],
    positions: npt.NDArray[np.int64],
    lengths: Callable[[Sequence[Text]], npt.NDArray[np.int32]],
) -> npt.NDArray[np.int32]:
    """Tokens (n,) int32 of the texts at `positions` (n,) int64, n at least 1, by their bytes.

    Only up to 4,096 of them are read, and cut into pieces by `lengths`.
    """
    wanted = StoredTexts.of(texts).select(positions)
    sizes = wanted.texts.sizes + (0 if wanted.pairs is None else wanted.pairs.sizes)
    sample = np.unique(np.linspace(0, len(positions) - 1, min(SAMPLE, len(positions))).astype(np.int64))
    counted = lengths([texts[i] for i in positions[sample]])
    whole = counted < counted.max()  # truncated texts would pull the ratio down
    ratio = counted[whole].sum() / max(sizes[sample][whole].sum(), 1)
    tokens: npt.NDArray[np.float64] = np.clip(np.rint(ratio * sizes), counted.min(), counted.max())
    return tokens.astype(np.int32)


@contextlib.contextmanager
def _connected() -> Iterator[Any]:
    """Ray as it is connected already, or to the cluster at RAY_ADDRESS, or to a local one for the block."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_agent_register_timeout_ms", "600000")  # a node dies of helpers that start late
    try:
        import ray
    except ImportError:
        raise InputError('the engine is `ray`, which is not installed: run `pip install ".[ray]"`') from None
    if ray.is_initialized():
        yield ray
        return
    address = os.environ.get("RAY_ADDRESS", "")
    local: Any = {} if address else {"object_store_memory": 2**28, "include_dashboard": False}
    try:
        context = ray.init(address or "local", log_to_driver=False, logging_level=logging.CRITICAL, **local)
    except Exception as error:  # a bare one where a node does not come up in time
        ray.shutdown()
        where = f"RAY_ADDRESS is `{address}`, but it" if address else "a local Ray cluster"
        raise InputError(
            f"{where} cannot be used ({' '.join(str(error).split())[:200]}); check with `ray status`, "
            f"or unset RAY_ADDRESS for a local cluster"
        ) from None
    with context:
        yield ray
