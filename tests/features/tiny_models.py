"""Tiny random encoders of six kinds, with real tokenizers, written to a folder without a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from features.encoder.weights import quiet_transformers

torch.set_num_threads(1)  # products this small cost less than waking a second thread

# MacBERT (Cui et al. 2020) is a BERT whose published checkpoint is the masked-LM model: names have a prefix.
ARCHITECTURES = ("bert", "distilbert", "roberta", "electra", "macbert", "xlm-roberta")
WITH_POOLER = ("bert", "roberta", "xlm-roberta")
WIDTH, LAYERS, POSITIONS = 32, 3, 64
_CLASSES = {
    "bert": "Bert", "macbert": "Bert", "distilbert": "DistilBert", "roberta": "Roberta", "electra": "Electra",
    "xlm-roberta": "XLMRoberta",
}  # fmt: skip
_WORDS = (
    "the", "a", "film", "was", "not", "good", "bad", "very", "but", "great", "cast", "dull", "and", "slow",
    "ending", "loved", "it", "never", "again",
)  # fmt: skip
_SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_ROBERTA_SPECIALS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
_CHINESE = "电影不好看很差但演员棒"


def write_tiny(folder: Path, architecture: str, *, seed: int = 0, pooler: bool = True) -> Path:
    """Write a random encoder of the architecture and its tokenizer to `folder`; the seed sets the weights."""
    if architecture == "macbert":
        return write_tiny_masked(folder, architecture, seed=seed)
    keeps = {"add_pooling_layer": pooler} if architecture in WITH_POOLER else {}
    return _write(folder, architecture, "Model", seed, **keeps)


def write_tiny_masked(folder: Path, architecture: str, *, seed: int = 0) -> Path:
    """The same with a random masked-LM head (for ELECTRA the generator's)."""
    return _write(folder, architecture, "ForMaskedLM", seed)


def write_tiny_other(folder: Path, model_type: str, **settings: Any) -> Path:
    """Write a random encoder of another architecture of Transformers, with a WordPiece tokenizer."""
    tokenizer = _word_piece("bert")
    sizes = {
        "vocab_size": len(tokenizer), "num_hidden_layers": LAYERS, "num_attention_heads": 4,
        "hidden_size": WIDTH, "intermediate_size": 2 * WIDTH, "max_position_embeddings": 4 * POSITIONS,
        "initializer_range": 0.3, "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3,
        "cls_token_id": 2, "sep_token_id": 3,
    }  # fmt: skip
    torch.manual_seed(0)
    with quiet_transformers():
        tokenizer.save_pretrained(folder)
        config = transformers.AutoConfig.for_model(model_type, **sizes | settings)
        transformers.AutoModel.from_config(config).save_pretrained(folder)
    return folder


def _write(folder: Path, architecture: str, kind: str, seed: int, **options: Any) -> Path:
    tokenizer = _tokenizer(architecture)
    torch.manual_seed(seed)
    with quiet_transformers():
        tokenizer.save_pretrained(folder)
        make = getattr(transformers, _CLASSES[architecture] + kind)
        make(_config(architecture, len(tokenizer)), **options).save_pretrained(folder)
    return folder


def _config(architecture: str, pieces: int) -> Any:
    if architecture == "distilbert":
        return transformers.DistilBertConfig(
            vocab_size=pieces, n_layers=LAYERS, n_heads=4, dim=WIDTH, hidden_dim=4 * WIDTH,
            max_position_embeddings=POSITIONS, initializer_range=0.3,
        )  # fmt: skip
    own: dict[str, Any] = {}
    if "roberta" in architecture:
        own = {"max_position_embeddings": POSITIONS + 2, "type_vocab_size": 1, "pad_token_id": 1}
    if architecture == "electra":
        own = {"embedding_size": WIDTH // 2}
    sizes: dict[str, Any] = {
        "vocab_size": pieces,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
        "initializer_range": 0.3,
        "hidden_size": WIDTH,
        "intermediate_size": 4 * WIDTH,
        "max_position_embeddings": POSITIONS,
    }
    return getattr(transformers, _CLASSES[architecture] + "Config")(**sizes | own)


def _tokenizer(architecture: str) -> PreTrainedTokenizerFast:
    if architecture == "roberta":
        return _byte_level()
    return _unigram() if architecture == "xlm-roberta" else _word_piece(architecture)


def _word_piece(architecture: str) -> PreTrainedTokenizerFast:
    letters = [chr(code) for code in range(33, 127) if not chr(code).isupper()] + list(_CHINESE)
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
    pieces = [*_ROBERTA_SPECIALS, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    numbers = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocab=numbers, merges=[], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return _roberta_like(tokenizer)


def _unigram() -> PreTrainedTokenizerFast:
    """SentencePiece's model as XLM-R uses it: spaces belong to the pieces, Chinese is not cut into words."""
    words = [(f"▁{word}", -3.0 - i / 10) for i, word in enumerate([*_WORDS, "电影"])]
    letters = [(letter, -9.0) for letter in (*map(chr, range(33, 127)), *_CHINESE, "▁")]
    pieces = [*((special, 0.0) for special in _ROBERTA_SPECIALS), *words, *letters]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=3))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return _roberta_like(tokenizer)


def _roberta_like(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>", cls_token="<s>", sep_token="</s>",
        mask_token="<mask>", bos_token="<s>", eos_token="</s>",
        model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip
