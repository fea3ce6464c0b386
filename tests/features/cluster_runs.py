"""Extractions on a real local Ray cluster with the fake encoder, and the accidents that befall its actors."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from features.cluster.engine import ClusterEngine
from features.cluster.reports import ClusterSummary, State
from features.cluster.settings import Settings
from features.corpus.texts import Text
from features.errors import InputError
from features.store.extraction import ExtractionSummary, TextEncoder, extract
from features.store.files import verify
from features.store.identity import text_digest
from features.store.shards import EncodedBatch, read_shard
from tests.features.fake_encoder import FakeEncoder
from tests.features.runs import assert_holds

SHARD_BYTES = 20_000  # about three batches of the fake encoder
EXPECTED = "what the driver computed"


@dataclass(frozen=True)
class FakeRecipe:
    """A fake encoder that notes what it encoded in `folder`, and to one of which an accident happens.

    pause: seconds a batch takes.
    accident: `die` kills the process in the middle of a shard, `full` fills its disk, `unfit` makes its
        device fail: each for the first actor to come, which leaves the names of the shards that were whole
        at that moment in the file `claimed`. `none fits` fails every device.
    together: actors that wait for one another before their first text.
    """

    folder: Path
    pause: float = 0.0
    accident: str = ""
    together: int = 1

    def expect(self) -> str:
        """Something that every actor has to be given."""
        return EXPECTED

    def build(self, expected: object) -> TextEncoder:
        """Make the encoder, unless its device fails."""
        if expected != EXPECTED:
            raise InputError(f"the driver's reference is {expected!r}")
        (self.folder / f"{os.getpid()}.here").touch()
        latest = time.monotonic() + 120
        while len(list(self.folder.glob("*.here"))) < self.together and time.monotonic() < latest:
            time.sleep(0.05)
        encoder = NotingEncoder(self)
        if self.accident == "unfit" and encoder.is_first():
            raise InputError("it does not agree with float32 on the CPU")
        if self.accident == "none fits":
            raise InputError("nothing fits")
        return encoder


class NotingEncoder(FakeEncoder):
    """Appends the digests of what it encodes to a file of its own process."""

    def __init__(self, recipe: FakeRecipe) -> None:
        super().__init__(pause=recipe.pause)
        self._recipe = recipe
        self._batches = 0
        if recipe.accident == "full" and self.is_first():
            limit = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            resource.setrlimit(resource.RLIMIT_FSIZE, (16_000, limit))

    def encode(self, texts: Sequence[Text]) -> Iterator[EncodedBatch]:
        for batch in super().encode(texts):
            with (self._recipe.folder / f"{os.getpid()}.log").open("ab") as log:
                log.write(b"".join(text_digest(*texts[i]) for i in batch.index))
            yield batch
            self._batches += 1
            if self._recipe.accident == "die" and self._batches == 8 and self.is_first():
                os.kill(os.getpid(), signal.SIGKILL)

    def is_first(self) -> bool:
        """Whether the accident is this process's: the first one to ask."""
        try:
            claimed = os.open(self._recipe.folder / "claimed", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            return False
        os.write(claimed, "\n".join(path.name for path in self._recipe.folder.rglob("*.h5")).encode())
        os.close(claimed)
        return True


def digests_of(texts: Sequence[Text]) -> set[bytes]:
    """The digests of texts."""
    return {text_digest(*text) for text in texts}


def texts_in(root: Path, names: Sequence[str] | None = None) -> set[bytes]:
    """Digests of the texts in the store's whole shards, or in some of them."""
    paths = [path for path in (root / "store").glob("*/shards/*.h5") if names is None or path.name in names]
    return {digest.tobytes() for path in paths if verify(path) for digest in read_shard(path).digests}


def encoded(folder: Path) -> Counter[bytes]:
    """How often each text was encoded, lost work included."""
    counts: Counter[bytes] = Counter()
    for log in folder.glob("*.log"):
        content = log.read_bytes()
        counts.update(content[i : i + 16] for i in range(0, len(content), 16))
    return counts


class ClusterRun(NamedTuple):
    """One extraction on a cluster: what came of it, what it said, where it stood now and then."""

    extraction: ExtractionSummary
    cluster: ClusterSummary
    lines: list[str]
    states: list[State]


def run_on_cluster(
    root: Path,
    texts: Sequence[Text],
    recipe: FakeRecipe,
    settings: Settings | None = None,
    watch: Callable[[State], None] = lambda state: None,
) -> ClusterRun:
    """Extract with a store and an output under `root`, and check every vector."""
    lines: list[str] = []
    states: list[State] = []

    def see(state: State) -> None:
        states.append(state)
        watch(state)

    engine = ClusterEngine(recipe, settings or Settings(), see)
    extraction = extract(
        texts,
        np.arange(len(texts)),
        FakeEncoder(),
        root / "store",
        root / "out",
        lines.append,
        shard_bytes=SHARD_BYTES,
        engine=engine,
    )
    assert_holds(root / "out", list(texts), FakeEncoder())
    assert engine.summary is not None
    return ClusterRun(extraction, engine.summary, lines, states)
