"""The store: what it finds, what it refuses, who may write."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.corpus.texts import Text
from features.errors import InputError
from features.store import store as store_module
from features.store.identity import Manifest
from features.store.shards import read_shard
from features.store.store import Store, text_digests
from features.store.writing import ShardWriter
from tests.features.fake_encoder import FakeEncoder, expected, fake_manifest


def _fill(root: Path, texts: list[Text], manifest: Manifest | None = None, per_shard: int = 3) -> list[str]:
    """Put texts into a store, a few a shard; gives the lines it reported."""
    lines: list[str] = []
    manifest = manifest or fake_manifest()
    with Store(root, manifest, lines.append) as store, ShardWriter(store, size=1) as writer:
        for start in range(0, len(texts), per_shard):
            part = texts[start : start + per_shard]
            writer.add(text_digests(part), expected(manifest, part))
    return lines


def _texts(count: int) -> list[Text]:
    return [Text(f"text {number} " + "word " * (number % 5)) for number in range(count)]


def _shards(root: Path) -> list[Path]:
    return sorted(root.glob("*/shards/*.h5"))


@settings(max_examples=40, deadline=None)
@given(
    shards=st.lists(st.lists(st.integers(0, 40), max_size=8), max_size=5),
    wanted=st.lists(st.integers(0, 60), max_size=30),
)
def test_texts_are_found_where_they_stand(shards: list[list[int]], wanted: list[int]) -> None:
    """`locate` names a shard and position that hold the text, or none where no shard does."""

    def digests(numbers: list[int]) -> np.ndarray:
        # Zero bytes at both ends: equal widths must not let them be stripped.
        raw = b"".join(bytes(14) + bytes([number // 8, number % 8]) for number in numbers)
        flipped = b"".join(bytes([number % 8, number // 8]) + bytes(14) for number in numbers)
        joined = np.frombuffer(raw + flipped, np.uint8).reshape(2, len(numbers), 16)
        return np.where((np.array(numbers) % 2 == 0)[:, None], joined[0], joined[1])

    store = Store(Path("unused"), fake_manifest(), print)
    for numbers in shards:
        if numbers:
            known = digests(numbers)
            empty = np.zeros(len(known), np.int32)
            store.shards.append(store_module.Shard("0" * 32, 0, store.manifest, known, empty, ()))
    places = store.locate(digests(wanted))
    present = {number for numbers in shards for number in numbers}
    filled = [numbers for numbers in shards if numbers]
    for number, shard, position in zip(wanted, places.shard, places.position, strict=True):
        if number in present:
            assert filled[shard][position] == number
        else:
            assert shard == -1


def test_missing_names_each_new_text_once(tmp_path: Path) -> None:
    """A text that occurs twice is missing once, and known texts are not missing."""
    _fill(tmp_path, _texts(4))
    wanted = [*_texts(6), *_texts(6), Text("another")]
    with Store(tmp_path, fake_manifest(), print) as store:
        assert store.missing(text_digests(wanted)).tolist() == [4, 5, 12]


def test_a_pair_is_another_text_than_its_parts_joined(tmp_path: Path) -> None:
    """What stands in the text and what in its pair belongs to the key."""
    _fill(tmp_path, [Text("ab", "c")])
    with Store(tmp_path, fake_manifest(), print) as store:
        wanted = [Text("ab", "c"), Text("a", "bc"), Text("abc"), Text("ab"), Text("ab", "")]
        assert store.missing(text_digests(wanted)).tolist() == [1, 2, 3, 4]


def test_another_manifest_is_another_store(tmp_path: Path) -> None:
    """Vectors of other weights are never taken for those of these."""
    _fill(tmp_path, _texts(3))
    with Store(tmp_path, fake_manifest(weights="f" * 32), print) as store:
        assert len(store.missing(text_digests(_texts(3)))) == 3


def test_a_shard_of_another_encoder_is_moved_aside(tmp_path: Path) -> None:
    """A sound shard in the wrong folder is named with the field that differs, and not used."""
    other = fake_manifest(weights="f" * 32)
    _fill(tmp_path, _texts(3), other)
    _fill(tmp_path, _texts(2))
    (wrong,) = (tmp_path / other.key / "shards").iterdir()
    shutil.copy(wrong, tmp_path / fake_manifest().key / "shards")
    lines: list[str] = []
    with Store(tmp_path, fake_manifest(), lines.append) as store:
        assert store.missing(text_digests(_texts(3))).tolist() == [2]
    assert len(lines) == 1
    assert "another encoder (different: weights)" in lines[0]
    assert (tmp_path / fake_manifest().key / "quarantine" / wrong.name).exists()


def test_a_foreign_file_is_left_alone(tmp_path: Path) -> None:
    """What is not named like a shard is reported, neither used nor touched."""
    _fill(tmp_path, _texts(3))
    notes = tmp_path / fake_manifest().key / "shards" / "notes.txt"
    notes.write_text("mine")
    lines = _fill(tmp_path, [])
    assert len(lines) == 1
    assert "notes.txt is not a shard" in lines[0]
    assert notes.read_text() == "mine"


def test_a_foreign_file_under_a_shards_name_is_moved_aside(tmp_path: Path) -> None:
    """A name alone makes no shard."""
    _fill(tmp_path, _texts(3))
    (tmp_path / fake_manifest().key / "shards" / ("a" * 32 + ".h5")).write_text("mine")
    (line,) = _fill(tmp_path, [])
    assert "damaged" in line
    assert (tmp_path / fake_manifest().key / "quarantine" / ("a" * 32 + ".h5")).read_text() == "mine"


@pytest.mark.parametrize("keep", [0, 1, 100, -1])
def test_a_shard_cut_short_is_encoded_again(tmp_path: Path, keep: int) -> None:
    """The texts of a truncated shard, and no others, are missing."""
    _fill(tmp_path, _texts(6))
    victim = _shards(tmp_path)[0]
    lost = {digest.tobytes() for digest in read_shard(victim).digests}
    victim.chmod(0o644)
    content = victim.read_bytes()
    victim.write_bytes(content[:keep])
    digests = text_digests(_texts(6))
    with Store(tmp_path, fake_manifest(), lambda line: None) as store:
        assert {digests[i].tobytes() for i in store.missing(digests)} == lost
        assert len(lost) == 3


def test_untouched_shards_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only files that something wrote to are verified; the others cost a look at their header."""
    _fill(tmp_path, _texts(9))
    touched = _shards(tmp_path)[1]
    touched.touch()
    read: list[Path] = []
    verify = store_module.verify

    def spy(path: Path) -> bool:
        read.append(path)
        return verify(path)

    monkeypatch.setattr(store_module, "verify", spy)
    assert _fill(tmp_path, []) == []
    assert read == [touched]
    assert _fill(tmp_path, []) == []
    assert read == [touched]


