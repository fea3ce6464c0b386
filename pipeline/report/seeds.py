"""A figure over the seeds of a run: the mean, and how far trainings differ from one another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Over:
    """Mean and sample standard deviation of a figure over n seeds; NaN deviation for one seed."""

    mean: float
    deviation: float
    n: int

    @property
    def several(self) -> bool:
        """Whether there is a spread to show."""
        return self.n > 1 and not math.isnan(self.deviation)


def over_seeds(figures: Sequence[float]) -> Over:
    """Sum up the figures of one or more seeds.

    >>> over_seeds([0.7, 0.8, 0.9])
    Over(mean=0.8, deviation=0.1, n=3)
    """
    n = len(figures)
    mean = sum(figures) / n
    spread = math.sqrt(sum((figure - mean) ** 2 for figure in figures) / (n - 1)) if n > 1 else math.nan
    return Over(round(mean, 12), round(spread, 12), n)
