from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.corpus.collecting import Spool
from features.corpus.splits import (
    TEST,
    TRAIN,
    Units,
    assign_splits,
    name_digests,
    number_digests,
    renumber,
    unit_hash,
)
from features.corpus.texts import StoredTexts, Strings, Text

TEXTS = [Text("一"), Text("two", "zwei"), Text(""), Text("four", "")]


@given(st.lists(st.text()))
def test_strings_are_a_sequence_of_what_went_in(strings: list[str]) -> None:
    """Length, order, single strings, slices and selections are those of the list, half surrogates too."""
    stored = Strings.of(strings)
    assert list(stored) == strings
    assert [stored[i] for i in range(len(stored))] == strings
    assert stored[1:3] == tuple(strings[1:3])
    assert stored == strings
    assert list(stored.select(np.arange(len(strings))[::-1])) == strings[::-1]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_a_spool_gives_back_what_was_set_down(strings: list[str]) -> None:
    """Strings outlive the spool they were written to, empty ones and none at all included."""
    with Spool(None) as spool:
        for string in strings:
            spool.add([string.encode()])
        stored = spool.strings()
    assert list(stored) == strings
    assert stored.sizes.tolist() == [len(string.encode()) for string in strings]


def test_strings_longer_than_a_block_pass_in_order(tmp_path: Path) -> None:
    """A pass over tens of thousands of mapped strings sees each once, and a second pass sees them again."""
    strings = [f"string {i}" for i in range(20000)]
    with Spool(tmp_path) as spool:
        spool.add([string.encode() for string in strings])
        stored = spool.strings()
    assert list(stored) == strings
    assert list(stored) == strings
    assert not list(tmp_path.iterdir())


def test_stored_texts_equal_the_texts_themselves() -> None:
    """Texts with and without pairs come back as they were, one by one, sliced, selected and pickled."""
    stored = StoredTexts.of(TEXTS)
    assert stored == TEXTS
    assert stored != TEXTS[:3]
    assert [stored[i] for i in range(4)] == TEXTS
    assert stored[1:] == tuple(TEXTS[1:])
    assert stored[-1] == TEXTS[-1]
    assert list(stored.select(np.array([3, 1]))) == [TEXTS[3], TEXTS[1]]
    assert stored.paired.tolist() == [False, True, False, True]
    assert pickle.loads(pickle.dumps(stored)) == tuple(TEXTS)
    with pytest.raises(IndexError):
        stored[4]


@given(st.lists(st.sampled_from("abcdefgh")))
def test_numbers_follow_first_appearance(names: list[str]) -> None:
    """Names numbered by digest, and values numbered anew, count up in the order they first appear."""
    order = list(dict.fromkeys(names))
    expected = [order.index(name) for name in names]
    numbers, first = number_digests(name_digests([name.encode() for name in names]))
    assert numbers.tolist() == expected
    assert first.tolist() == [names.index(name) for name in order]
    codes, kept = renumber(np.array([ord(name) for name in names], np.int64))
    assert codes.tolist() == expected
    assert [chr(value) for value in kept] == order


@given(st.lists(st.text(), min_size=1), st.integers(0, 99))
def test_units_hash_as_single_names_do(names: list[str], seed: int) -> None:
    """Hashing in blocks gives each unit the number that `unit_hash` gives its name."""
    units = Units.of(names)
    assert [units.names[code] for code in units.code] == names
    assert units.hashes(seed, "split").tolist() == [unit_hash(seed, "split", name) for name in units.names]


def test_units_with_one_hash_are_ranked_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where hashes collide the names decide, so that the order of the file still does not matter."""
    monkeypatch.setattr(Units, "hashes", lambda self, seed, salt: np.zeros(len(self.names)))
    for names in (["b", "d", "a", "c"], ["c", "a", "d", "b"]):
        codes = assign_splits(names, [0] * 4, test=2, validation=0, seed=1)
        assert dict(zip(names, codes.tolist(), strict=True)) == {"a": TEST, "b": TEST, "c": TRAIN, "d": TRAIN}
