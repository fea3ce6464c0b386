"""Publishing a corpus: links to the shards in use, and the index that names them, in one folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt

from features.errors import InputError
from features.storing.durable import PARTIAL
from features.storing.forecast import readable_bytes
from features.storing.index import FILE, Index, ShardEntry
from features.storing.shards import SHARDS, SUFFIX, Shard
from features.storing.store import Store, gone


def publish(folder: Path, store: Store, digests: npt.NDArray[np.uint8], rows: npt.NDArray[np.int64]) -> Index:
    """Write a corpus's folder; it counts as there once its index is, which comes last.

    Args:
        folder: where; shards in it that the corpus does not use are removed.
        store: holds every text.
        digests: (U, 16) uint8, the corpus's texts.
        rows: (N,) int64, text of each row.

    Raises:
        InputError: a text or shard is not in the store any more, or the disk has no room for copies.
    """
    index, used = build_index(store, digests, rows)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).unlink(missing_ok=True)
    wanted = {shard.file for shard in used}
    shards = folder / SHARDS
    shards.mkdir(exist_ok=True)
    for path in shards.iterdir():
        if path.name not in wanted and path.suffix in (SUFFIX, PARTIAL):
            path.unlink()
    _check_room(folder, store, used)
    for shard in used:
        _link(store.path(shard), shards / shard.file, shard, store.folder)
    index.save(folder)
    return index


def build_index(
    store: Store, digests: npt.NDArray[np.uint8], rows: npt.NDArray[np.int64]
) -> tuple[Index, list[Shard]]:
    """The index of a corpus, and the shards it uses by name."""
    places = store.locate(digests)
    if len(digests) and places.shard.min() < 0:
        raise gone(store.folder)
    numbers = sorted(set(places.shard.tolist()), key=lambda number: store.shards[number].name)
    used = [store.shards[number] for number in numbers]
    lengths = np.empty(len(digests), np.int32)
    positions = np.empty(len(digests), np.int64)
    starts = np.empty(len(digests), np.int64)
    first_text = first_token = 0
    entries = []
    order = np.argsort(places.shard, kind="stable")
    bounds = np.searchsorted(places.shard[order], np.arange(len(store.shards) + 1))
    for number, shard in zip(numbers, used, strict=True):
        texts = order[bounds[number] : bounds[number + 1]]
        local = places.position[texts]
        ends = np.cumsum(shard.lengths, dtype=np.int64)
        lengths[texts] = shard.lengths[local]
        positions[texts] = first_text + local
        starts[texts] = first_token + ends[local] - shard.lengths[local]
        entries.append(ShardEntry(shard.name, shard.size, len(ends), int(ends[-1]), shard.addresses))
        first_text += len(ends)
        first_token += int(ends[-1])
    # What computed the vectors, not what is installed now: an upgrade that changes no vector changes no byte.
    manifest = used[0].manifest if used else store.manifest
    return Index(manifest, tuple(entries), digests, lengths, positions, starts, rows), used


def _check_room(folder: Path, store: Store, used: list[Shard]) -> None:
    """Links need no room; across file systems there are only copies."""
    if folder.stat().st_dev == store.folder.stat().st_dev:
        return
    needed, free = sum(shard.size for shard in used), shutil.disk_usage(folder).free
    if needed > free:
        raise InputError(
            f"{folder} is on another disk than the store and needs a copy of {readable_bytes(needed)}, but "
            f"only {readable_bytes(free)} are free there; free some space, or put the store on the same disk"
        )


def _link(source: Path, target: Path, shard: Shard, store: Path) -> None:
    try:
        if source.stat().st_size != shard.size:
            raise gone(store)
        if target.exists() and target.samefile(source):
            return
        target.unlink(missing_ok=True)
        try:
            target.hardlink_to(source)
        except FileNotFoundError:
            raise
        except OSError:
            partial = target.with_name(target.name + PARTIAL)
            shutil.copyfile(source, partial)
            partial.chmod(0o444)
            partial.replace(target)
    except FileNotFoundError:
        raise gone(store) from None
