"""The tokenizer as extraction needs it: cuts to a length, never pads, tells where each piece stands.

BERT's tokenizer is read from its tokenizer.json by the `tokenizers` library alone wherever the file says just
what Transformers would make of it; every other goes through Transformers, whose import takes longer than
all else that a prediction needs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from features.encoder import weights

_SPECIAL = {"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]"}
_SPECIAL["mask_token"] = "[MASK]"
_SIDES = ("truncation_side", "padding_side")
# Settings of tokenizer_config.json that add pieces or code of their own, beside other files that do.
_ADDING = ("added_tokens_decoder", "additional_special_tokens", "extra_special_tokens", "auto_map")
_CLASSES = (None, "BertTokenizer", "BertTokenizerFast")


@dataclass(frozen=True)
class Cutter:
    """A fast tokenizer that truncates, the longer of a pair first, and does not pad.

    backend: the tokenizer itself.
    max_length: pieces a text, or a pair, is cut to, special ones included.
    padding: id of the padding piece.
    types: whether models are meant to embed its segment numbers.
    """

    backend: Tokenizer
    max_length: int
    padding: int
    types: bool

    @property
    def specials(self) -> int:
        """Special pieces that a pair is given."""
        return int(self.backend.num_special_tokens_to_add(True))


def load_cutter(folder: Path, max_length: int) -> Cutter:
    """The folder's tokenizer.

    Raises:
        InputError: it cannot be read, or it is a slow one, which knows no character offsets.
    """
    backend, side = _plain_bert(folder), "right"
    if backend is not None:
        padding, types = int(backend.token_to_id("[PAD]") or 0), True
    else:
        loaded = weights.load_tokenizer(folder)
        backend, side = loaded.backend_tokenizer, loaded.truncation_side
        padding, types = loaded.pad_token_id or 0, "token_type_ids" in loaded.model_input_names
    backend.enable_truncation(max_length, strategy="longest_first", direction=side)
    backend.no_padding()
    return Cutter(backend, max_length, padding, types)


def _plain_bert(folder: Path) -> Tokenizer | None:
    """BERT's tokenizer straight from its file; None where Transformers might make another one of it."""
    try:
        written = (folder / "tokenizer.json").read_text("utf-8")
        file: Any = json.loads(written)
        settings: Any = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
        model: Any = json.loads((folder / "config.json").read_text("utf-8"))
        if model["model_type"] != "bert" or (folder / "added_tokens.json").exists():
            return None
        if not _usual(settings) or not _usual_map(folder) or not _matches(file, settings):
            return None
        return Tokenizer.from_str(written)
    except Exception:  # the library raises bare ones; whatever it is, Transformers says what is wrong
        return None


def _usual(settings: Any) -> bool:
    return (
        settings.get("tokenizer_class") in _CLASSES
        and not any(settings.get(name) for name in _ADDING)
        and all(settings.get(name, piece) == piece for name, piece in _SPECIAL.items())
        and all(settings.get(name, "right") == "right" for name in _SIDES)
        and not settings.get("split_special_tokens", False)
    )


def _usual_map(folder: Path) -> bool:
    """Whether special_tokens_map.json, which older versions wrote, names BERT's special pieces alone."""
    path = folder / "special_tokens_map.json"
    named: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    contents = {name: x["content"] if isinstance(x, dict) else x for name, x in named.items()}
    return contents.items() <= _SPECIAL.items()


def _matches(file: Any, settings: Any) -> bool:
    """Whether tokenizer.json holds what Transformers' BertTokenizer builds from these settings."""
    model, ids = file["model"], file["model"]["vocab"]
    normalizer = {
        "type": "BertNormalizer",
        "clean_text": True,
        "handle_chinese_chars": settings.get("tokenize_chinese_chars", True),
        "strip_accents": settings.get("strip_accents"),
        "lowercase": settings.get("do_lower_case", True),
    }
    added = sorted((ids[piece], piece, True, 0) for piece in _SPECIAL.values())
    return (
        model.get("type", "WordPiece") == "WordPiece"  # older files leave it out
        and model["continuing_subword_prefix"] == "##"
        and model["max_input_chars_per_word"] == 100
        and model["unk_token"] == _SPECIAL["unk_token"]
        and file["normalizer"] == normalizer
        and file["pre_tokenizer"] == {"type": "BertPreTokenizer"}
        and file["post_processor"] == _template(ids)
        and sorted(map(_added, file["added_tokens"])) == added
    )


def _added(token: Any) -> tuple[int, str, bool, int]:
    odd = sum(bool(token[name]) for name in ("single_word", "lstrip", "rstrip", "normalized"))
    return token["id"], token["content"], token["special"], odd


def _template(ids: dict[str, int]) -> dict[str, Any]:
    """[CLS] A [SEP], and [CLS] A [SEP] B [SEP], as the file spells them."""
    first, end = ({"SpecialToken": {"id": piece, "type_id": 0}} for piece in ("[CLS]", "[SEP]"))
    single = [first, {"Sequence": {"id": "A", "type_id": 0}}, end]
    second = [{"Sequence": {"id": "B", "type_id": 1}}, {"SpecialToken": {"id": "[SEP]", "type_id": 1}}]
    return {
        "type": "TemplateProcessing",
        "single": single,
        "pair": [*single, *second],
        "special_tokens": {
            piece: {"id": piece, "ids": [ids[piece]], "tokens": [piece]} for piece in ("[CLS]", "[SEP]")
        },
    }
