"""The engines that are compared: each turns texts into token embeddings of the last layer its own way."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Tokens = list[npt.NDArray[np.float32]]
Engine = Callable[[list[str]], Tokens]

HALF = {"cpu": "bfloat16", "cuda": "float16"}


def build(name: str, folder: Path, max_length: int, device: str, threads: int) -> Engine:
    """The engine of that name with its model loaded."""
    builders: dict[str, Callable[[Path, int, str], Engine]] = {
        "encode-once": _encode_once,
        "encode-once float32": lambda *args: _encode_once(*args, precision="float32"),
        "encode-once extract": _extract,
        "encode-once static": lambda *args: _padded(*args, strategy="static"),
        "encode-once dynamic": lambda *args: _padded(*args, strategy="dynamic"),
        "encode-once sorted": lambda *args: _padded(*args, strategy="sorted"),
        "sentence-transformers": _sentence_transformers,
        "sentence-transformers half": lambda *args: _sentence_transformers(*args, half=True),
        "openvino bf16": lambda *args: _openvino(*args, threads=threads),
        "pipeline": _pipeline,
        "alone": _alone,
    }
    return builders[name](folder, max_length, device)


def _encode_once(folder: Path, max_length: int, device: str, precision: str = "auto") -> Engine:
    from features.corpus.texts import Text
    from features.encoder.device import give_products_to_half
    from features.encoder.encoder import Encoder, EncoderSpec

    spec = EncoderSpec(str(folder), None, max_length)
    encoder = Encoder.load(spec, device=device, precision=precision)
    give_products_to_half(encoder.precision)

    return lambda texts: _in_order(encoder.encode([Text(text) for text in texts]))


def _padded(folder: Path, max_length: int, device: str, strategy: Any) -> Engine:
    """The same layers, batched as others do it: 32 texts padded to the longest allowed, or of the batch."""
    from features.corpus.texts import Text
    from features.encoder.device import give_products_to_half
    from features.encoder.encoder import Encoder, EncoderSpec
    from features.encoder.padding import encode_padded

    encoder = Encoder.load(EncoderSpec(str(folder), None, max_length), device=device)
    give_products_to_half(encoder.precision)

    def run(texts: list[str]) -> Tokens:
        return _in_order(encode_padded(encoder, encoder.tokenize([Text(text) for text in texts]), strategy))

    return run


def _in_order(batches: Iterable[Any]) -> Tokens:
    """Tokens of the last layer, text by text, in the order the texts were given."""
    found: dict[int, npt.NDArray[Any]] = {}
    for batch in batches:
        parts = np.split(batch.tokens[0], np.cumsum(batch.lengths)[:-1])
        found.update(zip(batch.index.tolist(), parts, strict=True))
    return [found[position] for position in range(len(found))]


def _extract(folder: Path, max_length: int, device: str) -> Engine:
    """The same through the store: forecast, shards on disk with fsync, index. Gives no tokens back."""
    from features.corpus.texts import Text
    from features.encoder.device import give_products_to_half
    from features.encoder.encoder import Encoder, EncoderSpec
    from features.store.extraction import extract

    encoder = Encoder.load(EncoderSpec(str(folder), None, max_length), device=device)
    give_products_to_half(encoder.precision)

    def run(texts: list[str]) -> Tokens:
        unique = {text: number for number, text in enumerate(dict.fromkeys(texts))}
        rows = np.array([unique[text] for text in texts], np.int64)
        with tempfile.TemporaryDirectory() as root:
            store, out = Path(root) / "store", Path(root) / "corpus"
            extract([Text(text) for text in unique], rows, encoder, store, out, lambda _: None)
        return []

    return run


def _sentence_transformers(folder: Path, max_length: int, device: str, half: bool = False) -> Engine:
    import torch

    kwargs = {"dtype": getattr(torch, HALF[device])} if half else {}
    return _by_sentence_transformers(folder, max_length, device, "torch", kwargs)


def _openvino(folder: Path, max_length: int, device: str, threads: int) -> Engine:
    config = {"INFERENCE_PRECISION_HINT": "bf16", "INFERENCE_NUM_THREADS": str(threads)}
    kwargs = {"export": True, "ov_config": config}
    return _by_sentence_transformers(folder, max_length, device, "openvino", kwargs)


def _by_sentence_transformers(
    folder: Path, max_length: int, device: str, backend: Any, kwargs: dict[str, Any]
) -> Engine:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    transformer = Transformer(str(folder), max_seq_length=max_length, backend=backend, model_kwargs=kwargs)
    model = SentenceTransformer(modules=[transformer, Pooling(_width(folder))], device=device)

    def run(texts: list[str]) -> Tokens:
        found = model.encode(texts, output_value="token_embeddings", show_progress_bar=False)
        return [tokens.float().cpu().numpy() for tokens in found]

    return run


def _pipeline(folder: Path, max_length: int, device: str) -> Engine:
    from transformers import pipeline

    extractor = pipeline("feature-extraction", model=str(folder), tokenizer=str(folder), device=device)
    options = {"truncation": True, "max_length": max_length}

    def run(texts: list[str]) -> Tokens:
        found = extractor(texts, return_tensors=True, tokenize_kwargs=options)
        return [tokens[0].float().numpy() for tokens in found]

    return run


def _alone(folder: Path, max_length: int, device: str) -> Engine:
    """The reference: Transformers' own model in float32 on the CPU, one text at a time."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).float().eval()

    def run(texts: list[str]) -> Tokens:
        found: Tokens = []
        with torch.inference_mode():
            for text in texts:
                pieces = tokenizer(text, truncation=True, max_length=max_length, return_tensors="pt")
                found.append(model(**pieces).last_hidden_state[0].numpy())
        return found

    return run


def _width(folder: Path) -> int:
    return int(json.loads((folder / "config.json").read_text())["hidden_size"])
