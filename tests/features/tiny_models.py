"""Tiny random encoders of four architectures, with real tokenizers, written to a folder without a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    ElectraConfig,
    ElectraModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
)

from features.weights import quiet_transformers

torch.set_num_threads(1)  # products this small cost less than waking a second thread

ARCHITECTURES = ("bert", "distilbert", "roberta", "electra")
WIDTH, LAYERS, POSITIONS = 32, 3, 64
_WORDS = [
    "the",
    "a",
    "film",
    "was",
    "not",
    "good",
    "bad",
    "very",
    "but",
    "great",
    "cast",
    "dull",
    "and",
    "slow",
    "ending",
    "loved",
    "it",
    "never",
    "again",
]
_SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def write_tiny(folder: Path, architecture: str, *, seed: int = 0, pooler: bool = True) -> Path:
    """Write a random encoder of the architecture and its tokenizer to `folder`; the seed sets the weights."""
    tokenizer = _byte_level() if architecture == "roberta" else _word_piece(architecture)
    with quiet_transformers():
        tokenizer.save_pretrained(folder)
        _model(architecture, len(tokenizer), seed, pooler).save_pretrained(folder)
    return folder


def _model(architecture: str, pieces: int, seed: int, pooler: bool) -> Any:
    torch.manual_seed(seed)
    sizes: dict[str, Any] = {
        "vocab_size": pieces,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
        "initializer_range": 0.3,
    }
    wide = sizes | {
        "hidden_size": WIDTH,
        "intermediate_size": 4 * WIDTH,
        "max_position_embeddings": POSITIONS,
    }
    if architecture == "bert":
        return BertModel(BertConfig(**wide), add_pooling_layer=pooler)
    if architecture == "roberta":
        shifted = wide | {"max_position_embeddings": POSITIONS + 2, "type_vocab_size": 1, "pad_token_id": 1}
        return RobertaModel(RobertaConfig(**shifted), add_pooling_layer=pooler)
    if architecture == "electra":
        return ElectraModel(ElectraConfig(**wide, embedding_size=WIDTH // 2))
    return DistilBertModel(
        DistilBertConfig(
            vocab_size=pieces, n_layers=LAYERS, n_heads=4, dim=WIDTH, hidden_dim=4 * WIDTH,
            max_position_embeddings=POSITIONS, initializer_range=0.3,
        )
    )  # fmt: skip


def _word_piece(architecture: str) -> PreTrainedTokenizerFast:
    letters = [chr(code) for code in range(33, 127) if not chr(code).isupper()] + list(
        "电影不好看很差但演员棒"
    )
    vocabulary = [*_SPECIALS, *letters, *(f"##{letter}" for letter in letters if letter.isalnum()), *_WORDS]
    numbers = {piece: number for number, piece in enumerate(dict.fromkeys(vocabulary))}
    tokenizer = Tokenizer(models.WordPiece(numbers, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.BertProcessing(
        ("[SEP]", numbers["[SEP]"]), ("[CLS]", numbers["[CLS]"])
    )
    inputs = ["input_ids", "attention_mask"]
    if architecture != "distilbert":
        inputs.insert(1, "token_type_ids")
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
        sep_token="[SEP]", mask_token="[MASK]", model_input_names=inputs,
    )  # fmt: skip


def _byte_level() -> PreTrainedTokenizerFast:
    specials = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
    pieces = [*specials, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    numbers = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocab=numbers, merges=[], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>", cls_token="<s>", sep_token="</s>",
        mask_token="<mask>", bos_token="<s>", eos_token="</s>",
        model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip
