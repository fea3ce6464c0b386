"""One actor without Ray: what it writes, and when it refuses."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from features.cluster.actor import EncodingActor, load_proven
from features.encoder.encoder import Encoder, EncoderSpec
from features.encoder.parity import expected_vectors
from features.errors import InputError
from features.store.files import holder
from features.store.shards import SHARDS
from features.store.store import Store, text_digests
from tests.features.cluster_runs import EXPECTED, FakeRecipe
from tests.features.fake_encoder import FakeEncoder
from tests.features.runs import texts_of
from tests.features.tiny_models import POSITIONS, write_tiny

TEXTS = texts_of(200)
DIGESTS = text_digests(TEXTS)
MANIFEST = FakeEncoder().manifest


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """The driver's store."""
    with Store(tmp_path / "store", MANIFEST, print) as store:
        yield store


@pytest.fixture
def actor(store: Store, tmp_path: Path) -> EncodingActor:
    """An actor that sees it, and was started."""
    found = EncodingActor(FakeRecipe(tmp_path).build, MANIFEST, store.folder, holder(store.folder))
    found.start(EXPECTED)
    return found


def test_a_chunk_becomes_one_shard(store: Store, actor: EncodingActor) -> None:
    """The report names the shard that holds the texts it was given, and says what they are."""
    for start, end in ((0, 90), (90, 200)):
        report = actor.encode(TEXTS[start:end], DIGESTS[start:end])
        shard = store.admit(store.folder / SHARDS / (report.shard + ".h5"))
        assert set(map(bytes, shard.digests)) == set(map(bytes, DIGESTS[start:end]))
        assert report.texts == end - start
        assert report.tokens == int(FakeEncoder().tokenize(TEXTS[start:end]).lengths.sum())
        assert report.seconds > 0
    assert len(store.missing(DIGESTS)) == 0


def test_the_same_chunk_twice_is_one_file(store: Store, actor: EncodingActor) -> None:
    """Shards are named by their content, so that a repeat changes nothing."""
    first, second = (actor.encode(TEXTS, DIGESTS) for _ in range(2))
    assert first.shard == second.shard
    assert [path.stem for path in (store.folder / SHARDS).iterdir()] == [first.shard]


def test_an_actor_that_does_not_see_the_store_refuses(store: Store, tmp_path: Path) -> None:
    """A node on which the store's folder is another, or none, is told before anything is encoded."""
    for folder in (tmp_path / "elsewhere", tmp_path / "store"):
        stray = EncodingActor(FakeRecipe(tmp_path).build, MANIFEST, folder, holder(store.folder))
        with pytest.raises(InputError, match="does not see the driver's store"):
            stray.start(EXPECTED)


def test_a_full_disk_is_one_clear_line(
    actor: EncodingActor, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be written is refused with the folder's name, and leaves nothing behind."""

    def refuse(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(InputError, match=r"the disk of .* is full \(No space left on device\)"):
        actor.encode(TEXTS, DIGESTS)
    assert not list((store.folder / SHARDS).iterdir())


def test_a_stopped_actor_writes_what_it_has(store: Store, tmp_path: Path) -> None:
    """Stopped in the middle of a chunk, the shard holds the batches that were encoded; later chunks none."""

    class Stopping(FakeEncoder):
        def encode(self, texts):  # type: ignore[no-untyped-def]
            for number, batch in enumerate(super().encode(texts)):
                if number == 2:
                    actor.stop()
                yield batch

    actor = EncodingActor(lambda expected: Stopping(), MANIFEST, store.folder, holder(store.folder))
    actor.start(None)
    report = actor.encode(TEXTS, DIGESTS)
    assert report.texts == 3 * 16
    assert len(store.admit(store.folder / SHARDS / (report.shard + ".h5")).digests) == 3 * 16
    assert actor.encode(TEXTS, DIGESTS)[1:4] == ("", 0, 0)


def test_an_encoder_that_leaves_texts_out_is_a_defect(store: Store) -> None:
    """Fewer vectors than texts end the call, and nothing is written."""

    class Forgetful(FakeEncoder):
        def encode(self, texts):  # type: ignore[no-untyped-def]
            yield from super().encode(texts[:-1])

    actor = EncodingActor(lambda expected: Forgetful(), MANIFEST, store.folder, holder(store.folder))
    actor.start(None)
    with pytest.raises(RuntimeError, match="199 of 200 texts"):
        actor.encode(TEXTS, DIGESTS)
    assert not list((store.folder / SHARDS).iterdir())


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EncoderSpec:
    """A tiny encoder; what enters its folder leaves it again."""
    monkeypatch.chdir(tmp_path)
    return EncoderSpec(str(write_tiny(tmp_path / "tiny", "bert")), None, POSITIONS)


def test_an_actor_whose_vectors_would_differ_refuses(spec: EncoderSpec, tmp_path: Path) -> None:
    """Where a node computes in another precision than the driver, the line names both."""
    halves = Encoder.load(spec, device="cpu", precision="float16").manifest
    with pytest.raises(InputError, match="precision is float32, the driver has float16"):
        load_proven(spec, halves, tmp_path, 1, {}, None)


def test_an_actor_passes_the_parity_gate_first(
    spec: EncoderSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the driver computed is the reference: its own vectors pass, those of other weights do not."""
    driver = Encoder.load(spec, device="cpu")
    expected = expected_vectors(driver)
    foreign = [(tokens[..., ::-1].copy(), pooled) for tokens, pooled in expected]
    monkeypatch.setattr("features.encoder.parity.plain_forward", None)  # nothing is computed again
    assert load_proven(spec, driver.manifest, tmp_path, 1, {}, expected).manifest == driver.manifest
    with pytest.raises(InputError, match="does not agree with"):
        load_proven(spec, driver.manifest, tmp_path, 1, {}, foreign)


def test_an_actor_writes_only_finite_numbers(store: Store) -> None:
    """A vector that is no number ends the call as the local engine would, and nothing is written."""

    class Broken(FakeEncoder):
        def encode(self, texts):  # type: ignore[no-untyped-def]
            for batch in super().encode(texts):
                batch.tokens[0][0, 0] = np.inf
                yield batch

    in_8_bits = FakeEncoder().manifest.__class__(**{**vars(MANIFEST), "tokens": "int8"})
    actor = EncodingActor(lambda expected: Broken(), in_8_bits, store.folder, holder(store.folder))
    actor.start(None)
    with pytest.raises(ValueError, match="not finite"):
        actor.encode(TEXTS, DIGESTS)
    assert not list((store.folder / SHARDS).iterdir())
