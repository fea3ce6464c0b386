from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from features.store.extraction import extract
from features.store.reading import FeatureStore
from heads.parts.base import HeadShape, build_head
from pipeline.training import data as training_data
from pipeline.training.data import HeadData, Selection
from pipeline.training.training import score
from tests.pipeline.demo import RatingEncoder, make_corpus, make_data

TOKENS = frozenset({"tokens"})
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("seed", [None, 3])
def test_a_store_larger_than_memory_gives_every_row_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int | None
) -> None:
    """Streamed batches partition the rows, hold their own vectors, and come again with the same seed."""
    corpus, data = make_data(tmp_path, TOKENS, layers=(1, 2))
    rows = corpus.rows("train")

    def epoch() -> list[list[int]]:
        found = []
        for batch in data.batches(rows, 7, None if seed is None else np.random.default_rng(seed)):
            assert batch.labels.tolist() == corpus.label[batch.rows].tolist()
            assert torch.equal(batch.input.sequence[:, 0, 3].double(), batch.labels * 4.0)
            found.append(batch.rows.tolist())
        return found

    at_once = epoch()
    monkeypatch.setattr(training_data, "BUFFER", 2000)
    streamed = epoch()
    assert streamed != at_once
    assert sorted(row for batch in streamed for row in batch) == rows.tolist()
    assert epoch() == streamed


def test_the_order_does_not_depend_on_the_layout_of_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A corpus that was encoded in one go, and one half of which was there before, gives the same batches."""
    monkeypatch.setattr(training_data, "BUFFER", 2000)
    corpus = make_corpus()
    orders, places = [], []
    for name, first in (("once", ()), ("twice", corpus.texts[60:])):
        folder = tmp_path / name
        for texts in filter(None, (first, corpus.texts)):
            rows = np.arange(len(texts))
            extract(texts, rows, RatingEncoder(), folder / "store", folder / "cache", lambda line: None)
        store = FeatureStore.open(folder / "cache")
        data = HeadData(corpus, store, Selection(TOKENS, (2,), "mean"))
        batches = data.batches(corpus.rows("train"), 7, np.random.default_rng(3))
        orders.append([batch.rows.tolist() for batch in batches])
        places.append(store.places.tolist())
    assert places[0] != places[1]
    assert orders[0] == orders[1]


def test_streaming_changes_no_score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores of rows are the same read from memory and streamed."""
    corpus, data = make_data(tmp_path, TOKENS)
    head = build_head("self_attentive", HeadShape(data.dim, 1, 3), {})
    before = score(head, data, corpus.rows("train"))
    monkeypatch.setattr(training_data, "BUFFER", 2000)
    assert torch.allclose(score(head, data, corpus.rows("train")), before, atol=1e-5)


CHILD = """
import re, sys
from pathlib import Path
import numpy as np
from benchmarks.attention_epoch import SELECTION, Labelled
from features.store.reading import FeatureStore
from pipeline.training import batches, data as training_data
from pipeline.training.data import HeadData
batches.MIXED = 4  # blocks of megabytes, as real buffers have
training_data.BUFFER = int(sys.argv[2])
store = FeatureStore.open(Path(sys.argv[1]))
data = HeadData(Labelled(np.zeros(len(store.rows), np.int64)), store, SELECTION)
rows = np.arange(len(store.rows))
next(data.batches(rows[:8], 8))
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
before = peak()
seen = sum(len(batch.rows) for batch in data.batches(rows, 8, np.random.default_rng(1)))
assert seen == len(rows)
print(peak() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peaks are read from /proc")
def test_streaming_stays_within_its_memory(tmp_path: Path) -> None:
    """An epoch over a store that is many buffers large grows the process by far less than the store."""
    from benchmarks.read_store import store_reader

    lengths = np.full(1500, 64, np.int32)
    tokens = np.ones((int(lengths.sum()), 500), np.float16)  # 96 MB
    store_reader(tmp_path, lengths, tokens, "float16")
    grown = {}
    for buffer in (8, 1000):
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-W", "ignore", "-c", CHILD, str(tmp_path / "out"), str(buffer * 10**6)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        grown[buffer] = int(done.stdout) / 1000
    assert grown[8] < 60
    assert grown[1000] > 80
