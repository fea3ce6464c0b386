"""Whole-word masking for the masked language model.

BERT's corruption (Devlin et al. 2019, arXiv 1810.04805) with the choice made per word, as in the authors'
whole-word release and, for Chinese words found by segmentation, in Cui et al. 2019, arXiv 1906.08101.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Masked(NamedTuple):
    """inputs: (B, S) int64, the corrupted pieces. chosen: (B, S) bool, where the model has to predict."""

    inputs: npt.NDArray[np.int64]
    chosen: npt.NDArray[np.bool_]


def mask_words(
    ids: npt.NDArray[np.int64],
    words: npt.NDArray[np.int64],
    *,
    share: float,
    mask_id: int,
    candidates: npt.NDArray[np.int64],
    rng: np.random.Generator,
) -> Masked:
    """Choose a share of the words and corrupt all their pieces.

    Of the chosen pieces 80 % become the mask, 10 % a random candidate, 10 % stay.

    Args:
        ids: (B, S) pieces.
        words: (B, S) number of the word each piece belongs to; below 0 is never chosen (special, padding).
        share: expected share of words chosen, 0 to 1.
        mask_id: id of the mask.
        candidates: (C,) ids a random replacement is drawn from.
        rng: the draw.
    """
    count = int(words.max(initial=-1)) + 1
    picked = np.append(rng.random(count) < share, False)
    chosen = picked[words]
    fate = rng.random(ids.shape)
    inputs = ids.copy()
    inputs[chosen & (fate < 0.8)] = mask_id
    swapped = chosen & (fate >= 0.9)
    inputs[swapped] = rng.choice(candidates, size=int(swapped.sum()))
    return Masked(inputs, chosen)
