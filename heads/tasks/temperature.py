"""Temperature scaling (Guo et al. 2017, arXiv 1706.04599): softmax(scores / T), T fitted on validation."""

from __future__ import annotations

import math

from torch import Tensor

COLDEST, HOTTEST = 0.05, 20.0


def fit_temperature(scores: Tensor, classes: Tensor) -> float:
    """The T in [0.05, 20] that minimises the cross entropy of scores (N, size) with classes (N,).

    The loss is convex in 1/T, so its slope is bisected: exact, and without a learning rate. Without rows, 1.
    """
    if classes.numel() == 0:
        return 1.0
    scores, classes = scores.detach().cpu().double(), classes.cpu()
    right = scores.gather(1, classes.unsqueeze(1)).squeeze(1)

    def slope(inverse: float) -> float:
        expected = ((scores * inverse).softmax(dim=1) * scores).sum(dim=1)
        return float((expected - right).mean())

    low, high = math.log(1 / HOTTEST), math.log(1 / COLDEST)
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if slope(math.exp(middle)) > 0 else (middle, high)
    return math.exp(-(low + high) / 2)
