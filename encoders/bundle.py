"""An encoder as an ordinary Hugging Face folder: half precision at rest, float32 to compute with.

`AutoModel` reads model.safetensors alone and finds there exactly what it needs. The masked language model
head stands beside it, for those who ask: `AutoModelForMaskedLM.from_pretrained(folder, variant="mlm")`.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import BertConfig

from features.errors import InputError

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.txt")
ENCODER, HEAD, HEAD_INDEX = "model.safetensors", "mlm_head.safetensors", "model.safetensors.index.mlm.json"
TIED = ("cls.predictions.decoder.weight", "cls.predictions.decoder.bias")


def write_bundle(model: nn.Module, config: BertConfig, tokenizer: Path, folder: Path) -> None:
    """Write encoder, head, configuration, the tokenizer's files and the modules of sentence-transformers."""
    folder.mkdir(parents=True, exist_ok=True)
    encoder = _half(model, "bert.")
    head = _half(model, "cls.")
    _save(encoder, folder / ENCODER)
    _save(head, folder / HEAD)
    shards = {name: ENCODER for name in encoder if "pooler" not in name} | dict.fromkeys(head, HEAD)
    size = sum(value.nbytes for value in (*encoder.values(), *head.values()))
    _json(folder / HEAD_INDEX, {"metadata": {"total_size": size}, "weight_map": shards})
    config.architectures = ["BertModel"]
    config.dtype = torch.float32
    config.save_pretrained(folder)
    for name in TOKENIZER_FILES:
        shutil.copyfile(tokenizer / name, folder / name)
    _write_sentence_modules(config, folder)


def _half(model: nn.Module, prefix: str) -> dict[str, Tensor]:
    return {
        name: value.detach().cpu().to(torch.float16).contiguous()
        for name, value in model.state_dict().items()
        if name.startswith(prefix) and name not in TIED and value.is_floating_point()
    }


def _save(tensors: dict[str, Tensor], path: Path) -> None:
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, metadata={"format": "pt"})
    partial.chmod(0o644)
    partial.replace(path)


def _json(path: Path, value: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def _write_sentence_modules(config: BertConfig, folder: Path) -> None:
    """Mean pooling, said in the way sentence-transformers reads."""
    kind = "sentence_transformers.models"
    _json(
        folder / "modules.json",
        [
            {"idx": 0, "name": "0", "path": "", "type": f"{kind}.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": f"{kind}.Pooling"},
        ],
    )
    _json(
        folder / "1_Pooling" / "config.json",
        {"word_embedding_dimension": config.hidden_size, "pooling_mode_mean_tokens": True},
    )
    _json(
        folder / "sentence_bert_config.json",
        {"max_seq_length": config.max_position_embeddings, "do_lower_case": False},
    )


def load_weights(model: nn.Module, folder: Path) -> None:
    """Start a model from an encoder folder; heads that the folder does not hold keep their values.

    Raises:
        InputError: there is no encoder in the folder, or one of another shape.
    """
    if not (folder / ENCODER).is_file():
        raise InputError(f"no encoder at {folder}; expected a folder with {ENCODER}")
    tensors = {
        name: value.float()
        for file in (ENCODER, HEAD)
        if (folder / file).is_file()
        for name, value in load_file(folder / file).items()
    }
    expected = model.state_dict()
    for name, value in tensors.items():
        if name in expected and expected[name].shape != value.shape:
            raise InputError(
                f"{folder} has {name} as {tuple(value.shape)}, this run needs {tuple(expected[name].shape)}"
            )
    model.load_state_dict(tensors, strict=False)
