"""One form at rest made from another."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from features.encoded import Text
from features.errors import InputError
from features.storing import forecast
from features.storing.manifest import Manifest
from tests.features.damage import flip_unseen
from tests.features.fake_encoder import FakeEncoder, fake_manifest
from tests.features.runs import Run, run, texts_of

TEXTS = texts_of(90)


def extract_as(root: Path, tokens: str, texts: list[Text] = TEXTS, **changes: object) -> Run:
    """Extract into an output folder named by the form at rest; every vector is checked."""
    return run(root, texts, out=tokens, encoder=FakeEncoder(manifest(tokens, **changes)))


def manifest(tokens: str, **changes: object) -> Manifest:
    """The fake encoder's, for one form at rest."""
    return fake_manifest(tokens=tokens, **changes)


@pytest.mark.parametrize("tokens", ["int8", "none"])
def test_texts_that_are_kept_in_full_are_not_encoded_again(tmp_path: Path, tokens: str) -> None:
    """A smaller form of an encoded corpus encodes nothing, says so, and holds what encoding would give."""
    extract_as(tmp_path, "float16")
    converted = extract_as(tmp_path, tokens)
    assert converted.encoded == []
    assert converted.lines == [
        "90 texts are kept in float16: they are converted, not encoded",
        "all 90 texts are in the store: nothing to encode",
    ]
    assert (converted.summary.new, converted.summary.reused) == (0, 90)
    assert converted.summary.bytes < sum(p.stat().st_size for p in (tmp_path / "float16/shards").iterdir())


def test_only_texts_of_the_corpus_are_converted(tmp_path: Path) -> None:
    """What the corpus does not use stays as it is, and what is nowhere yet is encoded."""
    extract_as(tmp_path, "float16")
    wanted = [*TEXTS[70:40:-3], Text("new")]
    converted = extract_as(tmp_path, "int8", wanted)
    assert converted.encoded == [Text("new")]
    assert converted.lines[0].startswith("10 texts are kept in float16")
    assert extract_as(tmp_path, "int8").lines[0].startswith("80 texts are kept in float16")


def test_a_second_run_converts_nothing(tmp_path: Path) -> None:
    """Texts are converted once."""
    extract_as(tmp_path, "float16")
    extract_as(tmp_path, "int8")
    assert extract_as(tmp_path, "int8").lines == ["all 90 texts are in the store: nothing to encode"]


def test_the_larger_form_is_never_made_from_the_smaller(tmp_path: Path) -> None:
    """What 8 bits have lost is encoded again."""
    extract_as(tmp_path, "int8")
    assert len(extract_as(tmp_path, "float16").encoded) == len(TEXTS)


@pytest.mark.parametrize("change", [{"weights": "e" * 32}, {"max_length": 32}, {"precision": "bfloat16"}])
def test_another_encoder_is_no_source(tmp_path: Path, change: dict[str, object]) -> None:
    """Where anything but the form at rest differs, nothing is taken."""
    extract_as(tmp_path, "float16")
    assert len(extract_as(tmp_path, "int8", **change).encoded) == len(TEXTS)


def test_decay_of_the_source_is_not_copied(tmp_path: Path) -> None:
    """A bit that changed without breaking the seal is found, and that shard's texts are encoded."""
    extract_as(tmp_path, "float16")
    path = sorted((tmp_path / "store" / manifest("float16").key / "shards").iterdir())[1]
    flip_unseen(path)
    assert 0 < len(extract_as(tmp_path, "int8").encoded) < len(TEXTS)


def test_a_conversion_that_does_not_fit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without room for the converted vectors, one line says what is needed and free."""
    extract_as(tmp_path, "float16")
    usage = shutil.disk_usage(tmp_path)._replace(free=64 * 2**20)
    monkeypatch.setattr(forecast.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(InputError, match=r"90 new texts need about .* only 67\.1 MB are free"):
        extract_as(tmp_path, "int8")
    assert not list((tmp_path / "store" / manifest("int8").key / "shards").iterdir())


def test_pooled_vectors_do_not_depend_on_the_form_at_rest(tmp_path: Path) -> None:
    """They are computed before tokens are rounded, to the last bit the same in every form."""
    from features.storing.reading import FeatureStore

    for tokens in ("float16", "int8", "none"):
        extract_as(tmp_path / tokens, tokens)
    found = [
        FeatureStore.open(tmp_path / form / form).pooled("mean@2") for form in ("float16", "int8", "none")
    ]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
