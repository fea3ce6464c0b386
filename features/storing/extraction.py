"""Extraction: texts that the store does not have yet are encoded, and the corpus is published.

Nothing here decides what a vector is: `features.encoding.encoder` computes it, `features.storing.store` keeps
it. Who encodes is an engine: this process, or a cluster (`features.cluster`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from features.encoded import EncodedBatch, Text
from features.storing.converting import convert
from features.storing.forecast import Size, check_space, estimate, readable_bytes, readable_time
from features.storing.index import Index
from features.storing.manifest import Manifest
from features.storing.publishing import publish
from features.storing.store import Store, text_digests
from features.storing.writing import SHARD_BYTES, ShardWriter
from features.texts import select

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


class Encoder(Protocol):
    """What extraction asks of an encoder; `features.encoding.encoder.FrozenEncoder` is one."""

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

    texts: unique texts of the corpus. new: those encoded now. reused: those the store had, in whatever form.
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
    encoder: Encoder
    store: Store
    report: Report
    progress: Progress
    shard_bytes: int


# Brings the vectors of all new texts to the store; gives their tokens.
Engine = Callable[[Work], int]


def extract(
    texts: Sequence[Text],
    rows: npt.NDArray[np.int64],
    encoder: Encoder,
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
        convert(store, store_root, digests, report, shard_bytes)
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
