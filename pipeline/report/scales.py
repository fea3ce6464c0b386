"""From numbers to places in a picture: linear and logarithmic axes with round ticks."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """Maps `low` to `start` and `high` to `end`; `log` takes decades apart evenly."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The place of a value.

        >>> Scale(0, 10, 100, 200)(5), Scale(1, 100, 0, 10, log=True)(10)
        (150.0, 5.0)
        """
        low, high, value = (
            (math.log10(v) for v in (self.low, self.high, value))
            if self.log
            else (self.low, self.high, value)
        )
        share = (value - low) / (high - low) if high > low else 0.5
        return round(self.start + share * (self.end - self.start), 2)


def round_ticks(low: float, high: float, about: int = 5) -> tuple[float, ...]:
    """Round numbers inside a range, some `about` of them.

    >>> round_ticks(0.31, 0.52)
    (0.35, 0.4, 0.45, 0.5)
    """
    if not high > low:
        return (low,)
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return tuple(round(k * step, 12) for k in range(first, last + 1))


def decade_ticks(low: float, high: float) -> tuple[float, ...]:
    """Powers of ten inside a range, and where fewer than two lie there also 2 and 5 times each.

    >>> decade_ticks(0.2, 40)
    (1.0, 10.0)
    >>> decade_ticks(2, 9)
    (2.0, 5.0)
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1,), (1, 2, 5)):
        ticks = tuple(
            value for p in powers for factor in factors if low <= (value := factor * 10.0**p) <= high
        )
        if len(ticks) >= 2:
            return ticks
    return (low, high)
