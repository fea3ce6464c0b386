"""One batch through a frozen model without padding, its result checked to be finite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from features.encoder import packing
from features.encoder.layers import Stack
from features.encoder.tokenizer import Tokenized
from features.store.shards import EncodedBatch

_POSITIVE_INFINITY, _NEGATIVE_INFINITY = 0x7C00, 0xFC00  # bits of float16; above each lie only NaNs


def first_not_finite(batch: EncodedBatch) -> int | None:
    """The first text of a batch with NaN or infinity in its vectors, by its number in `batch.index`.

    A mean is finite only if every token in it is, so the pooled vectors speak for the tokens; these are
    looked at once more because float16 may overflow where float32 does not.
    """
    bad: npt.NDArray[np.bool_] = np.asarray(~np.isfinite(batch.pooled).all(axis=(1, 2)))
    ends = np.cumsum(batch.lengths)
    for layer in batch.tokens:
        if not bad.any() and _overflows(layer):
            rows = np.flatnonzero(~np.isfinite(layer).all(axis=1))
            bad[np.searchsorted(ends, rows, side="right")] = True
    return int(batch.index[int(np.flatnonzero(bad)[0])]) if bad.any() else None


def _overflows(values: npt.NDArray[np.float16]) -> bool:
    """Whether any number is NaN or infinite, read from the bits: NumPy compares halves slowly."""
    signed, unsigned = values.view(np.int16), values.view(np.uint16)
    return bool(signed.max() >= _POSITIVE_INFINITY or unsigned.max() >= _NEGATIVE_INFINITY)


class States(NamedTuple):
    """What a model says about B texts of T tokens in all.

    hidden: one (T, D) float32 a cached layer, ascending, real tokens only; empty where none are kept.
    pooled: (B, V, D) float32, `cls` and `mean` of each cached layer, then the pooler's.
    """

    hidden: tuple[torch.Tensor, ...]
    pooled: torch.Tensor

    def to_batch(self, index: npt.NDArray[np.int64], pieces: Tokenized) -> EncodedBatch:
        """The same on the host, tokens in float16, with the pieces they belong to."""
        return EncodedBatch(
            index=index,
            lengths=pieces.lengths,
            pooled=self.pooled.cpu().numpy(),
            tokens=tuple(state.to(torch.float16).cpu().numpy() for state in self.hidden),
            piece_ids=pieces.piece_ids,
            char_spans=pieces.char_spans,
            segments=pieces.segments,
        )


@dataclass(frozen=True)
class Forward:
    """A model's forward pass over tokenised texts.

    stack: the model, shortened to the layers wanted.
    pooler: its pooler, in a precision of its own, where pooler vectors are wanted.
    layers: hidden states wanted, ascending.
    keep_tokens: whether token vectors are wanted.
    device: where the model lies.
    wants_types: whether the model embeds the tokenizer's segment numbers.
    """

    stack: Stack
    pooler: nn.Module | None
    layers: tuple[int, ...]
    keep_tokens: bool
    device: torch.device
    wants_types: bool

    def packed(self, pieces: Tokenized) -> States:
        """Run texts as one row without padding."""
        blocks = packing.blocks_of(pieces.lengths)
        with torch.inference_mode():
            hidden = self.hidden(pieces.piece_ids, pieces.type_ids, pieces.lengths, packed_blocks=blocks)
            return self.pool(hidden, pieces.lengths, blocks)

    def hidden(
        self,
        ids: npt.NDArray[np.int32],
        types: npt.NDArray[np.int8],
        lengths: npt.NDArray[np.int32],
        **attention: Any,
    ) -> tuple[torch.Tensor, ...]:
        """Hidden states (T, D) of the wanted layers, of a row of texts; `attention` goes to its function."""
        positions = packing.positions_of(lengths) + self.stack.position_start
        inputs = {"input_ids": self._row(ids), "position_ids": self._row(positions)}
        if self.wants_types:
            inputs["token_type_ids"] = self._row(types)
        states = self.stack.forward(**inputs, **attention)
        return tuple(states[layer][0] for layer in self.layers)

    def pool(
        self,
        hidden: tuple[torch.Tensor, ...],
        lengths: npt.NDArray[np.int32],
        blocks: Sequence[packing.Block],
    ) -> States:
        """Pooled vectors of a row of texts, and its tokens where they are kept."""
        firsts = torch.from_numpy(packing.starts_of(lengths)).to(self.device)
        vectors: list[torch.Tensor] = []
        for state in hidden:
            vectors += [state[firsts].float(), packing.segment_means(state, blocks)]
        if self.pooler is not None:
            first = vectors[-2].unsqueeze(1)
            vectors.append(self.pooler(first.to(next(self.pooler.parameters()).dtype)).float())
        return States(hidden if self.keep_tokens else (), torch.stack(vectors, dim=1))

    def _row(self, values: npt.NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(values.astype(np.int64)).unsqueeze(0).to(self.device)
