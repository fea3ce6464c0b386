"""Pieces, character spans and segments."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.corpus.texts import Text
from features.encoder.tokenizer import Tokenized, Tokenizer
from features.encoder.weights import load_tokenizer
from features.errors import InputError
from tests.features.tiny_models import ARCHITECTURES, write_tiny

LETTERS = st.text(st.sampled_from("abz AZ,.!é电影好 \t\U0001f600ü"), max_size=40)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Encoders with a WordPiece and a byte-level tokenizer."""
    folder: Path = tmp_path_factory.mktemp("tokenizers")
    return {name: write_tiny(folder / name, name) for name in ("bert", "roberta")}


@settings(deadline=None)
@given(st.one_of(LETTERS, st.text(max_size=30)))
def test_spans_cut_the_characters_of_each_piece(folders: dict[str, Path], text: str) -> None:
    """What a span cuts out of the text is the piece itself, up to case and accents."""
    tokenizer = Tokenizer.load(folders["bert"], 64)
    pieces = tokenizer.tokenize([Text(text)])
    names = [tokenizer.backend.id_to_token(piece) for piece in pieces.piece_ids.tolist()]
    for name, (start, end), segment in zip(
        names, pieces.char_spans.tolist(), pieces.segments.tolist(), strict=True
    ):
        if segment < 0:
            assert (start, end) == (0, 0)
            continue
        assert 0 <= start < end <= len(text)
        if name != "[UNK]":
            assert _plain(text[start:end]) == name.removeprefix("##")


@settings(deadline=None)
@given(LETTERS)
def test_byte_pieces_point_at_the_character_they_are_part_of(folders: dict[str, Path], text: str) -> None:
    """Every byte of a byte-level tokenizer points at its character, and together they cover the text."""
    pieces = Tokenizer.load(folders["roberta"], 512).tokenize([Text(text)])
    spans = pieces.char_spans[pieces.segments == 0].tolist()
    expected = [[i, i + 1] for i, letter in enumerate(text) for _ in letter.encode()]
    inked = [span for span in spans if text[slice(*span)].strip()]
    assert inked == [span for span in expected if text[slice(*span)].strip()]


@settings(deadline=None)
@given(st.lists(LETTERS, min_size=1, max_size=12), st.randoms())
def test_taking_texts_equals_tokenising_them_in_that_order(
    folders: dict[str, Path], texts: list[str], random: Any
) -> None:
    """`take` reorders whole texts, and `cut` gives a run of them."""
    tokenizer = Tokenizer.load(folders["bert"], 16)
    order = list(range(len(texts)))
    random.shuffle(order)
    taken = tokenizer.tokenize([Text(text) for text in texts]).take(np.array(order))
    expected = tokenizer.tokenize([Text(texts[i]) for i in order])
    assert _same(taken, expected)
    assert _same(taken.cut(1, len(texts)), tokenizer.tokenize([Text(texts[i]) for i in order[1:]]))


def test_pairs_are_told_apart(folders: dict[str, Path]) -> None:
    """Segments are 0 for the text, 1 for its pair, -1 for specials, and spans start anew in the pair."""
    pieces = Tokenizer.load(folders["bert"], 64).tokenize([Text("good", "bad film")])
    assert pieces.segments.tolist() == [-1, 0, -1, 1, 1, -1]
    assert pieces.char_spans.tolist() == [[0, 0], [0, 4], [0, 0], [0, 3], [4, 8], [0, 0]]
    assert pieces.type_ids.tolist() == [0, 0, 0, 1, 1, 1]


def test_single_texts_and_pairs_mix_in_the_order_given(folders: dict[str, Path]) -> None:
    """A list of both keeps its order."""
    pieces = Tokenizer.load(folders["bert"], 64).tokenize([Text("a", "b"), Text("good"), Text("film", "")])
    assert pieces.lengths.tolist() == [5, 3, 4]


def test_long_texts_are_truncated(folders: dict[str, Path]) -> None:
    """No text is longer than max_length, and the last piece is still the separator."""
    tokenizer = Tokenizer.load(folders["bert"], 12)
    pieces = tokenizer.tokenize([Text("good film " * 50), Text("good " * 50, "bad")])
    assert pieces.lengths.tolist() == [12, 12]
    assert pieces.piece_ids[11] == tokenizer.backend.token_to_id("[SEP]")
    assert (pieces.segments[12:] == 1).sum() == 1


def test_half_a_surrogate_pair_is_refused(folders: dict[str, Path]) -> None:
    """The message gives the text's position."""
    with pytest.raises(InputError, match=r"a text holds half a surrogate pair \('bad "):
        Tokenizer.load(folders["bert"], 16).tokenize([Text("good"), Text("bad \ud83d")])


def test_no_texts_give_no_pieces(folders: dict[str, Path]) -> None:
    """An empty list is tokenised to empty arrays."""
    pieces = Tokenizer.load(folders["bert"], 16).tokenize([])
    assert len(pieces.lengths) == len(pieces.piece_ids) == len(pieces.char_spans) == 0


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text.lower())
    return "".join(letter for letter in decomposed if unicodedata.category(letter) != "Mn")


def _same(a: Tokenized, b: Tokenized) -> bool:
    return all(
        np.array_equal(getattr(a, name), getattr(b, name))
        for name in ("lengths", "piece_ids", "type_ids", "char_spans", "segments")
    )


def test_plain_strings_are_texts(folders: dict[str, Path]) -> None:
    """A list of strings is what it looks like; a single string is not taken for a list of letters."""
    tokenizer = Tokenizer.load(folders["bert"], 16)
    assert _same(tokenizer.tokenize(["good", "bad"]), tokenizer.tokenize([Text("good"), Text("bad")]))
    with pytest.raises(InputError, match="'good film' is a single text; expected a list of texts"):
        tokenizer.tokenize("good film")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_brings_its_padding_and_its_inputs(tmp_path: Path, architecture: str) -> None:
    """The padding piece, whether segment numbers are meant to be embedded, and special pieces are its own."""
    folder = write_tiny(tmp_path / architecture, architecture)
    tokenizer, loaded = Tokenizer.load(folder, 16), load_tokenizer(folder)
    assert tokenizer.padding == loaded.pad_token_id
    assert tokenizer.types == ("token_type_ids" in loaded.model_input_names)
    assert tokenizer.specials == loaded.num_special_tokens_to_add(pair=True)


def test_padding_and_truncation_in_the_file_do_not_count(tmp_path: Path) -> None:
    """A file saved with lengths of its own cuts where the corpus says, and pads nothing."""
    path = write_tiny(tmp_path / "bert", "bert") / "tokenizer.json"
    padding = {"strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0}
    padding |= {"pad_type_id": 0, "pad_token": "[PAD]"}
    truncation = {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}
    changed = json.loads(path.read_text("utf-8")) | {"truncation": truncation, "padding": padding}
    path.write_text(json.dumps(changed, ensure_ascii=False), "utf-8")
    tokenizer = Tokenizer.load(path.parent, 6)
    assert tokenizer.tokenize(["good", "good film " * 9]).lengths.tolist() == [3, 6]
