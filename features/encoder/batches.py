"""Batches of tokenised texts under a token budget, computed side by side and handed out in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch

from features.encoder.device import is_out_of_memory
from features.encoder.packing import fill
from features.encoder.tokenizer import Tokenized
from features.errors import InputError

Given = TypeVar("Given")
Computed = TypeVar("Computed")


def map_ahead(
    compute: Callable[[Given], Computed], items: Iterable[Given], workers: int
) -> Iterator[Computed]:
    """Map items in threads that each compute alone, and yield the results in the items' order.

    One batch a core beats all cores on one batch: nothing waits for the slowest core after every product,
    which on a machine that others use as well costs several times the work itself. And while a result is
    written away, the next ones are under way.

    Args:
        compute: called in a worker, in which torch uses one thread.
        items: drawn in the caller's thread, as workers become free.
        workers: number of threads.
    """
    pending: deque[Future[Computed]] = deque()
    with ThreadPoolExecutor(workers, "encode", torch.set_num_threads, (1,)) as pool:
        try:
            for item in items:
                pending.append(pool.submit(compute, item))
                if len(pending) > workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


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

    def shrink(self, batch: Batch, error: RuntimeError, device: torch.device) -> None:
        """Halve the limit to half of what a failed batch held.

        Raises:
            RuntimeError: the error was not about memory.
            InputError: the batch was a single text.
        """
        if not is_out_of_memory(error):
            raise error
        tokens = int(batch.pieces.lengths.sum())
        if len(batch.index) == 1:
            other = "" if device.type == "cpu" else ", or ENCODE_ONCE_DEVICE=cpu"
            raise InputError(
                f"the device's memory does not hold one text of {tokens} pieces; set a smaller "
                f"`max_length:`{other}"
            ) from None
        self.tokens = min(self.tokens, tokens // 2)
