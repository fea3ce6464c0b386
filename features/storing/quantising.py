"""Token embeddings in 8 bits: one scale a token, so that one loud token costs the others nothing.

    scale = max |x| / 127,  q = round(x / scale),  x' = q scale,  |x - x'| <= scale / 2

Symmetric absolute-maximum quantisation of vectors, as in Dettmers et al. (2022, arXiv 2208.07339, section 2).
What `int8` means in a manifest is fixed by a test that pins its bytes; other bytes need another name.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_LARGEST = np.float32(127)  # -128 stays unused: the range is symmetric
_BLOCK = 2**18  # numbers whose float32 form stays in a processor's cache


def quantise(tokens: npt.NDArray[np.float16]) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Round tokens (T, D) to 8 bits.

    Returns:
        (T, D) int8 and (T,) float32 scales; a token of zeros has scale 0.

    Raises:
        ValueError: a number is NaN or infinite, which 8 bits would hide.
    """
    values = tokens.astype(np.float32)
    scales: npt.NDArray[np.float32] = np.abs(values).max(axis=1, initial=0) / _LARGEST
    if not np.isfinite(scales).all():
        raise ValueError("a token embedding is not finite and has no 8-bit form")
    values /= np.where(scales > 0, scales, np.float32(1))[:, None]
    return np.rint(values, out=values).astype(np.int8), scales


def dequantise(values: npt.NDArray[np.int8], scales: npt.NDArray[np.float32]) -> npt.NDArray[np.float16]:
    """The tokens (T, D) that 8-bit values (T, D) and scales (T,) stand for; both arrays writable."""
    import torch  # NumPy takes ten times as long to convert to halves

    result = np.empty(values.shape, np.float16)
    given, out = torch.from_numpy(values), torch.from_numpy(result)
    factors = torch.from_numpy(scales)[:, None]
    step = max(1, _BLOCK // values.shape[1])
    for start in range(0, len(values), step):
        block = slice(start, start + step)
        out[block] = given[block].float().mul_(factors[block])
    return result
