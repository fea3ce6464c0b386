"""Where an actor's shards stand until the store has them."""

from __future__ import annotations

import shutil
import uuid
from contextlib import ExitStack, suppress
from pathlib import Path

from features.cluster.reports import Place, Written
from features.errors import InputError
from features.store.files import PARTIAL, exclusive, is_sealed, verify
from features.store.identity import Manifest
from features.store.shards import SHARDS, SUFFIX, Shard
from features.store.store import Store

MARK = ".cluster"


class Outbox(Store):
    """A place for a `ShardWriter`: the store itself where nodes share it, else a folder on the node's disk.

    It takes no lock on the store: the driver holds that. The folder on a node's disk is locked by the actor
    it belongs to, so that a later one knows whether its shards are anybody's.

    Raises:
        InputError: this node does not see the driver's store, or its disk cannot be written.
    """

    def __init__(self, place: Place, manifest: Manifest) -> None:
        super().__init__(place.folder, manifest, lambda line: None)
        self._fresh: list[Written] = []
        self._lock = ExitStack()
        self._private = place.token is None
        if place.token is not None:
            self.folder = place.folder
            _check_shared(place.folder, place.token)
            return
        self.folder = place.folder / manifest.key / uuid.uuid4().hex
        self._lock.enter_context(exclusive(self.folder))
        (self.folder / SHARDS).mkdir()
        self._adopt()

    def admit(self, path: Path) -> Shard:
        """Take note of a shard that has just been written."""
        shard = super().admit(path)
        self.shards.clear()  # the driver keeps count; an actor need not remember what it wrote
        self._fresh.append(Written(shard.name, shard.size))
        return shard

    def fresh(self) -> tuple[Written, ...]:
        """Shards that were finished or found since this was last asked."""
        fresh, self._fresh = tuple(self._fresh), []
        return fresh

    def read(self, name: str, start: int, size: int) -> bytes:
        """Some bytes of a shard."""
        with (self.folder / SHARDS / (name + SUFFIX)).open("rb", buffering=0) as file:
            file.seek(start)
            return file.read(size)

    def discard(self, name: str) -> None:
        """Forget a shard that the driver has."""
        (self.folder / SHARDS / (name + SUFFIX)).unlink(missing_ok=True)

    def leave(self) -> None:
        """Remove the folder of the node's disk, once the driver has everything."""
        if self._private:
            shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.close()

    def _adopt(self) -> None:
        """Take over whole shards of actors that are no more: of this run, or of one that was killed."""
        for other in self.folder.parent.iterdir():
            if other == self.folder or not (other / SHARDS).is_dir():
                continue
            with suppress(InputError, FileNotFoundError), exclusive(other):  # somebody's, or adopted by now
                for path in (other / SHARDS).iterdir():
                    if path.name.endswith(PARTIAL) or not (is_sealed(path) or verify(path)):
                        continue
                    moved = path.replace(self.folder / SHARDS / path.name)
                    self._fresh.append(Written(moved.stem, moved.stat().st_size))
                shutil.rmtree(other, ignore_errors=True)


def _check_shared(folder: Path, token: str) -> None:
    try:
        found = (folder / MARK).read_text("utf-8")
    except OSError:
        found = ""
    if found != token:
        raise InputError(
            f"it does not see the driver's store {folder}; put the store on a file system that all nodes "
            f"mount at the same place (ENCODE_ONCE_STORE), or set ENCODE_ONCE_RAY_COLLECT to a folder on "
            f"each node's own disk"
        )
