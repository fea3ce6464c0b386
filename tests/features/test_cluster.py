"""Extraction on a real Ray cluster of three nodes gives the store of one process."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.cluster.actor import load_proven
from features.cluster.engine import AHEAD, SAMPLE, ClusterEngine, Settings
from features.corpus.texts import StoredTexts, Text
from features.encoder.encoder import Encoder, EncoderSpec
from features.encoder.parity import LOWEST, POOLED, expected_vectors
from features.errors import InputError
from features.store.cost import encode_cost
from features.store.extraction import extract
from features.store.reading import FeatureStore
from tests.features.cluster_runs import FakeRecipe, digests_of, encoded, run_on_cluster
from tests.features.encodings import TEXTS
from tests.features.fake_encoder import FakeEncoder, fake_manifest
from tests.features.runs import texts_of
from tests.features.tiny_models import POSITIONS, write_tiny

COUNT = 1500
MANY = texts_of(COUNT)


@pytest.mark.ray
def test_a_cluster_gives_the_vectors_of_one_process(nodes: Any, tmp_path: Path) -> None:
    """Rows, texts and lengths are those of the local engine, and vectors agree as the parity gate asks."""
    folder = write_tiny(tmp_path / "model", "bert")
    texts = [*TEXTS[:-1], *(Text(f"a film {number} " * (1 + number % 7)) for number in range(300))]
    rows = np.random.default_rng(13).integers(len(texts), size=700)
    spec = EncoderSpec(str(folder), None, POSITIONS, (1, 3))
    encoder = Encoder.load(spec, device="cpu")
    build = partial(load_proven, spec, encoder.manifest, tmp_path, 1, {"ENCODE_ONCE_DEVICE": "cpu"})
    engine = ClusterEngine(build, lambda: expected_vectors(encoder), Settings(actors=1))
    lines: list[str] = []
    for name, chosen in (("here", None), ("there", engine)):
        extract(
            texts, rows, encoder, tmp_path / name / "store", tmp_path / name / "out", lines.append,
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
    assert lines[-1].endswith("losses: none")
    cost = encode_cost(tmp_path / "there/store" / encoder.manifest.key)
    assert cost.texts == len({*texts})
    assert cost.machines == ("Ray, 1 actors of 1 CPUs and 0 GPUs",)


def cosines(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    a, b = a.astype(np.float64), b.astype(np.float64)
    return (a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))


@pytest.mark.ray
def test_all_actors_work_and_one_bar_shows_them(nodes: Any, tmp_path: Path) -> None:
    """Each of three actors encodes a share, no text twice, and the state counts up to all of them."""
    found = run_on_cluster(tmp_path / "run", MANY, FakeRecipe(tmp_path, together=3))
    counts = encoded(tmp_path)
    assert set(counts) == digests_of(MANY)
    assert set(counts.values()) == {1}
    assert len(list(tmp_path.glob("*.log"))) == 3
    assert found.lines[-1].startswith("3 actors took ")
    done, total, _ = found.states[-1]
    assert done == total == found.extraction.new == COUNT
    assert all(a[0] <= b[0] for a, b in zip(found.states, found.states[1:], strict=False))
    assert any(note.startswith("3 of 3 actors at ") and note.endswith(" left") for *_, note in found.states)
    places = (tmp_path / "run/store", tmp_path / "run/out")
    again = extract(MANY, np.arange(COUNT), FakeEncoder(), *places, print, engine=_never)
    assert again.new == 0


def _never(work: Any) -> None:
    raise AssertionError("nothing was new")


class Counting(StoredTexts):
    """Texts that count how many of them were read one by one."""

    read = 0

    def __getitem__(self, index: Any) -> Any:
        self.read += 1
        return super().__getitem__(index)


@pytest.mark.ray
def test_texts_are_read_when_they_are_sent(nodes: Any, tmp_path: Path) -> None:
    """However many texts there are, no more than two chunks an actor are on their way at any moment."""
    stored = StoredTexts.of(texts_of(6000))
    texts = Counting(stored.texts)
    ahead: list[int] = []

    def watch(done: int, total: int, note: str) -> None:
        if 0 < done < total:
            ahead.append(texts.read - SAMPLE - done)

    run_on_cluster(tmp_path / "run", texts, FakeRecipe(tmp_path), watch)
    assert len(ahead) > 5
    assert 0 < max(ahead) <= 3 * AHEAD * 100 < 6000


def test_settings_are_read_from_the_environment() -> None:
    """Each variable sets its field, and what is unset has a default."""
    assert Settings.read({}) == Settings(actors=0, cpus=1.0, gpus=0.0, threads=0)
    given = {"ACTORS": "12", "CPUS": "4", "GPUS": "0.25", "THREADS": "3"}
    settings = Settings.read({"ENCODE_ONCE_RAY_" + name: value for name, value in given.items()})
    assert settings == Settings(actors=12, cpus=4.0, gpus=0.25, threads=3)
    assert Settings.read({"ENCODE_ONCE_RAY_GPUS": "2"}).gpus == 2


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ACTORS", "many", "input should be a valid integer"),
        ("ACTORS", "1.5", "input should be a valid integer"),
        ("CPUS", "-1", "input should be greater than or equal to 0"),
        ("GPUS", "nan", "input should be a finite number"),
        ("GPUS", "1.5", "input should be less than or equal to 1"),
    ],
)
def test_a_wrong_setting_is_one_clear_line(name: str, value: str, said: str) -> None:
    """The line names the variable, what it holds and what was expected."""
    with pytest.raises(InputError, match=f"ENCODE_ONCE_RAY_{name} is `{value}`; {said}"):
        Settings.read({"ENCODE_ONCE_RAY_" + name: value})


def test_an_address_where_nobody_answers_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong RAY_ADDRESS ends in one line that names it."""
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    monkeypatch.setenv("RAY_ADDRESS", "nonsense")
    with pytest.raises(InputError, match="RAY_ADDRESS is `nonsense`"):
        run_on_cluster(tmp_path, MANY[:5], FakeRecipe(tmp_path))
    assert encode_cost(tmp_path / "store" / fake_manifest().key).texts == 0
