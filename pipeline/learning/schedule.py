"""How the learning rate runs over a training: a linear rise, then constant or falling to zero."""

from __future__ import annotations

import math
from typing import Literal

Kind = Literal["constant", "linear", "cosine"]


def rate_factor(progress: float, kind: Kind, warmup: float) -> float:
    """What the learning rate is multiplied by.

    Layers that come from a trained encoder are the reason: a full first step would throw them off (Devlin et
    al. 2019, arXiv 1810.04805, appendix A: warm-up, then linear decay), and small last steps let them settle.

    Args:
        progress: share of all steps that is done, 0 to 1.
        kind: what follows the rise; `cosine` is half a period (Loshchilov and Hutter 2017, arXiv 1608.03983).
        warmup: share of all steps over which it rises from 0 to 1.

    >>> [rate_factor(p, "linear", 0.2) for p in (0.1, 0.2, 0.6, 1.0)]
    [0.5, 1.0, 0.5, 0.0]
    """
    if progress < warmup:
        return progress / warmup
    if kind == "constant":
        return 1.0
    left = (1 - progress) / (1 - warmup)
    return left if kind == "linear" else (1 - math.cos(math.pi * left)) / 2
