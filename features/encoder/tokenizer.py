"""The tokenizer as extraction needs it: cuts to a length, never pads, tells where each piece stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from features.corpus.texts import Text
from features.encoder.packing import positions_of, starts_of
from features.encoder.weights import load_tokenizer
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
        return self._of(lengths, pieces)

    def cut(self, first: int, end: int) -> Tokenized:
        """The texts from position `first` up to `end`, as views."""
        pieces = slice(int(self.lengths[:first].sum()), int(self.lengths[:end].sum()))
        return self._of(self.lengths[first:end], pieces)

    def _of(self, lengths: npt.NDArray[np.int32], pieces: Any) -> Tokenized:
        arrays = (self.piece_ids, self.type_ids, self.char_spans, self.segments)
        return Tokenized(lengths, *(array[pieces] for array in arrays))


@dataclass(frozen=True)
class Tokenizer:
    """A fast tokenizer that truncates, the longer of a pair first; built by `load`.

    backend: the `tokenizers.Tokenizer`.
    padding: id of the padding piece.
    types: whether models are meant to embed its segment numbers.
    """

    backend: Any
    padding: int
    types: bool

    @classmethod
    def load(cls, folder: Path, max_length: int) -> Tokenizer:
        """The folder's tokenizer, cutting at `max_length` pieces, special ones included.

        Raises:
            InputError: it cannot be read, or it is a slow one, which knows no character offsets.
        """
        loaded = load_tokenizer(folder)
        backend = loaded.backend_tokenizer
        backend.enable_truncation(max_length, strategy="longest_first", direction=loaded.truncation_side)
        backend.no_padding()
        return cls(backend, loaded.pad_token_id or 0, "token_type_ids" in loaded.model_input_names)

    @property
    def specials(self) -> int:
        """Special pieces that a pair is given."""
        return int(self.backend.num_special_tokens_to_add(True))

    def tokenize(self, texts: Sequence[Text | str]) -> Tokenized:
        """Cut texts (and pairs) into pieces; a plain string is a text without a pair.

        Raises:
            InputError: a text holds half a surrogate pair, which no tokenizer can read; or the texts are one
                string, whose characters are hardly meant.
        """
        if isinstance(texts, str):
            raise InputError(f"{texts[:80]!r} is a single text; expected a list of texts: put it into one")
        encodings = _encodings(self.backend, [as_text(text) for text in texts]) if len(texts) else []
        lengths = np.fromiter(map(len, encodings), np.int32, len(encodings))
        total = int(lengths.sum())

        def flat(values: Any, dtype: Any) -> npt.NDArray[Any]:
            return np.fromiter(chain.from_iterable(values), dtype, total)

        offsets = chain.from_iterable(encoding.offsets for encoding in encodings)
        spans = np.fromiter(chain.from_iterable(offsets), np.int32, 2 * total)
        special = flat((encoding.special_tokens_mask for encoding in encodings), np.bool_)
        numbers = ([-1 if of is None else of for of in encoding.sequence_ids] for encoding in encodings)
        segments = np.where(special, np.int8(-1), flat(numbers, np.int8))
        return Tokenized(
            lengths=lengths,
            piece_ids=flat((encoding.ids for encoding in encodings), np.int32),
            type_ids=flat((encoding.type_ids for encoding in encodings), np.int8),
            char_spans=np.where((segments >= 0)[:, None], spans.reshape(-1, 2), np.int32(0)),
            segments=segments,
        )


def as_text(text: Text | str) -> Text:
    """A plain string as a text without a pair."""
    return Text(text) if isinstance(text, str) else text


def _encodings(backend: Any, texts: Sequence[Text]) -> list[Any]:
    for text in filter(None, chain.from_iterable(texts)):
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InputError(
                f"a text holds half a surrogate pair ({text[:80]!r}), expected valid Unicode; clean the text "
                f"before it is encoded"
            ) from None
    given = [first if pair is None else (first, pair) for first, pair in texts]
    return list(backend.encode_batch(given))
