"""Stores that the release before the version number made: their vectors are found, others never are."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from features.corpus.texts import Text
from features.errors import InputError
from features.store.extraction import extract
from features.store.files import exclusive
from features.store.identity import Manifest
from features.store.reading import FeatureStore
from features.store.store import encoder_folders, scan
from tests.features.fake_encoder import FakeEncoder, fake_manifest

ROOT = Path(__file__).parents[2]
FINGERPRINTS = (
    "e442f1e84d502f1b188e1c74d0649d10",
    "3bf622f34800549212488f37f3ea82d0",
    "ca3f5c49599d4d67f8f1bcd315513d86",
)
TEXTS = [Text(f"text number {i}") for i in range(40)]


class FormerManifest(Manifest):
    """A manifest as that release wrote it: a fingerprint of the code in place of the version number."""

    @property
    def key(self) -> str:
        """The folder's name, by that release's formula."""
        fields = {name: value for name, value in self._fields().items() if name not in ("model", "libraries")}
        return hashlib.blake2b(json.dumps(fields, sort_keys=True).encode(), digest_size=16).hexdigest()

    def to_json(self) -> str:
        """What that release wrote into folders, shards and indices."""
        return json.dumps(self._fields(), sort_keys=True)

    def _fields(self) -> dict[str, object]:
        fields = dataclasses.asdict(self)
        return {"code": fields.pop("version"), **fields}


def former(fingerprint: str) -> Manifest:
    """The fake encoder's manifest of that release."""
    given = fake_manifest(version=fingerprint)
    return FormerManifest(**{f.name: getattr(given, f.name) for f in dataclasses.fields(given)})


def run(room: Path, encoder: FakeEncoder, texts: list[Text] = TEXTS) -> int:
    """Extract texts, a row each; the number that was encoded."""
    rows = np.arange(len(texts))
    summary = extract(texts, rows, encoder, room / "store", room / "out", lambda line: None, shard_bytes=4000)
    return summary.new


def contents(room: Path) -> dict[str, bytes]:
    """The shards of all folders by name."""
    return {path.name: path.read_bytes() for path in room.glob("store/*/shards/*.h5")}


@pytest.mark.parametrize("fingerprint", FINGERPRINTS)
def test_the_folder_of_the_former_key_is_taken_over(tmp_path: Path, fingerprint: str) -> None:
    """Nothing is encoded, shards stay as they are, and new texts come beside them."""
    old, encoder = former(fingerprint), FakeEncoder()
    assert run(tmp_path, FakeEncoder(old)) == len(TEXTS)
    before = contents(tmp_path)
    assert len(before) > 1
    assert run(tmp_path, encoder) == 0
    assert encoder.encoded == []
    assert contents(tmp_path) == before
    assert [path.name for path in (tmp_path / "store").iterdir()] == [encoder.manifest.key]
    assert run(tmp_path, encoder, [*TEXTS, Text("a new one")]) == 1
    lines: list[str] = []
    folder = tmp_path / "store" / encoder.manifest.key
    shards = scan(folder, lines.append, encoder.manifest, thorough=True)
    assert lines == []
    assert {shard.manifest.version for shard in shards} == {1}
    assert contents(tmp_path).items() > before.items()


def test_a_corpus_that_was_published_before_opens(tmp_path: Path) -> None:
    """Its index says the former code, which is the version that it is compared with."""
    run(tmp_path, FakeEncoder(former(FINGERPRINTS[0])))
    store = FeatureStore.open(tmp_path / "out", fake_manifest())
    assert store.manifest == fake_manifest()
    with pytest.raises(InputError, match="version is 1, expected 2"):
        FeatureStore.open(tmp_path / "out", fake_manifest(version=2))


def test_a_folder_that_nobody_took_over_yet_is_sound(tmp_path: Path) -> None:
    """Looking after the store moves none of its files aside."""
    run(tmp_path, FakeEncoder(former(FINGERPRINTS[1])))
    (folder,) = encoder_folders(tmp_path / "store")
    lines: list[str] = []
    assert len(scan(folder, lines.append, thorough=True)) == len(contents(tmp_path))
    assert lines == []


def test_vectors_of_unknown_code_are_never_taken(tmp_path: Path) -> None:
    """Another fingerprint encodes anew; its own folder stays, sound and under its own key."""
    unknown = former("d" * 32)
    run(tmp_path, FakeEncoder(unknown))
    before = contents(tmp_path)
    assert run(tmp_path, FakeEncoder()) == len(TEXTS)
    folders = {folder.name: folder for folder in encoder_folders(tmp_path / "store")}
    assert folders.keys() == {unknown.key, fake_manifest().key}
    lines: list[str] = []
    (first, *_) = scan(folders[unknown.key], lines.append, thorough=True)
    assert lines == []
    assert first.manifest.key == unknown.key
    assert Manifest.from_json(first.manifest.to_json()) == first.manifest
    assert first.manifest.difference(fake_manifest()) == ("version",)
    assert contents(tmp_path).items() > before.items()


def test_a_higher_number_takes_nothing_over(tmp_path: Path) -> None:
    """Vectors of version 1 are no vectors of version 2."""
    run(tmp_path, FakeEncoder(former(FINGERPRINTS[0])))
    assert run(tmp_path, FakeEncoder(fake_manifest(version=2))) == len(TEXTS)


def test_a_former_folder_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    """The earlier release may still run: its folder keeps its name, and the message says who holds it."""
    old = former(FINGERPRINTS[0])
    run(tmp_path, FakeEncoder(old))
    folder = tmp_path / "store" / old.key
    with exclusive(folder), pytest.raises(InputError, match=f"{old.key} is being written by process"):
        run(tmp_path, FakeEncoder())
    assert folder.is_dir()
    assert run(tmp_path, FakeEncoder()) == 0


PROGRAM = """
from features.store.identity import Manifest
manifest = Manifest("fake", "0" * 32, "1" * 32, 64, (1, 2), ("cls@1",), 8, "float16", 1, "float32")
print(manifest.key, *manifest.former_keys)
"""
KEYS = (
    "f8be5d452772ce1a41889148fd1cbf63 076d2cb6176d8796c7fce1255edbeaa4 58c41a616a22449f547fe11557b48910 "
    "e62425242aeadeaeec7751bc1311eae5"
)


def test_every_python_makes_the_same_keys() -> None:
    """A key does not depend on the version of Python; each one that this machine has is asked."""
    installed = {sys.executable, *(shutil.which(f"python3.{minor}") for minor in range(11, 16))}
    installed |= {str(path) for path in Path.home().glob(".pyenv/versions/3.1[1-5]*/bin/python")}
    for python in sorted(filter(None, installed)):
        ran = subprocess.run([python, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True)
        if ran.returncode == 127:  # a version manager's stand-in for one that is not installed
            continue
        assert ran.stdout.strip() == KEYS, f"{python}: {ran.stderr}"
