"""Files that stages leave for each other: what is read is what was written, or it is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest

from features.errors import InputError
from pipeline.evaluation.attention import WordAttention
from pipeline.project.files import Figure, read_arrays, read_result, write_arrays, write_result


@dataclass(frozen=True)
class Part:
    """Something inside a result."""

    name: str
    figure: Figure
    sure: float | None


@dataclass(frozen=True)
class Whole:
    """A result."""

    parts: tuple[Part, ...]
    counts: dict[int, int]


WHOLE = Whole((Part("一 <b>", math.nan, None), Part("two", 0.1, 1.5)), {13: 1, 14: 2})


def test_a_result_survives_its_file(tmp_path: Path) -> None:
    """Nested dataclasses, tuples, keys that are numbers, and figures that do not exist come back."""
    write_result(tmp_path / "a" / "whole.json", WHOLE)
    found = read_result(tmp_path / "a" / "whole.json", Whole)
    assert repr(found) == repr(WHOLE)
    assert "NaN" not in (tmp_path / "a" / "whole.json").read_text("utf-8")


def test_attention_survives_its_file(tmp_path: Path) -> None:
    """Arrays keep their shape and values, also where a text has no words."""
    for words in ((), ((0, 2), (3, 5))):
        weights = np.random.default_rng(1).random((2, len(words)))
        write_result(tmp_path / "a.json", WordAttention(words, weights, 1 - weights.sum(axis=1)))  # type: ignore[arg-type]
        found = read_result(tmp_path / "a.json", WordAttention)
        assert found.words == words
        assert np.array_equal(found.weights, weights)
        assert found.weights.shape == weights.shape


def test_arrays_survive_their_file_and_open_in_any_reader(tmp_path: Path) -> None:
    """They come back with their types, and h5py alone reads them."""
    given = {"rows": np.arange(4), "points": np.ones((4, 2), np.float32), "size": np.array(3)}
    write_arrays(tmp_path / "a.h5", given)
    found = read_arrays(tmp_path / "a.h5")
    assert {name: (array.dtype, array.tolist()) for name, array in found.items()} == {
        name: (array.dtype, array.tolist()) for name, array in given.items()
    }
    with h5py.File(tmp_path / "a.h5", "r") as file:
        assert file["rows"][()].tolist() == [0, 1, 2, 3]


def test_a_result_of_another_version_is_named(tmp_path: Path) -> None:
    """A field that is missing, unknown or of another type is refused with the field and what to do."""
    path, content = tmp_path / "whole.json", asdict(WHOLE)
    for change, message in (
        ({"parts": [{"name": "one", "figure": 1.0}]}, r"parts\.0\.sure: Field required"),
        ({"counts": {"a": 1}}, r"counts\.a"),
        ({"more": 1}, "more than is known"),
        ({"counts": {"13": "1"}}, "more than is known"),
    ):
        write_result(path, {**content, **change})
        with pytest.raises(InputError, match=rf"whole\.json is of another version.*{message}.*dvc repro"):
            read_result(path, Whole)


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff", b"[" * 100_000, b'{"digest": [1]}'])
def test_what_is_no_result_is_refused(tmp_path: Path, content: bytes) -> None:
    """Anything else under a result's name is one line, never a traceback."""
    for name, read in (("a.json", lambda path: read_result(path, Whole)), ("a.h5", read_arrays)):
        with pytest.raises(InputError, match=f"{name} is missing"):
            read(tmp_path / name)  # type: ignore[operator]
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=f"{name} is damaged"):
            read(tmp_path / name)  # type: ignore[operator]


@pytest.mark.parametrize("kind", ["json", "h5"])
def test_every_changed_bit_is_refused_or_means_nothing(tmp_path: Path, kind: str) -> None:
    """After a bit is flipped a file is refused, or says the same: JSON's layout has no meaning."""
    path = tmp_path / f"a.{kind}"
    if kind == "json":
        write_result(path, WHOLE)
    else:
        write_arrays(path, {"rows": np.arange(50)})
    read: Callable[[Path], object] = (lambda p: read_result(p, Whole)) if kind == "json" else read_arrays
    content, expected = path.read_bytes(), repr(read(path))
    refused = 0
    for place in np.random.default_rng(3).integers(0, 8 * len(content), 300).tolist():
        changed = bytearray(content)
        changed[place // 8] ^= 1 << place % 8
        path.write_bytes(changed)
        try:
            assert repr(read(path)) == expected
        except InputError:
            refused += 1
    assert refused == 300 if kind == "h5" else refused > 150
