"""Extraction: texts that the store does not have yet are encoded, and the corpus is published.

Nothing here decides what a vector is: `features.encoder.encoder` computes it, `features.store.store` keeps
it. Who encodes is an engine: this process, or a cluster (`features.cluster`).
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from features.corpus.texts import Text, select
from features.errors import InputError
from features.store.files import PARTIAL
from features.store.identity import Manifest
from features.store.index import FILE, Index, ShardEntry
from features.store.shards import SHARDS, SUFFIX, EncodedBatch, Shard, columns
from features.store.store import Store, gone, text_digests
from features.store.writing import SHARD_BYTES, ShardWriter

_SAMPLE = 4096
_RESERVE = 64 * 2**20  # the index, and room for the system to breathe


@dataclass(frozen=True)
class Size:
    """Expected size of new vectors: texts, tokens (special tokens included) and bytes at rest."""

    texts: int
    tokens: int
    bytes: int


def estimate(encoder: TextEncoder, texts: Sequence[Text], manifest: Manifest) -> Size:
    """Size of the vectors of texts, from the lengths of up to 4,096 of them, evenly spread."""
    chosen = np.unique(np.linspace(0, len(texts) - 1, min(_SAMPLE, len(texts))).astype(np.int64))
    lengths = encoder.tokenize([texts[i] for i in chosen]).lengths
    tokens = round(float(lengths.mean()) * len(texts))
    per_text, per_token = entry_bytes(manifest)
    return Size(len(texts), tokens, per_text * len(texts) + per_token * tokens)


def entry_bytes(manifest: Manifest) -> tuple[int, int]:
    """Bytes at rest of one text without its tokens, and of one token."""
    sizes = {True: 0, False: 0}
    for column in columns(manifest):
        sizes[column.per_token] += column.dtype.itemsize * int(np.prod(column.shape))
    return sizes[False], sizes[True]


def check_space(folder: Path, size: Size) -> None:
    """Refuse what the disk cannot hold.

    Raises:
        InputError: says what is needed and what is free.
    """
    free = shutil.disk_usage(folder).free
    needed = size.bytes + _RESERVE
    if needed > free:
        raise InputError(
            f"{size.texts:,} new texts need about {readable_bytes(needed)} in {folder}, but only "
            f"{readable_bytes(free)} are free; free some space, move the store (ENCODE_ONCE_STORE), or keep "
            f"tokens in 8 bits (`tokens: int8`) or pooled vectors only (`tokens: false`)"
        )


def readable_bytes(count: float) -> str:
    """Bytes in decimal units, as disks are sold."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def readable_time(seconds: float) -> str:
    """A duration in the unit that a person would choose."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


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


# So many tokens tell the rate that the forecast names; they are work that counts, not a rehearsal.
_PROBE_TOKENS = 4096
_WARM_UP_TEXTS = 8

Report = Callable[[str], None]
Progress = Callable[[int, int], None]


class HasLengths(Protocol):
    """What the forecast reads of tokenized texts."""

    @property
    def lengths(self) -> npt.NDArray[np.int32]:
        """(B,) int32, tokens of each text."""


class TextEncoder(Protocol):
    """What extraction asks of an encoder; `features.encoder.encoder.Encoder` is one."""

    @property
    def manifest(self) -> Manifest:
        """The identity of its vectors."""

    def tokenize(self, texts: Sequence[Text]) -> HasLengths:
        """Cut texts into pieces, without encoding them."""

    def encode(self, texts: Sequence[Text]) -> Iterator[EncodedBatch]:
        """Encode every text once, in batches of its own order."""


@dataclass(frozen=True)
class ExtractionSummary:
    """What an extraction did.

    texts: unique texts of the corpus. new: those encoded now. reused: those the store had.
    tokens: of all texts. new_tokens: of the new ones.
    shards, bytes: of the published corpus.
    seconds: wall-clock time of everything.
    """

    texts: int
    new: int
    reused: int
    tokens: int
    new_tokens: int
    shards: int
    bytes: int
    seconds: float


@dataclass(frozen=True, eq=False)
class Work:
    """What an engine is given.

    texts: U texts of the corpus. digests: (U, 16) uint8, `text_digest` of each.
    new: (m,) int64, positions of texts that the store lacks, ascending, no two of equal digest; at least one.
    encoder: computes their vectors, or stands for those that do.
    store: held for writing; gets them.
    report: takes lines for people. progress: called with (new texts done, new texts in all).
    shard_bytes: size at which a shard is closed.
    """

    texts: Sequence[Text]
    digests: npt.NDArray[np.uint8]
    new: npt.NDArray[np.int64]
    encoder: TextEncoder
    store: Store
    report: Report
    progress: Progress
    shard_bytes: int


# Brings the vectors of all new texts to the store; gives their tokens.
Engine = Callable[[Work], int]


def extract(
    texts: Sequence[Text],
    rows: npt.NDArray[np.int64],
    encoder: TextEncoder,
    store_root: Path,
    out_folder: Path,
    report: Report,
    progress: Progress | None = None,
    *,
    shard_bytes: int = SHARD_BYTES,
    engine: Engine | None = None,
) -> ExtractionSummary:
    """Encode what is new and publish the corpus to a folder that a `FeatureStore` opens.

    Interrupted at any moment, the next call goes on from the shards that were finished.

    Args:
        texts: U texts of the corpus.
        rows: (N,) int64, text of each row.
        encoder: computes the vectors.
        store_root: the store of all encoders.
        out_folder: gets `index.h5` and links to the shards in use; shards that it held before are removed.
        report: gets lines for people: the forecast, and files of the store that cannot be used.
        progress: called with (new texts done, new texts in all) after each batch.
        shard_bytes: size at which a shard is closed.
        engine: encodes what is new; None for this process.

    Raises:
        InputError: the store is held by another process, cannot be written or was removed meanwhile; the disk
            cannot hold the vectors; the encoder met a text it cannot encode.
    """
    started = time.perf_counter()
    digests = text_digests(texts)
    with Store(store_root, encoder.manifest, report) as store:
        new = store.missing(digests)
        work = Work(
            texts, digests, new, encoder, store, report, progress or (lambda done, total: None), shard_bytes
        )
        if len(new):
            new_tokens = (engine or encode_here)(work)
        else:
            new_tokens = 0
            report(f"all {len(texts):,} texts are in the store: nothing to encode")
        index = publish(out_folder, store, digests, rows)
    return _summary(index, len(new), new_tokens, time.perf_counter() - started)


def _summary(index: Index, new: int, new_tokens: int, seconds: float) -> ExtractionSummary:
    return ExtractionSummary(
        texts=len(index.lengths),
        new=new,
        reused=len(index.lengths) - new,
        tokens=int(index.lengths.sum(dtype=np.int64)),
        new_tokens=new_tokens,
        shards=len(index.shards),
        bytes=sum(shard.size for shard in index.shards),
        seconds=seconds,
    )


def encode_here(work: Work) -> int:
    """The local engine: the work's own encoder, in this process."""
    size = estimate(work.encoder, select(work.texts, work.new), work.store.manifest)
    check_space(work.store.folder, size)
    with ShardWriter(work.store, work.shard_bytes) as writer:
        return _Run(work, writer).spread_first(size)


