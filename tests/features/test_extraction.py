"""Extraction: what is encoded, what is kept when something goes wrong, what is published."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import numpy as np
import pytest

from features.corpus.texts import Text
from features.store.extraction import estimate, extract
from features.store.reading import FeatureStore
from tests.features.fake_encoder import FakeEncoder, expected
from tests.features.runs import run, texts_of


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, by relative name."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_every_text_is_encoded_once_and_never_again(tmp_path: Path) -> None:
    """The first run encodes all texts, the second none, and both publish the same bytes."""
    texts = texts_of(200)
    first = run(tmp_path, texts)
    before = contents(tmp_path / "out")
    shutil.rmtree(tmp_path / "out")
    second = run(tmp_path, texts)
    assert sorted(first.encoded) == sorted(texts)
    assert second.encoded == []
    assert second.lines == ["all 200 texts are in the store: nothing to encode"]
    assert contents(tmp_path / "out") == before
    tokens = int(expected(FakeEncoder().manifest, texts).lengths.sum())
    shards = list((tmp_path / "out" / "shards").iterdir())
    assert (first.summary.new, first.summary.reused, first.summary.new_tokens) == (200, 0, tokens)
    assert (second.summary.new, second.summary.reused, second.summary.new_tokens) == (0, 200, 0)
    assert second.summary.tokens == tokens
    assert second.summary.shards == len(shards) > 3
    assert second.summary.bytes == sum(path.stat().st_size for path in shards)


def test_two_stores_of_the_same_texts_publish_the_same_bytes(tmp_path: Path) -> None:
    """Nothing of the time, place or machine gets into a published corpus."""
    texts = texts_of(60)
    run(tmp_path / "a", texts)
    run(tmp_path / "b", texts)
    assert contents(tmp_path / "a" / "out") == contents(tmp_path / "b" / "out")


def test_a_changed_text_in_50_000_encodes_one(tmp_path: Path) -> None:
    """One changed row in a large corpus costs one text."""
    texts = texts_of(50_000)
    run(tmp_path, texts, encoder=FakeEncoder(batch=2048), shard_bytes=2**22)
    texts[31_415] = Text("a changed text")
    changed = run(tmp_path, texts, encoder=FakeEncoder(batch=2048))
    assert changed.encoded == [Text("a changed text")]
    assert changed.summary.reused == 49_999


def test_another_corpus_reuses_what_it_shares(tmp_path: Path) -> None:
    """Only texts that no corpus had before are encoded, and only shards in use are linked."""
    texts = texts_of(120)
    run(tmp_path, texts, out="first")
    second = run(tmp_path, [*texts[60:64], Text("new")], out="second")
    assert second.encoded == [Text("new")]
    linked = {path.name for path in (tmp_path / "second" / "shards").iterdir()}
    assert len(linked) == second.summary.shards < len(list((tmp_path / "first" / "shards").iterdir()))


def test_shards_that_are_no_longer_used_leave_the_output(tmp_path: Path) -> None:
    """Publishing a smaller corpus to the same folder drops the shards it does not use, and only those."""
    texts = texts_of(120)
    run(tmp_path, texts)
    (tmp_path / "out" / "encoder.json").write_text("{}")
    smaller = run(tmp_path, texts[:2])
    assert len(list((tmp_path / "out" / "shards").iterdir())) == smaller.summary.shards <= 2
    assert (tmp_path / "out" / "encoder.json").exists()
    assert run(tmp_path, texts).encoded == []


def test_the_output_takes_no_room_of_its_own(tmp_path: Path) -> None:
    """Published shards are hard links to those of the store."""
    run(tmp_path, texts_of(50))
    for path in (tmp_path / "out" / "shards").iterdir():
        (source,) = (tmp_path / "store").glob(f"*/shards/{path.name}")
        assert path.samefile(source)


def test_where_links_are_impossible_shards_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Across file systems the output holds copies, which open as well."""

    def refuse(self: Path, target: Path) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    run(tmp_path, texts_of(50))
    (path, *_) = (tmp_path / "out" / "shards").iterdir()
    assert path.stat().st_nlink == 1


def test_repeated_texts_are_encoded_once(tmp_path: Path) -> None:
    """A text that is given twice is encoded once and found twice."""
    again = run(tmp_path, [*texts_of(10), *texts_of(10)])
    assert len(again.encoded) == 10
    assert again.summary.texts == 20


def test_a_corpus_without_texts_is_published_empty(tmp_path: Path) -> None:
    """No text is no error."""
    extract([], np.empty(0, np.int64), FakeEncoder(), tmp_path / "store", tmp_path / "out", print)
    with FeatureStore.open(tmp_path / "out") as store:
        assert len(store.rows) == len(store.lengths) == 0
        assert store.pooled("mean@2").shape == (0, 8)


def test_the_forecast_names_texts_size_and_time(tmp_path: Path) -> None:
    """Before the bulk is encoded, one line says how much is new, how large, and about how long."""
    texts = texts_of(8000)
    (line,) = run(tmp_path, texts, encoder=FakeEncoder(batch=64), shard_bytes=2**22).lines
    tokens = int(expected(FakeEncoder().manifest, texts).lengths.sum())
    assert line.startswith("8,000 of 8,000 texts are new: about ")
    assert abs(int(line.split()[7].replace(",", "")) - tokens) < tokens / 50
    assert " MB, " in line
    assert line.endswith("tokens/s")


def test_the_forecast_meets_the_size_on_disk(tmp_path: Path) -> None:
    """The forecast bytes of large shards are within a few per cent of what is written."""
    texts = texts_of(4000)
    encoder = FakeEncoder()
    size = estimate(encoder, texts, encoder.manifest)
    written = run(tmp_path, texts, encoder=encoder, shard_bytes=2**26).summary.bytes
    assert size.bytes <= written < size.bytes * 1.05
