"""The engine that `features.store.extraction.extract` may be given: new texts are encoded on a cluster."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from features.cluster.actor import EncodingActor
from features.cluster.connection import connected
from features.cluster.driver import Driver
from features.cluster.member import Member, actor_class
from features.cluster.outbox import MARK
from features.cluster.plan import Queue, estimate_tokens, order_by_length
from features.cluster.recipe import Recipe
from features.cluster.reports import ClusterSummary, Place, State
from features.cluster.settings import Settings
from features.store.extraction import Size, Work, check_space, entry_bytes, readable_bytes, readable_time

_FAREWELL = 10.0


@dataclass
class ClusterEngine:
    """Encodes new texts with actors; the driver alone holds the store and publishes.

    recipe: how an actor comes by its encoder.
    settings: what is asked of the cluster.
    watch: gets the state of the whole cluster, about twice a second.
    summary: what the last run did; None where there was nothing to encode.
    """

    recipe: Recipe
    settings: Settings
    watch: Callable[[State], None] = lambda state: None
    summary: ClusterSummary | None = None

    def __call__(self, work: Work) -> int:
        """Encode the new texts of a corpus; gives the tokens that were encoded.

        Raises:
            InputError: Ray is missing or cannot be reached, the disk is too small, or no actor can go on.
        """
        started = time.perf_counter()
        collect = self.settings.collect is not None
        with connected() as ray, self._place(work) as place:
            members = self._members(ray, work, place)
            try:
                expected = ray.put(self.recipe.expect())  # while their processes start
                for member in members:
                    member.expected = expected
                    member.start()
                size, queue = _plan(work)  # while they load their encoders
                check_space(work.store.folder, size)
                shard_tokens = max(1, round(size.tokens * work.shard_bytes / max(size.bytes, 1)))
                work.report(
                    f"{size.texts:,} of {len(work.texts):,} texts are new: about {size.tokens:,} tokens, "
                    f"{readable_bytes(size.bytes)}, for {len(members)} actors"
                )
                driver = Driver(ray, work, members, queue, shard_tokens, self.watch, collect=collect)
                self.summary = driver.run()
            finally:
                _dismiss(ray, members, collect=collect)
        self._tell(work, self.summary, time.perf_counter() - started)
        return self.summary.tokens

    def _members(self, ray: ModuleType, work: Work, place: Place) -> list[Member]:
        wanted = self.settings.actors or _room(ray, self.settings)
        kind = actor_class(ray, EncodingActor, self.settings.cpus, self.settings.gpus)
        given = (self.recipe, work.store.manifest, place, work.shard_bytes)
        return [Member(number, ray, kind.remote(*given)) for number in range(1, wanted + 1)]

    @contextmanager
    def _place(self, work: Work) -> Iterator[Place]:
        """Where shards go; on a shared store a mark lets actors know that they see the driver's."""
        if self.settings.collect is not None:
            yield Place(self.settings.collect, None)
            return
        mark, token = work.store.folder.resolve() / MARK, secrets.token_hex(16)
        mark.write_text(token, "utf-8")
        try:
            yield Place(mark.parent, token)
        finally:
            mark.unlink(missing_ok=True)

    def _tell(self, work: Work, summary: ClusterSummary, seconds: float) -> None:
        busy = [actor for actor in summary.actors if actor.seconds]
        rate = sum(actor.tokens for actor in busy) / max(sum(actor.seconds for actor in busy), 1e-9)
        lost = len(summary.retried)
        losses = "no losses" if not lost else f"{lost} loss{'es' if lost > 1 else ''}"
        work.report(
            f"{len(busy)} actors took {readable_time(seconds)} at {rate:,.0f} tokens/s each, with at most "
            f"{readable_bytes(summary.peak_memory)} of memory; {losses}"
        )
        for line in summary.retried:
            work.report(f"retried: {line}")


def _plan(work: Work) -> tuple[Size, Queue]:
    """How much there is to do, and the queue of it; memory for some bytes a text, not for the texts."""
    tokens = estimate_tokens(work.texts, work.new, lambda texts: work.encoder.tokenize(texts).lengths)
    total = int(tokens.sum(dtype=np.int64))
    per_text, per_token = entry_bytes(work.store.manifest)
    size = Size(len(tokens), total, per_text * len(tokens) + per_token * total)
    order = order_by_length(tokens)
    return size, Queue(order, tokens[order])


def _room(ray: ModuleType, settings: Settings) -> int:
    """Actors that the cluster has room for; one that is still growing gets at least one."""
    resources = ray.cluster_resources()
    room = [resources.get("CPU", 0.0) / settings.cpus] if settings.cpus else []
    room += [resources.get("GPU", 0.0) / settings.gpus] if settings.gpus else []
    return max(1, int(min(room, default=1.0)))


def _dismiss(ray: ModuleType, members: list[Member], *, collect: bool) -> None:
    if collect:
        leaving = [member.handle.leave.remote() for member in members if member.status == "ready"]
        ray.wait(leaving, num_returns=len(leaving), timeout=_FAREWELL) if leaving else None
    for member in members:
        if member.status != "gone":
            with suppress(Exception):  # where the whole cluster is gone, so are its actors
                member.kill()