class _Run:
    """One extraction's encoding in this process."""

    def __init__(self, work: Work, writer: ShardWriter) -> None:
        self._work = work
        self._writer = writer
        self._done = 0

    def spread_first(self, size: Size) -> int:
        """Encode everything; a few texts from all over the corpus tell the rate before the rest."""
        new = self._work.new
        count = max(1, round(_PROBE_TOKENS / max(size.tokens / len(new), 1)))
        if len(new) < 4 * count + _WARM_UP_TEXTS:
            self._announce(size, None)
            return self._encode(new)
        chosen = np.zeros(len(new), np.bool_)
        chosen[np.linspace(0, len(new) - 1, count + _WARM_UP_TEXTS).astype(np.int64)] = True
        probe = new[chosen]
        tokens = self._encode(probe[:_WARM_UP_TEXTS])
        started = time.perf_counter()
        probed = self._encode(probe[_WARM_UP_TEXTS:])
        rate = probed / (time.perf_counter() - started)
        self._announce(size, rate)
        return tokens + probed + self._encode(new[~chosen])

    def _announce(self, size: Size, rate: float | None) -> None:
        new, texts = len(self._work.new), len(self._work.texts)
        line = f"{new:,} of {texts:,} texts are new: about {size.tokens:,} tokens, "
        line += readable_bytes(size.bytes)
        if rate is not None:
            line += f", {readable_time(size.tokens / rate)} at {rate:,.0f} tokens/s"
        self._work.report(line)

    def _encode(self, positions: npt.NDArray[np.int64]) -> int:
        work, tokens, seen = self._work, 0, 0
        for batch in work.encoder.encode(select(work.texts, positions)):
            self._writer.add(work.digests[positions[batch.index]], batch)
            tokens += int(batch.lengths.sum(dtype=np.int64))
            seen += len(batch.index)
            work.progress(self._done + seen, len(work.new))
        if seen != len(positions):
            raise RuntimeError(f"the encoder gave vectors for {seen} of {len(positions)} texts")
        self._done += seen
        return tokens
