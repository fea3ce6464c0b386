"""A batch of tokenised texts, and how many tokens one may hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.encoding.device import is_out_of_memory
from features.encoding.packing import fill
from features.encoding.tokenising import Tokenized
from features.errors import InputError


@dataclass(frozen=True)
class Batch:
    """Texts that go through the model together.

    index: (B,) int64, their positions in what was given to the encoder.
    pieces: their tokens.
    """

    index: npt.NDArray[np.int64]
    pieces: Tokenized

    def halves(self) -> tuple[Batch, Batch]:
        """The batch as two of about as many tokens each; it must hold at least two texts."""
        lengths = self.pieces.lengths
        middle = min(fill(lengths, int(lengths.sum()) // 2), len(lengths) - 1)
        return (
            Batch(self.index[:middle], self.pieces.cut(0, middle)),
            Batch(self.index[middle:], self.pieces.cut(middle, len(lengths))),
        )


@dataclass
class Limit:
    """Tokens that a batch may hold; lowered for good when a device runs out of memory."""

    tokens: int

    def shrink(self, batch: Batch, error: RuntimeError) -> None:
        """Halve the limit to half of what a failed batch held.

        Raises:
            RuntimeError: the error was not about memory.
            InputError: the batch was a single text.
        """
        if not is_out_of_memory(error):
            raise error
        tokens = int(batch.pieces.lengths.sum())
        if len(batch.index) == 1:
            raise InputError(
                f"the device's memory does not hold one text of {tokens} pieces; set a smaller "
                f"`max_length:`, or ENCODE_ONCE_DEVICE=cpu"
            ) from None
        self.tokens = min(self.tokens, tokens // 2)
