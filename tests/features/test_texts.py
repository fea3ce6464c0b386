from __future__ import annotations

import hashlib
import mmap
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.corpus.splits import name_hashes, renumber, unit_hash
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


def test_strings_longer_than_a_block_pass_in_order(tmp_path: Path) -> None:
    """A pass over tens of thousands of mapped strings sees each once, and a second pass sees them again."""
    strings = [f"string {i}" for i in range(20000)]
    (tmp_path / "strings").write_text("".join(strings))
    ends = np.cumsum([len(string) for string in strings])
    with (tmp_path / "strings").open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    stored = Strings(data, np.concatenate([[0], ends[:-1]]), ends)
    assert list(stored) == strings
    assert list(stored) == strings


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
    """Values, and the digests of names, are numbered in the order in which they first appear."""
    order = list(dict.fromkeys(names))
    digests = b"".join(hashlib.blake2b(name.encode(), digest_size=16).digest() for name in names)
    for values in (np.array([ord(name) for name in names], np.int64), np.frombuffer(digests, "S16")):
        numbers, first = renumber(values)
        assert numbers.tolist() == [order.index(name) for name in names]
        assert first.tolist() == [names.index(name) for name in order]


@given(st.lists(st.text(), min_size=1), st.integers(0, 99))
def test_names_hash_together_as_they_do_alone(names: list[str], seed: int) -> None:
    """Hashing many gives each name the number that `unit_hash` gives it."""
    hashes = name_hashes((name.encode("utf-8", "surrogatepass") for name in names), seed, "split")
    assert (hashes / 2**64).tolist() == [unit_hash(seed, "split", name) for name in names]