def test_what_a_kill_left_is_cleared(tmp_path: Path) -> None:
    """A half-written file of a killed run is removed by the next one."""
    _fill(tmp_path, _texts(3))
    leftover = tmp_path / fake_manifest().key / "shards" / ("b" * 32 + ".h5.partial")
    leftover.write_bytes(b"half")
    assert _fill(tmp_path, []) == []
    assert not leftover.exists()


def test_a_second_writer_is_told_who_holds_the_store(tmp_path: Path) -> None:
    """While one process writes, another gets one line with its number and machine."""
    with Store(tmp_path, fake_manifest(), print):
        code = (
            "import sys; from pathlib import Path; from features.store.store import Store\n"
            "from features.errors import InputError\n"
            "from tests.features.fake_encoder import fake_manifest\n"
            "try:\n    Store(Path(sys.argv[1]), fake_manifest(), print).__enter__()\n"
            "except InputError as error:\n    print(error)\n"
        )
        found = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
        )
    assert re.search(rf"being written by process {os.getpid()} on \S+; wait", found.stdout), found
    _fill(tmp_path, _texts(1))  # and is free again


def test_a_store_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    """A store that stands where a file is ends in one line that says what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot be written \(Not a directory\); give it a folder"):
        _fill(tmp_path / "file", _texts(1))


def test_the_manifest_is_there_to_be_read_by_people(tmp_path: Path) -> None:
    """Beside the shards stands what computed them."""
    _fill(tmp_path, _texts(1))
    text = (tmp_path / fake_manifest().key / "manifest.json").read_text()
    assert Manifest.from_json(text) == fake_manifest()


def test_shards_close_by_size_and_by_time(tmp_path: Path) -> None:
    """A writer starts a new shard once the old one is large or old enough, and not before."""
    manifest = fake_manifest()
    counts = {}
    for name, size, seconds in (("size", 2000, 1e9), ("time", 10**9, 0.0), ("neither", 10**9, 1e9)):
        with Store(tmp_path / name, manifest, print) as store:
            with ShardWriter(store, size, seconds) as writer:
                for batch in FakeEncoder(batch=2).encode(_texts(12)):
                    writer.add(text_digests([_texts(12)[i] for i in batch.index]), batch)
            assert sum(len(shard.digests) for shard in store.shards) == 12
        counts[name] = len(_shards(tmp_path / name))
    assert counts["neither"] == 1
    assert counts["time"] == 6
    assert 1 < counts["size"] < 6


def test_a_shard_opens_in_any_hdf5_reader(tmp_path: Path) -> None:
    """A shard opens in plain h5py and says what it is."""
    _fill(tmp_path, _texts(3))
    with h5py.File(_shards(tmp_path)[0]) as file:
        assert Manifest.from_json(file.attrs["manifest"]) == fake_manifest()
