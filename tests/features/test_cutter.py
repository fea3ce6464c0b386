"""Which tokenizers are read without Transformers, and that they cut alike."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from features.encoder.cutter import _plain_bert, load_cutter
from features.encoder.weights import load_tokenizer
from tests.features.tiny_models import write_tiny

ROOT = Path(__file__).resolve().parents[2]
LETTERS = st.text(st.sampled_from("abz AZ,.!é[SEP]电影好 \t\U0001f600ü'\u0301\u200b"), max_size=40)
Files = dict[str, Any]


@pytest.fixture(scope="module")
def both() -> list[tuple[Any, Any]]:
    """For each bundled encoder the tokenizer read from its file, and Transformers'."""
    folders = [ROOT / "encoders" / name for name in ("mini-en", "mini-zh")]
    return [(_plain_bert(folder), load_tokenizer(folder)) for folder in folders]


@settings(deadline=None)
@drawn(st.one_of(LETTERS, st.text(max_size=30)), st.none() | LETTERS, st.integers(4, 24))
def test_pieces_are_those_of_transformers(
    both: list[tuple[Any, Any]], text: str, pair: str | None, length: int
) -> None:
    """Ids, segments, spans and special pieces of texts and pairs are equal, truncated or not."""
    for ours, theirs in both:
        ours.enable_truncation(length, strategy="longest_first")
        found = ours.encode(text, pair)
        given = ([text],) if pair is None else ([text], [pair])
        wanted = theirs(*given, truncation="longest_first", max_length=length).encodings[0]
        assert found.ids == wanted.ids
        assert found.type_ids == wanted.type_ids
        assert found.offsets == wanted.offsets
        assert found.special_tokens_mask == wanted.special_tokens_mask
        assert found.sequence_ids == wanted.sequence_ids


@pytest.mark.parametrize("architecture", ["bert", "distilbert", "roberta", "electra", "xlm-roberta"])
def test_other_tokenizers_come_from_transformers(tmp_path: Path, architecture: str) -> None:
    """A tokenizer of another class is loaded by the library, with its padding piece and its inputs."""
    folder = write_tiny(tmp_path / architecture, architecture)
    assert _plain_bert(folder) is None
    cutter, loaded = load_cutter(folder, 16), load_tokenizer(folder)
    assert cutter.padding == loaded.pad_token_id
    assert cutter.types == ("token_type_ids" in loaded.model_input_names)
    assert cutter.specials == loaded.num_special_tokens_to_add(pair=True)
    assert len(cutter.backend.encode("good film " * 20).ids) == 16


def test_padding_and_truncation_in_the_file_do_not_count(tmp_path: Path) -> None:
    """A file saved with lengths of its own cuts where the corpus says, and pads nothing."""
    folder = _copy(tmp_path, lambda files: files["tokenizer.json"].update(
        truncation={"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0},
        padding={"strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
                 "pad_type_id": 0, "pad_token": "[PAD]"},
    ))  # fmt: skip
    assert _plain_bert(folder) is not None
    backend = load_cutter(folder, 6).backend
    assert [len(backend.encode(text).ids) for text in ("good", "good film " * 9)] == [3, 6]


@pytest.mark.parametrize(
    "change",
    [
        lambda files: files["tokenizer_config.json"].update(do_lower_case=False),
        lambda files: files["tokenizer_config.json"].update(tokenizer_class="DistilBertTokenizer"),
        lambda files: files["tokenizer_config.json"].update(truncation_side="left"),
        lambda files: files["tokenizer_config.json"].update(cls_token="<s>"),
        lambda files: files["tokenizer_config.json"].update(extra_special_tokens=["<film>"]),
        lambda files: files["tokenizer.json"].update(pre_tokenizer={"type": "Whitespace"}),
        lambda files: files["tokenizer.json"]["normalizer"].update(strip_accents=False),
        lambda files: files["tokenizer.json"]["added_tokens"].pop(),
        lambda files: files["tokenizer.json"]["model"].update(max_input_chars_per_word=20),
        lambda files: files["tokenizer.json"]["post_processor"]["single"].pop(),
        lambda files: files["config.json"].update(model_type="electra"),
        lambda files: files.update({"added_tokens.json": {"<film>": 9999}}),
        lambda files: files.update({"special_tokens_map.json": {"additional_special_tokens": ["<film>"]}}),
        lambda files: files.update({"tokenizer.json": []}),
    ],
)
def test_a_tokenizer_with_something_unusual_comes_from_transformers(tmp_path: Path, change: Any) -> None:
    """Where file and settings disagree, or say more than BERT's, the library decides what they mean."""
    assert _plain_bert(_copy(tmp_path, change)) is None


def test_the_copy_of_the_test_is_plain(tmp_path: Path) -> None:
    """Without a change the same folder is read directly, so that each change above is what matters."""
    assert _plain_bert(_copy(tmp_path, lambda files: None)) is not None


def _copy(folder: Path, change: Any) -> Path:
    names = ("config.json", "tokenizer.json", "tokenizer_config.json")
    for name in names:
        shutil.copy(ROOT / "encoders" / "mini-en" / name, folder)
    files: Files = {name: json.loads((folder / name).read_text("utf-8")) for name in names}
    change(files)
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, ensure_ascii=False), "utf-8")
    return folder
