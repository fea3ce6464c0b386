"""From texts to pieces: ids, character spans and segments of many texts as flat arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from features.corpus.texts import Text
from features.encoder.cutter import Cutter
from features.encoder.packing import positions_of, starts_of
from features.errors import InputError


@dataclass(frozen=True)
class Tokenized:
    """The pieces of B texts, one text after another; T is the sum of their lengths.

    lengths: (B,) int32, special tokens included, after truncation.
    piece_ids: (T,) int32, ids in the tokenizer's vocabulary.
    type_ids: (T,) int8, the tokenizer's own segment numbers, which some models embed.
    char_spans: (T, 2) int32, start and end of each piece in its text's characters; (0, 0) for specials.
    segments: (T,) int8, 0 for a piece of the text, 1 of its pair, -1 for special tokens.
    """

    lengths: npt.NDArray[np.int32]
    piece_ids: npt.NDArray[np.int32]
    type_ids: npt.NDArray[np.int8]
    char_spans: npt.NDArray[np.int32]
    segments: npt.NDArray[np.int8]

    def take(self, order: npt.NDArray[np.int64]) -> Tokenized:
        """The texts at positions `order`, in that order."""
        lengths = self.lengths[order]
        pieces = np.repeat(starts_of(self.lengths)[order], lengths) + positions_of(lengths)
        return Tokenized(
            lengths,
            self.piece_ids[pieces],
            self.type_ids[pieces],
            self.char_spans[pieces],
            self.segments[pieces],
        )

    def cut(self, first: int, end: int) -> Tokenized:
        """The texts from position `first` up to `end`, as views."""
        start, stop = int(self.lengths[:first].sum()), int(self.lengths[:end].sum())
        return Tokenized(
            self.lengths[first:end],
            self.piece_ids[start:stop],
            self.type_ids[start:stop],
            self.char_spans[start:stop],
            self.segments[start:stop],
        )


def tokenize(cutter: Cutter, texts: Sequence[Text]) -> Tokenized:
    """Cut texts (and pairs) into pieces.

    Raises:
        InputError: a text holds half a surrogate pair, which no tokenizer can read.
    """
    encodings = [] if not texts else _encodings(cutter, texts)
    lengths = np.fromiter(map(len, encodings), np.int32, len(encodings))
    total = int(lengths.sum())

    def flat(values: Any, dtype: Any) -> npt.NDArray[Any]:
        return np.fromiter(chain.from_iterable(values), dtype, total)

    offsets = chain.from_iterable(encoding.offsets for encoding in encodings)
    spans = np.fromiter(chain.from_iterable(offsets), np.int32, 2 * total)
    special = flat((encoding.special_tokens_mask for encoding in encodings), np.int8)
    sequences = flat((_sequence_numbers(encoding) for encoding in encodings), np.int8)
    segments = np.where(special == 1, np.int8(-1), sequences)
    return Tokenized(
        lengths=lengths,
        piece_ids=flat((encoding.ids for encoding in encodings), np.int32),
        type_ids=flat((encoding.type_ids for encoding in encodings), np.int8),
        char_spans=np.where((segments >= 0)[:, None], spans.reshape(-1, 2), np.int32(0)),
        segments=segments,
    )


def _encodings(cutter: Cutter, texts: Sequence[Text]) -> list[Any]:
    for position, pair in enumerate(texts):
        for text in pair:
            if text is not None and not _readable(text):
                raise InputError(
                    f"text {position} holds half a surrogate pair ({text[:80]!r}), expected valid Unicode; "
                    f"clean the text before it is encoded"
                )
    given = [first if pair is None else (first, pair) for first, pair in texts]
    return list(cutter.backend.encode_batch(given))


def _sequence_numbers(encoding: Any) -> list[int]:
    return [-1 if number is None else number for number in encoding.sequence_ids]


def _readable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
