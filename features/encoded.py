"""What crosses from the encoder to the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Text(NamedTuple):
    """One input of the encoder: a text, or a text and its pair."""

    text: str
    pair: str | None = None

    @property
    def joined(self) -> str:
        """The text, followed by its pair after one space where it has one: what people are shown."""
        return self.text if self.pair is None else f"{self.text} {self.pair}"


@dataclass(frozen=True)
class EncodedBatch:
    """The vectors of B texts; T is the sum of their lengths, K the cached layers, V the pooled vectors.

    index: (B,) int64, positions of the texts in what was given to the encoder.
    lengths: (B,) int32, pieces of each text, special tokens included, after truncation.
    pooled: (B, V, D) float32, in the order of `Manifest.vectors`.
    tokens: K arrays (T, D) float16, one a cached layer in ascending order, real tokens only, texts one
        after another in the order of `index`; empty tuple where tokens are not kept.
    piece_ids: (T,) int32, ids in the tokenizer's vocabulary.
    char_spans: (T, 2) int32, start and end of each piece in its text's characters; (0, 0) for specials.
    segments: (T,) int8, 0 for a piece of the text, 1 of its pair, -1 for special tokens.
    """

    index: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int32]
    pooled: npt.NDArray[np.float32]
    tokens: tuple[npt.NDArray[np.float16], ...]
    piece_ids: npt.NDArray[np.int32]
    char_spans: npt.NDArray[np.int32]
    segments: npt.NDArray[np.int8]
