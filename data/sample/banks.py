"""Dice whose rolls never change, and small readers for the word banks."""

from __future__ import annotations

import random
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


class Dice:
    """Seeded choices built on ``Random.random`` alone.

    Python guarantees the sequence of ``random()`` for a seed across versions; it does not for ``choice``,
    ``shuffle`` or ``gauss``. Sums and products of these numbers are the same on every IEEE 754 machine.
    """

    def __init__(self, seed: int) -> None:
        self._roll = random.Random(seed).random

    def uniform(self, low: float, high: float) -> float:
        """A number in [low, high)."""
        return low + (high - low) * self._roll()

    def between(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self._roll() * (high - low + 1))

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self._roll() < probability

    def normal(self) -> float:
        """Nearly standard normal: the sum of twelve uniform numbers less six (needs no logarithm)."""
        return sum(self._roll() for _ in range(12)) - 6.0

    def pick(self, items: Sequence[T]) -> T:
        """One item, all equally likely."""
        return items[int(self._roll() * len(items))]

    def fresh(self, items: Sequence[K], used: set[K]) -> K:
        """One item that is not in ``used`` (if 30 draws find one), which then holds it."""
        for _ in range(30):
            item = self.pick(items)
            if item not in used:
                break
        used.add(item)
        return item

    def weighted(self, weights: Mapping[K, float]) -> K:
        """One key, drawn in proportion to its weight."""
        left = self._roll() * sum(weights.values())
        for item, weight in weights.items():
            left -= weight
            if left < 0:
                return item
        return item

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The items in random order (Fisher-Yates)."""
        result = list(items)
        for last in range(len(result) - 1, 0, -1):
            other = self.between(0, last)
            result[last], result[other] = result[other], result[last]
        return result


def lines(text: str) -> tuple[str, ...]:
    """The items of a bank written one to a line."""
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def items(text: str) -> tuple[str, ...]:
    """The items of a bank written with ``|`` between them, over any number of lines."""
    return tuple(part.strip() for part in text.replace("\n", " ").split("|") if part.strip())


def pairs(text: str) -> tuple[tuple[str, str], ...]:
    """The ``praise | blame`` pairs of a bank written one pair to a line."""
    result = []
    for line in lines(text):
        praise, blame = line.split("|")
        result.append((praise.strip(), blame.strip()))
    return tuple(result)
