"""One batch through a frozen model without padding, its result checked to be finite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from features.encoder import packing
from features.encoder.layers import Stack
from features.encoder.tokenizer import Tokenized
from features.store.shards import EncodedBatch


def first_not_finite(batch: EncodedBatch) -> int | None:
    """The first text of a batch with NaN or infinity in its vectors, by its number in `batch.index`.

    A mean is finite only if every token in it is, so the pooled vectors speak for the tokens; these are
    looked at once more because float16 may overflow where float32 does not.
    """
    bad: npt.NDArray[np.bool_] = np.asarray(~np.isfinite(batch.pooled).all(axis=(1, 2)))
    ends = np.cumsum(batch.lengths)
    for layer in batch.tokens:
        magnitudes = layer.view(np.uint16) & 0x7FFF  # bits without the sign: NumPy compares halves slowly
        rows = np.flatnonzero((magnitudes >= 0x7C00).any(axis=1))  # infinity; above lie only NaNs
        bad[np.searchsorted(ends, rows, side="right")] = True
    return int(batch.index[np.flatnonzero(bad)[0]]) if bad.any() else None


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

    @torch.inference_mode()
    def packed(self, index: npt.NDArray[np.int64], pieces: Tokenized) -> EncodedBatch:
        """Run B texts as one row without padding; `index`, (B,) int64, says which they are."""
        blocks = packing.blocks_of(pieces.lengths)
        hidden = self.hidden(pieces.piece_ids, pieces.type_ids, pieces.lengths, packed_blocks=blocks)
        return self.batch(index, pieces, hidden, blocks)

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

    def batch(
        self,
        index: npt.NDArray[np.int64],
        pieces: Tokenized,
        hidden: tuple[torch.Tensor, ...],
        blocks: Sequence[packing.Block],
    ) -> EncodedBatch:
        """Pool the hidden states of a row of texts, and bring all that is kept to the host."""
        firsts = torch.from_numpy(packing.starts_of(pieces.lengths)).to(self.device)
        vectors: list[torch.Tensor] = []
        for state in hidden:
            vectors += [state[firsts].float(), packing.segment_means(state, blocks)]
        if self.pooler is not None:
            first = vectors[-2].unsqueeze(1)
            vectors.append(self.pooler(first.to(next(self.pooler.parameters()).dtype)).float())
        return EncodedBatch(
            index=index,
            lengths=pieces.lengths,
            pooled=torch.stack(vectors, dim=1).cpu().numpy(),
            tokens=tuple(state.half().cpu().numpy() for state in hidden) if self.keep_tokens else (),
            piece_ids=pieces.piece_ids,
            char_spans=pieces.char_spans,
            segments=pieces.segments,
        )

    def _row(self, values: npt.NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(values.astype(np.int64)).unsqueeze(0).to(self.device)
