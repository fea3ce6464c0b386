"""Embeddings that are no numbers stop everything before they reach a cache."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from features.encoded import EncodedBatch, Text
from features.errors import InputError

_POSITIVE_INFINITY, _NEGATIVE_INFINITY = 0x7C00, 0xFC00  # bits of float16; above each lie only NaNs


def check_finite(batch: EncodedBatch, texts: Sequence[Text]) -> None:
    """Look for NaN and infinity in a batch.

    A mean is finite only if every token in it is, so the pooled vectors speak for the tokens; these are
    looked at once more because float16 may overflow where float32 does not.

    Args:
        batch: what was computed.
        texts: all texts that were given, which `batch.index` points into.

    Raises:
        InputError: names the first text of the batch whose embedding is not finite.
    """
    bad: npt.NDArray[np.bool_] = np.asarray(~np.isfinite(batch.pooled).all(axis=(1, 2)))
    ends = np.cumsum(batch.lengths)
    for layer in batch.tokens:
        if not bad.any() and _overflows(layer):
            rows = np.flatnonzero(~np.isfinite(layer).all(axis=1))
            bad[np.searchsorted(ends, rows, side="right")] = True
    if bad.any():
        position = int(batch.index[int(np.flatnonzero(bad)[0])])
        raise InputError(
            f"the embedding of text {position} is not finite ({texts[position].text[:80]!r}); expected "
            f"numbers that float16 holds: check the weights, or set ENCODE_ONCE_PRECISION=float32 or "
            f"ENCODE_ONCE_DEVICE=cpu"
        )


def _overflows(values: npt.NDArray[np.float16]) -> bool:
    """Whether any number is NaN or infinite, read from the bits: NumPy compares halves slowly."""
    signed, unsigned = values.view(np.int16), values.view(np.uint16)
    return bool(signed.max() >= _POSITIVE_INFINITY or unsigned.max() >= _NEGATIVE_INFINITY)
