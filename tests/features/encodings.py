"""Texts of every awkward kind, a tiny encoder for them, and their vectors in the order they were given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from features.corpus.texts import Text
from features.encoder.encoder import Encoder, EncoderSpec
from features.store.shards import EncodedBatch
from tests.features.tiny_models import LAYERS, POSITIONS

TEXTS = [
    Text("the film was not good"),
    Text(" "),
    Text("Very slow, very dull!"),
    Text("great cast", "but the ending was bad"),
    Text("\U0001f600"),
    Text("电影不好看"),
    Text("a great film " * 60),
    Text("never again, loved it?"),
    Text("the film was not good"),
]
EVERY = tuple(range(LAYERS + 1))


def load(
    folder: Path, *, layers: tuple[int, ...] = (-1,), precision: str = "float32", **spec: Any
) -> Encoder:
    """A tiny encoder on the CPU."""
    given = EncoderSpec(str(folder), None, spec.pop("max_length", POSITIONS), layers, **spec)
    return Encoder.load(given, device="cpu", precision=precision)


def restored(batches: list[EncodedBatch], count: int) -> list[tuple[list[np.ndarray[Any, Any]], Any]]:
    """Tokens of each layer and pooled vectors of each text, in the order the texts were given."""
    found: dict[int, Any] = {}
    for batch in batches:
        ends = np.cumsum(batch.lengths)
        for row, position in enumerate(batch.index.tolist()):
            assert position not in found
            span = slice(ends[row] - batch.lengths[row], ends[row])
            found[position] = ([layer[span] for layer in batch.tokens], batch.pooled[row])
    return [found[position] for position in range(count)]
