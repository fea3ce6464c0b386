"""Word clouds: the larger a word, the more it sets a label apart. Laid out here, drawn as SVG.

Words go, heaviest first, to the first free place on an Archimedean spiral from the middle, as in Wordle
(Feinberg 2010). Widths are estimated, and the picture makes each word as wide as was planned.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.words import WordList, WordLists

WIDTH, HEIGHT = 400.0, 250.0
_LARGEST, _SMALLEST = 46.0, 12.0
_GAP = 3.0


@dataclass(frozen=True)
class Placed:
    """A word with its middle, its width and its size in px."""

    word: str
    weight: float
    x: float
    y: float
    width: float
    size: float


@dataclass(frozen=True)
class Cloud:
    """The cloud of one label."""

    part: str
    words: tuple[Placed, ...]


def clouds(words: tuple[WordLists, ...]) -> tuple[Cloud, ...]:
    """A cloud of the distinctive words of each label."""
    return tuple(Cloud(item.part, place_words(item.distinctive)) for item in words[1:])


def place_words(words: WordList) -> tuple[Placed, ...]:
    """Words without overlap inside the picture; those that find no room are left out."""
    if not words.words:
        return ()
    top, bottom = max(words.weights), min(words.weights)
    placed: list[Placed] = []
    for word, weight in zip(words.words, words.weights, strict=True):
        share = (weight - bottom) / (top - bottom) if top > bottom else 1.0
        size = _SMALLEST + (_LARGEST - _SMALLEST) * share
        size = min(size, size * (WIDTH - 8) / max(text_width(word, size), 1.0))
        width = text_width(word, size)
        for x, y in _spiral():
            candidate = Placed(word, weight, round(x, 1), round(y, 1), round(width, 1), round(size, 1))
            if _inside(candidate) and not any(_touch(candidate, other) for other in placed):
                placed.append(candidate)
                break
    return tuple(placed)


def text_width(text: str, size: float) -> float:
    """Estimated width in px: wide characters fill a square, others little more than half of it.

    >>> text_width("电影", 10.0), text_width("film", 10.0)
    (20.0, 22.8)
    """
    ems = sum(1.0 if unicodedata.east_asian_width(c) in "WF" else 0.57 for c in text)
    return round(ems * size, 3)


def _spiral() -> Iterator[tuple[float, float]]:
    for step in range(1800):
        angle = 0.22 * step
        radius = 0.62 * angle
        x = WIDTH / 2 + radius * math.cos(angle) * WIDTH / HEIGHT
        yield x, HEIGHT / 2 + radius * math.sin(angle)


def _inside(word: Placed) -> bool:
    half, tall = word.width / 2, word.size * 0.6
    return half <= word.x <= WIDTH - half and tall <= word.y <= HEIGHT - tall


def _touch(a: Placed, b: Placed) -> bool:
    apart_x = abs(a.x - b.x) - (a.width + b.width) / 2
    apart_y = abs(a.y - b.y) - (a.size + b.size) * 0.56
    return apart_x < _GAP and apart_y < 0
