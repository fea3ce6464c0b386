from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from features.errors import InputError
from heads.parts.base import HeadShape, build_head
from pipeline.training.data import VARIABLE, token_memory
from pipeline.training.training import score
from tests.pipeline.demo import make_data

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

    in_memory = epoch()
    monkeypatch.setenv(VARIABLE, "5KB")
    streamed = epoch()
    assert streamed != in_memory
    assert sorted(row for batch in streamed for row in batch) == rows.tolist()
    assert epoch() == streamed


def test_streaming_changes_no_score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores of rows are the same read from memory and streamed."""
    corpus, data = make_data(tmp_path, TOKENS)
    head = build_head("self_attentive", HeadShape(data.dim, 1, 3), {})
    before = score(head, data, corpus.rows("train"))
    monkeypatch.setenv(VARIABLE, "5K")
    assert torch.allclose(score(head, data, corpus.rows("train")), before, atol=1e-5)


def test_memory_is_what_the_variable_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes have decimal units; without the variable some of what is free is taken; nonsense is refused."""
    for text, size in (("500MB", 500_000_000), ("1.5g", 1_500_000_000), ("4096", 4096)):
        monkeypatch.setenv(VARIABLE, text)
        assert token_memory() == size
    monkeypatch.delenv(VARIABLE)
    assert token_memory() > 1_000_000
    for text in ("much", "-1", "0", "5 pages"):
        monkeypatch.setenv(VARIABLE, text)
        with pytest.raises(InputError, match="ENCODE_ONCE_MEMORY"):
            token_memory()


CHILD = """
import re, sys
from pathlib import Path
import numpy as np
from benchmarks.attention_epoch import SELECTION, Labelled
from features.store.reading import FeatureStore
from pipeline.training.data import HeadData
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
    """An epoch over a store six times as large as allowed grows the process by far less than the store."""
    from benchmarks.read_store import store_reader

    lengths = np.full(1500, 64, np.int32)
    tokens = np.ones((int(lengths.sum()), 500), np.float16)  # 96 MB
    store_reader(tmp_path, lengths, tokens, "float16")
    grown = {}
    for allowed in (16, 1000):
        environment = {**os.environ, VARIABLE: f"{allowed}MB", "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-W", "ignore", "-c", CHILD, str(tmp_path / "out")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        grown[allowed] = int(done.stdout) / 1000
    assert grown[16] < 60
    assert grown[1000] > 80
