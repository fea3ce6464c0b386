"""Texts whose actor was lost: they wait for shards that may still turn up, then are handed out again."""

from __future__ import annotations

import time
from typing import NamedTuple

from features.cluster.ledger import Ledger
from features.cluster.member import Member
from features.cluster.plan import Chunk, Queue
from features.errors import InputError
from features.store.extraction import Work

# So often may a text's actor be lost before the text is suspected.
TRIES = 4
# Seconds for which texts wait for shards that their actor may have left on its node's disk.
GRACE = 30.0


class _Waiting(NamedTuple):
    latest: float
    member: Member
    chunk: Chunk


class Losses:
    """What was lost, and what becomes of it."""

    def __init__(self, work: Work, ledger: Ledger, queue: Queue, *, collect: bool) -> None:
        self.lines: list[str] = []
        self._work = work
        self._ledger = ledger
        self._queue = queue
        self._grace = GRACE if collect else 0.0
        self._waiting: list[_Waiting] = []

    def record(self, member: Member, held: list[Chunk], what: str) -> None:
        """An actor no longer has what it held; `what` says what happened to it."""
        texts = sum(len(self._ledger.missing(chunk.positions)) for chunk in held)
        if not texts:
            return
        where = f"actor {member.number} on {member.node or 'an unknown node'}"
        self.lines.append(f"{where} {what}: {texts:,} texts that were not in the store yet are encoded again")
        self._work.report(self.lines[-1])
        latest = time.monotonic() + self._grace
        self._waiting += [_Waiting(latest, member, chunk) for chunk in held]

    def release(self) -> None:
        """Hand out again what need not wait any longer.

        Raises:
            InputError: the same texts were lost again and again.
        """
        now, kept = time.monotonic(), []
        for waiting in self._waiting:
            member = waiting.member
            settled = member.status == "gone" or (member.status == "ready" and not member.uncollected)
            if settled or now >= waiting.latest:
                self._requeue(waiting.chunk)
            else:
                kept.append(waiting)
        self._waiting = kept

    def _requeue(self, chunk: Chunk) -> None:
        positions = self._ledger.missing(chunk.positions)
        if not len(positions):
            return
        if chunk.tries + 1 >= TRIES:
            first = self._work.texts[self._work.new[positions[0]]].joined
            raise InputError(
                f"{len(positions)} texts were lost {TRIES} times with the actor that had them, the first is "
                f"{first[:60]!r}; everything else that was encoded is kept: give actors more memory, or look "
                f"at these texts"
            )
        tokens = round(chunk.tokens * len(positions) / len(chunk.positions))
        self._queue.give_back(Chunk(positions, tokens, chunk.tries + 1))
