"""An actor: one encoder that writes what it encodes as shards. Plain Python; Ray only wraps it."""

from __future__ import annotations

import platform
import sys
import threading
import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from features.cluster.outbox import Outbox
from features.cluster.recipe import Recipe
from features.cluster.reports import Place, Report
from features.corpus.texts import Text
from features.errors import InputError
from features.store.extraction import TextEncoder
from features.store.identity import Manifest
from features.store.writing import ShardWriter


class EncodingActor:
    """Encodes chunks one after another; a shard may hold texts of several, as in the local engine.

    A user's mistake, a full disk or a device that fails the parity gate comes back as the report's `problem`.
    `start`, `encode` and `flush` run one after another; the others may be called meanwhile.
    """

    def __init__(self, recipe: Recipe, manifest: Manifest, place: Place, shard_bytes: int) -> None:
        self._recipe = recipe
        self._manifest = manifest
        self._place = place
        self._shard_bytes = shard_bytes
        self._stopped = threading.Event()
        self._encoder: TextEncoder | None = None
        self._outbox: Outbox | None = None
        self._writer: ShardWriter | None = None
        self._loaded = time.process_time()

    def start(self, expected: object = None) -> Report:
        """Find the place for shards, then load the encoder and prove it; nothing is encoded before.

        Args:
            expected: what the recipe gave the driver to hold the encoder against.
        """
        try:
            if self._outbox is None:
                self._outbox = Outbox(self._place, self._manifest)
            if self._encoder is None:
                self._encoder = self._recipe.build(expected)
                self._loaded = time.process_time()
        except InputError as error:
            return self._report(problem=str(error))
        return self._report()

    def encode(self, texts: Sequence[Text], digests: npt.NDArray[np.uint8]) -> Report:
        """Encode texts; they are safe once a report names the shards that hold them.

        Args:
            texts: n texts.
            digests: (n, 16) uint8, `text_digest` of each.
        """
        if self._encoder is None or self._outbox is None:
            raise RuntimeError("the actor was given texts before it was started")
        if self._writer is None:
            self._writer = ShardWriter(self._outbox, self._shard_bytes)
        started = time.perf_counter()
        seen = tokens = 0
        try:
            for batch in self._encoder.encode([] if self._stopped.is_set() else texts):
                self._writer.add(digests[batch.index], batch)
                seen += len(batch.index)
                tokens += int(batch.lengths.sum(dtype=np.int64))
                if self._stopped.is_set():
                    break
        except InputError as error:
            return self._report(seen, tokens, time.perf_counter() - started, self._close() or str(error))
        if seen != len(texts) and not self._stopped.is_set():
            raise RuntimeError(f"the encoder gave vectors for {seen} of {len(texts)} texts")
        return self._report(seen, tokens, time.perf_counter() - started)

    def flush(self) -> Report:
        """Write what is left and wait until it is on the disk."""
        started = time.perf_counter()
        problem = self._close()
        return self._report(seconds=time.perf_counter() - started, problem=problem)

    def stop(self) -> None:
        """Let the current call end after its batch, and later ones at once."""
        self._stopped.set()

    def piece(self, name: str, start: int, size: int) -> bytes:
        """Some bytes of a shard on the node's disk."""
        assert self._outbox is not None
        return self._outbox.read(name, start, size)

    def discard(self, name: str) -> None:
        """Remove a shard from the node's disk: the driver has it."""
        assert self._outbox is not None
        self._outbox.discard(name)

    def leave(self) -> None:
        """Remove what the actor kept on the node's disk."""
        if self._outbox is not None:
            self._outbox.leave()

    def _close(self) -> str:
        writer, self._writer = self._writer, None
        try:
            if writer is not None:
                writer.close()
        except InputError as error:
            return str(error)
        return ""

    def _report(self, texts: int = 0, tokens: int = 0, seconds: float = 0.0, problem: str = "") -> Report:
        return Report(
            node=platform.node(),
            texts=texts,
            tokens=tokens,
            seconds=seconds,
            cpu_seconds=time.process_time() - self._loaded,
            shards=() if self._outbox is None else self._outbox.fresh(),
            peak_memory=peak_memory(),
            problem=problem,
        )


def peak_memory() -> int:
    """Most bytes of main memory that this process has held at once; 0 where the system does not say."""
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
