"""Extraction on a real Ray cluster of three nodes: the same store as in one process, whatever happens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.cluster.engine import ClusterEngine
from features.cluster.plan import SAMPLE
from features.cluster.recipe import FrozenRecipe
from features.cluster.reports import State
from features.cluster.settings import Settings
from features.corpus.texts import StoredTexts, Text
from features.encoder.encoder import Encoder, EncoderSpec
from features.encoder.parity import LOWEST, POOLED
from features.store.extraction import extract
from features.store.reading import FeatureStore
from tests.features.cluster_runs import SHARD_BYTES, FakeRecipe, digests_of, encoded, run_on_cluster
from tests.features.encodings import TEXTS
from tests.features.fake_encoder import FakeEncoder
from tests.features.runs import texts_of
from tests.features.tiny_models import POSITIONS, write_tiny

pytestmark = pytest.mark.ray
COUNT = 1500
MANY = texts_of(COUNT)


@pytest.mark.parametrize("collected", [False, True], ids=["shared", "collected"])
def test_a_cluster_gives_the_vectors_of_one_process(nodes: Any, tmp_path: Path, collected: bool) -> None:
    """Rows, texts and lengths are those of the local engine, and vectors agree as the parity gate asks."""
    folder = write_tiny(tmp_path / "model", "bert")
    texts = [*TEXTS[:-1], *(Text(f"a film {number} " * (1 + number % 7)) for number in range(300))]
    rows = np.random.default_rng(13).integers(len(texts), size=700)
    spec = EncoderSpec(str(folder), None, POSITIONS, (1, 3))
    frozen = Encoder.load(spec, device="cpu")
    recipe = FrozenRecipe(spec, frozen.manifest, tmp_path, 1, (("ENCODE_ONCE_DEVICE", "cpu"),))
    settings = Settings(collect=tmp_path / "disk" if collected else None)
    engine = ClusterEngine(recipe, settings)
    lines: list[str] = []
    for name, chosen in (("here", None), ("there", engine)):
        extract(
            texts, rows, frozen, tmp_path / name / "store", tmp_path / name / "out", lines.append,
            shard_bytes=100_000, engine=chosen,
        )  # fmt: skip
    with FeatureStore.open(tmp_path / "here/out") as here, FeatureStore.open(tmp_path / "there/out") as there:
        assert not here.manifest.difference(there.manifest)
        np.testing.assert_array_equal(here.rows, there.rows)
        np.testing.assert_array_equal(here.digests, there.digests)
        np.testing.assert_array_equal(here.lengths, there.lengths)
        for vector in here.manifest.vectors:
            assert cosines(here.pooled(vector), there.pooled(vector)).min() >= POOLED
        for layer in here.manifest.layers:
            pair = [store.tokens(layer).gather(np.arange(len(texts))).tokens for store in (here, there)]
            assert cosines(*pair).min() >= LOWEST
    assert engine.summary is not None
    assert engine.summary.peak_memory > 50 * 2**20
    assert not list((tmp_path / "disk").rglob("*.h5"))
    assert any("of memory; no losses" in line for line in lines)


def cosines(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    a, b = a.astype(np.float64), b.astype(np.float64)
    return (a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))


def test_all_actors_work_and_one_bar_shows_them(nodes: Any, tmp_path: Path) -> None:
    """Each of three actors encodes a share, no text twice, and the state counts up to all of them."""
    found = run_on_cluster(tmp_path / "run", MANY, FakeRecipe(tmp_path, 0.02, together=3))
    counts = encoded(tmp_path)
    assert set(counts) == digests_of(MANY)
    assert set(counts.values()) == {1}
    assert [actor.texts > 0 for actor in found.cluster.actors] == [True] * 3
    assert found.states[-1].done == found.states[-1].total == found.extraction.new == COUNT
    assert max(state.actors for state in found.states) == 3
    assert all(a.done <= b.done for a, b in zip(found.states, found.states[1:], strict=False))
    assert any(state.rate > 0 and state.left is not None for state in found.states)
    places = (tmp_path / "run/store", tmp_path / "run/out")
    again = extract(MANY, np.arange(COUNT), FakeEncoder(), *places, print, engine=_never)
    assert again.new == 0


def _never(work: Any) -> int:
    raise AssertionError("nothing was new")


class Counting(StoredTexts):
    """Texts that count how many of them were read one by one."""

    read = 0

    def __getitem__(self, index: Any) -> Any:
        self.read += 1
        return super().__getitem__(index)


def test_texts_are_read_when_they_are_sent(nodes: Any, tmp_path: Path) -> None:
    """However many texts there are, no more than two chunks an actor are on their way at any moment."""
    stored = StoredTexts.of(texts_of(6000))
    texts = Counting(stored.texts)
    ahead: list[int] = []

    def watch(state: State) -> None:
        if state.done < state.total:
            ahead.append(texts.read - SAMPLE - state.done)

    run_on_cluster(tmp_path / "run", texts, FakeRecipe(tmp_path), None, watch)
    shard_tokens = SHARD_BYTES / 60  # of the fake encoder's vectors, at least
    assert len(ahead) > 5
    assert 0 < max(ahead) <= 3 * 2 * (8 * shard_tokens / 5 + 1) < 6000
