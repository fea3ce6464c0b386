"""Shards that actors have finished reach the driver's store."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Protocol

from features.cluster.ledger import Ledger
from features.cluster.reports import Written
from features.errors import InputError
from features.store.files import is_sealed, verify, write_named
from features.store.identity import digest_bytes
from features.store.shards import SHARDS, SUFFIX
from features.store.store import Store

PIECE = 8 * 2**20
# A network file system may show a file of another node late.
_PATIENCE = 60.0

Fetch = Callable[[str, int, int], bytes]


class Sender(Protocol):
    """Who finished a shard, as far as receiving it goes."""

    uncollected: set[str]

    def fetch(self, name: str, start: int, size: int) -> bytes:
        """Bytes of a shard on the sender's own disk."""

    def forget(self, name: str) -> None:
        """Let the sender remove its copy."""


class Inbox:
    """Takes shards into the store and the ledger; a context manager."""

    def __init__(self, store: Store, ledger: Ledger, *, collect: bool) -> None:
        self._store = store
        self._ledger = ledger
        self._collect = collect
        self._known = {shard.name for shard in store.shards}
        # Two at a time: one crosses the network while the other is flushed to the disk.
        self._pool = ThreadPoolExecutor(2, "collect")
        self._fetching: dict[Future[None], tuple[Sender, str]] = {}

    def __enter__(self) -> Inbox:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    @property
    def busy(self) -> bool:
        """Whether shards are being fetched."""
        return bool(self._fetching)

    def offer(self, sender: Sender, shards: tuple[Written, ...]) -> int:
        """Take in shards that were reported; gives how many texts that brought at once.

        Raises:
            InputError: a shard of a shared store does not show up.
        """
        if not self._collect:
            return sum(self._admit(shard.name) for shard in shards)
        for shard in shards:
            sender.uncollected.add(shard.name)
            future = self._pool.submit(self._bring, sender, shard)
            self._fetching[future] = (sender, shard.name)
        return 0

    def collected(self, lost: type[Exception], timeout: float = 0.0) -> dict[str, int]:
        """Take in what was fetched meanwhile: texts that each shard brought, by its name.

        Args:
            lost: the error by which a sender that is no more shows; its shard is offered again or lost.
            timeout: seconds to wait for the first.

        Raises:
            InputError: the disk is full, or a shard did not arrive as it was written.
        """
        brought: dict[str, int] = {}
        for future in wait(self._fetching, timeout, "FIRST_COMPLETED").done if self._fetching else ():
            sender, name = self._fetching.pop(future)
            sender.uncollected.discard(name)
            try:
                future.result()
            except lost:
                continue
            brought[name] = self._admit(name)
            sender.forget(name)
        return brought

    def discover(self) -> int:
        """Take in shards that are whole in the store but were never reported; gives the texts they bring."""
        found = 0
        for path in sorted((self._store.folder / SHARDS).glob("*" + SUFFIX)):
            if path.stem not in self._known and (is_sealed(path) or verify(path)):
                found += self._admit(path.stem)
        return found

    def _admit(self, name: str) -> int:
        if name in self._known:
            return 0
        path = self._store.folder / SHARDS / (name + SUFFIX)
        latest = time.monotonic() + _PATIENCE
        while not path.exists():
            if time.monotonic() > latest:
                raise InputError(
                    f"an actor wrote {path}, but the driver does not see it; all nodes must mount the store "
                    f"at the same place, or set ENCODE_ONCE_RAY_COLLECT"
                )
            time.sleep(0.1)
        self._known.add(name)
        shard = self._store.admit(path)
        return self._ledger.mark(shard.digests, shard.lengths)

    def _bring(self, sender: Sender, shard: Written) -> None:
        """Fetch a shard piece by piece; what arrives must be what its name says."""
        if shard.name in self._known:
            return
        content = bytearray()
        while len(content) < shard.size:
            piece = sender.fetch(shard.name, len(content), min(PIECE, shard.size - len(content)))
            if not piece:
                break
            content += piece
        whole = bytes(content)
        if digest_bytes(whole) != shard.name:
            raise InputError(
                f"shard {shard.name} was damaged on its way to the driver; check the node's disk, then run "
                f"this again"
            )
        write_named(self._store.folder / SHARDS, whole, SUFFIX)
