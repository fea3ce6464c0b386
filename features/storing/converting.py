"""Vectors in one form at rest from those in a fuller one: what was encoded is not encoded again.

A shard in 8 bits holds what `features.storing.quantising` makes of the float16 tokens that the encoder gives,
and a shard of pooled vectors alone leaves those tokens out. So both follow, to the last bit, from shards that
keep float16 and whose manifest differs in nothing else.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from features.encoded import EncodedBatch
from features.storing.durable import verify
from features.storing.forecast import Size, check_space, entry_bytes
from features.storing.shards import SHARDS, Shard
from features.storing.store import Places, Store, gone
from features.storing.writing import ShardWriter

_FULLEST = "float16"
_TEXTS = 4096


def convert(
    store: Store,
    root: Path,
    digests: npt.NDArray[np.uint8],
    report: Callable[[str], None],
    shard_bytes: int,
) -> None:
    """Give a store the texts it lacks and a fuller one under the same root has.

    Args:
        store: the store to fill, held for writing.
        root: the store of all encoders.
        digests: (n, 16) uint8, the texts wanted.
        report: gets one line where there is something to convert.
        shard_bytes: size at which a shard is closed.

    Raises:
        InputError: the fuller store is held by another process, or the disk cannot hold the result.
    """
    manifest = dataclasses.replace(store.manifest, tokens=_FULLEST)
    if store.manifest.tokens == _FULLEST or not (root / manifest.key / SHARDS).is_dir():
        return
    missing = digests[store.missing(digests)]
    if not len(missing):
        return
    with Store(root, manifest, report) as source:
        places = source.locate(missing)
        there = places.shard >= 0
        found, places = missing[there], Places(places.shard[there], places.position[there])
        if not len(found):
            return
        size = _size(store, source, places)
        report(f"{size.texts:,} texts are kept in {_FULLEST}: they are converted, not encoded")
        check_space(store.folder, size)
        with ShardWriter(store, shard_bytes) as writer:
            for chosen, batch in _batches(source, places, keep_tokens=store.manifest.tokens != "none"):
                writer.add(found[chosen], batch)


def _size(store: Store, source: Store, places: Places) -> Size:
    tokens = sum(
        int(shard.lengths[places.position[places.shard == number]].sum(dtype=np.int64))
        for number, shard in enumerate(source.shards)
    )
    per_text, per_token = entry_bytes(store.manifest)
    texts = len(places.shard)
    return Size(texts, tokens, per_text * texts + per_token * tokens)


def _batches(
    source: Store, places: Places, *, keep_tokens: bool
) -> Iterator[tuple[npt.NDArray[np.int64], EncodedBatch]]:
    """The texts at `places`, in the order of the disk: which of them, and their vectors."""
    for number, shard in enumerate(source.shards):
        wanted = np.flatnonzero(places.shard == number)
        wanted = wanted[np.argsort(places.position[wanted], kind="stable")]
        path = source.path(shard)
        try:
            # A seal does not show decay, and what is converted gets a new seal.
            if not len(wanted) or not verify(path):
                continue
            with h5py.File(path) as file:
                for start in range(0, len(wanted), _TEXTS):
                    chosen = wanted[start : start + _TEXTS]
                    yield chosen, _read(file, shard, places.position[chosen], keep_tokens)
        except FileNotFoundError:
            raise gone(source.folder) from None


def _read(file: h5py.File, shard: Shard, positions: npt.NDArray[np.int64], keep_tokens: bool) -> EncodedBatch:
    """Texts of one shard, at ascending positions."""
    ends = np.cumsum(shard.lengths, dtype=np.int64)
    first, last = int(positions[0]), int(positions[-1])
    start = int(ends[first] - shard.lengths[first])
    among = np.zeros(last + 1 - first, np.bool_)
    among[positions - first] = True
    of_wanted = np.repeat(among, shard.lengths[first : last + 1])

    def tokens(name: str) -> npt.NDArray[Any]:
        return np.asarray(file[name][start : int(ends[last])])[of_wanted]

    layers = shard.manifest.layers if keep_tokens else ()
    return EncodedBatch(
        index=np.arange(len(positions), dtype=np.int64),
        lengths=shard.lengths[positions],
        pooled=np.asarray(file["pooled"][first : last + 1])[among],
        tokens=tuple(tokens(f"tokens/{layer}") for layer in layers),
        piece_ids=tokens("piece_ids"),
        char_spans=tokens("char_spans"),
        segments=tokens("segments"),
    )
