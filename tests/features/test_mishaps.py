"""Extractions that meet a full disk, an interrupt, a deleted store or a damaged one."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from features.errors import InputError
from features.store import cost
from features.store.files import PARTIAL
from features.store.reading import FeatureStore
from tests.features.fake_encoder import FakeEncoder, fake_manifest
from tests.features.runs import run, texts_of


def test_what_the_disk_cannot_hold_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without room for the new texts nothing is encoded, and the line says what is needed and free."""
    usage = shutil.disk_usage(tmp_path)._replace(free=65_000_000)
    monkeypatch.setattr(cost.shutil, "disk_usage", lambda path: usage)
    encoder = FakeEncoder()
    with pytest.raises(InputError, match=r"5,000 new texts need about .* MB in .* only 65.0 MB are free"):
        run(tmp_path, texts_of(5000), encoder=encoder)
    assert encoder.encoded == []


@contextmanager
def full_disk(limit: int) -> Iterator[None]:
    """The system refuses to let any file grow beyond `limit` bytes."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


def test_a_disk_that_fills_up_keeps_what_is_finished(tmp_path: Path) -> None:
    """When a shard cannot be written the run ends in one line; the next one goes on from there."""
    texts = texts_of(200)
    encoder = FakeEncoder(batch=4)
    done: list[int] = []

    def fill(count: int, total: int, note: str) -> None:
        done.append(count)
        if count == 100:
            resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

    with full_disk(2**40), pytest.raises(InputError, match=r"is full .* what this run has finished is kept"):
        run(tmp_path, texts, encoder=encoder, progress=fill)
    assert not list(tmp_path.rglob("*" + PARTIAL))
    again = run(tmp_path, texts)
    assert 0 < len(again.encoded) <= 200 - 80


@pytest.mark.parametrize("moment", [1, 8, 20])
def test_an_interrupted_run_keeps_all_it_encoded(tmp_path: Path, moment: int) -> None:
    """Ctrl-C writes the shard that was being filled; nothing that was encoded is encoded again."""
    texts = texts_of(100)
    encoder = FakeEncoder(batch=4)

    def interrupt(done: int, total: int, note: str) -> None:
        if done == moment * 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, texts, encoder=encoder, progress=interrupt)
    first = list(encoder.encoded)
    again = run(tmp_path, texts)
    assert len(first) == moment * 4
    assert not set(first) & set(again.encoded)
    assert sorted(first + again.encoded) == sorted(texts)


@pytest.mark.parametrize("moment", [4, 40, 100])
def test_a_store_deleted_meanwhile_is_one_clear_line(tmp_path: Path, moment: int) -> None:
    """If the store vanishes during a run, the run says so, and the next one gives a correct corpus."""
    texts = texts_of(100)

    def delete(done: int, total: int, note: str) -> None:
        if done == moment:
            while (tmp_path / "store").exists():
                shutil.rmtree(tmp_path / "store", ignore_errors=True)

    with pytest.raises(InputError, match="changed or removed by someone else"):
        run(tmp_path, texts, encoder=FakeEncoder(batch=4), progress=delete)
    with pytest.raises(InputError, match="no finished extraction"):
        FeatureStore.open(tmp_path / "out")
    assert len(run(tmp_path, texts).encoded) == 100


@pytest.mark.parametrize("at_rest", ["float16", "int8"])
def test_a_flipped_bit_anywhere_never_gives_wrong_vectors(tmp_path: Path, at_rest: str) -> None:
    """50 times one random bit of a shard changes: it is noticed, and only that shard's texts are encoded."""
    texts, encoder = texts_of(60), FakeEncoder(fake_manifest(tokens=at_rest))
    run(tmp_path, texts, encoder=encoder)
    random = np.random.default_rng(13)
    for _ in range(50):
        path = flip_a_bit(tmp_path / "out", random)
        with pytest.raises(InputError, match="is damaged, expected"):
            FeatureStore.open(tmp_path / "out")
        again = run(tmp_path, texts, encoder=encoder)
        assert any(path.name in line and "damaged" in line for line in again.lines)
        assert 0 < len(again.encoded) < 60


def flip_a_bit(out: Path, random: np.random.Generator) -> Path:
    """Change one random bit of one random shard in place."""
    shards = sorted((out / "shards").iterdir())
    path = shards[random.integers(len(shards))]
    path.chmod(0o644)
    with path.open("r+b") as file:
        place = int(random.integers(os.fstat(file.fileno()).st_size))
        file.seek(place)
        (byte,) = file.read(1)
        file.seek(place)
        file.write(bytes([byte ^ (1 << int(random.integers(8)))]))
    return path


def test_an_encoder_that_breaks_its_promise_is_stopped(tmp_path: Path) -> None:
    """An encoder that leaves texts out ends the run; nothing is published for them."""

    class Forgetful(FakeEncoder):
        def encode(self, texts):  # type: ignore[no-untyped-def]
            yield from super().encode(texts[:-1])

    with pytest.raises(RuntimeError, match="49 of 50"):
        run(tmp_path, texts_of(50), encoder=Forgetful())
    assert not (tmp_path / "out").exists()
