"""The driver: hands chunks to actors, takes in their shards, and gives what is lost to others."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from types import ModuleType

from features.cluster.inbox import Inbox
from features.cluster.ledger import Ledger
from features.cluster.losses import GRACE, Losses
from features.cluster.member import Member, Task
from features.cluster.plan import Queue, largest_chunk
from features.cluster.reports import ClusterSummary, Report, State
from features.errors import InputError
from features.store.extraction import Work

# So often may an actor's calls fail before it is left alone.
_FAILURES = 20
_POLL = 0.5
_PAUSE = 1.0
_SILENCE = 30.0
_LAST_WORDS = 20.0


class Driver:
    """One run on a cluster whose actors exist already; `run` returns once every text is in the store."""

    def __init__(
        self,
        ray: ModuleType,
        work: Work,
        members: list[Member],
        queue: Queue,
        shard_tokens: int,
        watch: Callable[[State], None],
        *,
        collect: bool,
    ) -> None:
        self._ray = ray
        self._work = work
        self._members = members
        self._queue = queue
        self._shard_tokens = shard_tokens
        self._watch = watch
        self._collect = collect
        self._ledger = Ledger(work.digests[work.new])
        self._inbox = Inbox(work.store, self._ledger, collect=collect)
        self._losses = Losses(work, self._ledger, queue, collect=collect)
        self._heard = time.monotonic()
        self._opened = not collect

    def run(self) -> ClusterSummary:
        """Encode everything.

        Raises:
            InputError: no actor can go on, or the same texts were lost again and again.
        """
        with self._inbox:
            try:
                while self._ledger.done < len(self._ledger):
                    self._wake()
                    self._hand_out()
                    self._listen(_POLL)
                    self._say_if_nobody_works()
                    self._watch(self._state())
            except BaseException:
                self._save_what_is_done()
                raise
        return ClusterSummary(
            tuple(member.summary() for member in self._members),
            self._ledger.tokens,
            tuple(self._losses.lines),
        )

    def _wake(self) -> None:
        now = time.monotonic()
        for member in self._members:
            if member.status == "away" and not member.pending and now >= member.again:
                member.start()

    def _hand_out(self) -> None:
        self._losses.release()
        if not self._open():
            return
        ready = [member for member in self._members if member.status == "ready"]
        coming = sum(member.status in ("ready", "away") for member in self._members)
        for member in sorted(ready, key=lambda member: len(member.pending)):
            while member.wants_work and self._queue:
                self._send(member, coming)
            if not member.idle or self._queue:
                continue
            if member.dirty:
                member.flush()
            elif member.held:
                self._losses.record(member, member.held, "has lost a shard")
                member.held = []

    def _open(self) -> bool:
        """Where shards are collected, actors first offer what others left on their disks."""
        if not self._opened:
            waiting = any(member.status == "away" or member.uncollected for member in self._members)
            self._opened = not waiting or time.monotonic() - self._heard > GRACE
        return self._opened

    def _send(self, member: Member, actors: int) -> None:
        taken = self._queue.take(largest_chunk(member.rate, self._shard_tokens), actors)
        positions = self._ledger.missing(taken.positions)
        if len(positions):
            chosen = self._work.new[positions]
            texts = tuple(self._work.texts[i] for i in chosen)
            member.encode(taken._replace(positions=positions), texts, self._work.digests[chosen])

    def _listen(self, timeout: float) -> None:
        """Take in whatever was said."""
        owners = {ref: member for member in self._members for ref in member.pending}
        if self._collect:
            self._take_collected(0.0 if owners else timeout)
        if not owners:
            time.sleep(0.0 if self._inbox.busy else timeout)
            return
        refs = list(owners)
        # The first to answer ends the wait; then all that have answered by now.
        self._ray.wait(refs, num_returns=1, timeout=timeout, fetch_local=False)
        answered, _ = self._ray.wait(refs, num_returns=len(refs), timeout=0, fetch_local=False)
        for ref in answered:
            member = owners[ref]
            task = member.pending.pop(ref, None)
            if task is not None:  # None where an earlier answer said that the actor was lost
                self._hear(member, task, ref)

    def _hear(self, member: Member, task: Task, ref: object) -> None:
        self._heard = time.monotonic()
        errors = self._ray.exceptions
        try:
            report: Report = self._ray.get(ref)
        except errors.RayTaskError as error:
            raise error.cause from error  # a defect: it keeps its traceback
        except errors.RayError as error:
            self._lost(member, error)
            return
        member.note(report)
        if task.kind == "start":
            member.status = "ready"
        member.settle(self._inbox.offer(member, report.shards), self._ledger)
        if report.problem:
            self._retire(member, report.problem)

    def _take_collected(self, timeout: float) -> None:
        owners = {name: member for member in self._members for name in member.uncollected}
        for name, brought in self._inbox.collected(self._ray.exceptions.RayError, timeout).items():
            self._heard = time.monotonic()
            if name in owners:
                owners[name].settle(brought, self._ledger)
        for member in self._members:
            if member.status == "leaving" and not member.uncollected:
                member.kill()

    def _lost(self, member: Member, error: Exception) -> None:
        """A process or its node is no more: what it finished counts, the rest goes to whoever is free."""
        if not self._collect:
            self._inbox.discover()
        was_away, held = member.status == "away", member.give_up()
        member.status, member.again = "away", time.monotonic() + _PAUSE
        self._losses.record(member, held, "was lost, its process or its node ended")
        dead = isinstance(error, self._ray.exceptions.ActorDiedError)
        if (was_away and dead) or member.failures > _FAILURES:
            member.status = "gone"
            self._end_if_alone(f"actor {member.number} could not be started ({_last_words(error)})")

    def _retire(self, member: Member, problem: str) -> None:
        """An actor says that it can go on no further; what it has on its disk is still fetched."""
        self._work.report(f"actor {member.number} on {member.node} stops: {problem}")
        uncollected = set(member.uncollected)
        held = member.give_up()
        member.status, member.uncollected = "leaving", uncollected
        self._losses.record(member, held, "has stopped")
        if not uncollected:
            member.kill()
        self._end_if_alone(problem)

    def _end_if_alone(self, problem: str) -> None:
        if all(member.status in ("leaving", "gone") for member in self._members):
            raise InputError(f"no actor is left to encode with: {problem}")

    def _say_if_nobody_works(self) -> None:
        """A cluster without room keeps everybody waiting; people should know why."""
        if any(member.status == "ready" for member in self._members):
            return
        if time.monotonic() - self._heard > _SILENCE:
            self._heard = time.monotonic()
            away = sum(member.status == "away" for member in self._members)
            self._work.report(
                f"{away} actors still load, or wait for a place in the cluster (see `ray status`)"
            )

    def _save_what_is_done(self) -> None:
        """On the way out, Ctrl-C included, actors end their batch and write what they have."""
        members = [member for member in self._members if member.status == "ready"]
        for member in members:
            member.stop()
            member.flush()
        latest = time.monotonic() + _LAST_WORDS
        with suppress(Exception):  # the first error is the one to show
            while time.monotonic() < latest and any(m.pending or m.uncollected for m in members):
                self._listen(_POLL)

    def _state(self) -> State:
        ready = [member for member in self._members if member.status == "ready"]
        seconds = sum(member.seconds for member in self._members)
        rate = sum(member.tokens for member in self._members) / seconds if seconds else 0.0
        waiting = self._queue.tokens + sum(
            task.chunk.tokens for member in ready for task in member.pending.values() if task.chunk
        )
        encoded = self._ledger.done + sum(member.undelivered for member in self._members)
        left = waiting / (rate * len(ready)) if rate and ready else None
        return State(min(encoded, len(self._ledger)), len(self._ledger), len(ready), rate, left)


def _last_words(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:200] if lines else type(error).__name__
