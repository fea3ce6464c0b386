"""The frame of every plot, and the axis on which headline figures stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.measuring.headlines import Headline
from pipeline.report.rendering import number, percent
from pipeline.report.scales import Scale, round_ticks


@dataclass(frozen=True)
class Tick:
    """A mark on an axis."""

    place: float
    text: str


@dataclass(frozen=True)
class Axis:
    """A scale and its marks."""

    scale: Scale
    ticks: tuple[Tick, ...]


@dataclass(frozen=True)
class Frame:
    """A picture's size and axes in pixels, as the macro `axes` draws them; pictures add what is inside."""

    width: int
    height: int
    left: int
    right: int
    bottom: int
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


def headline_axis(values: Sequence[float], headline: Headline, bottom: float, top: float) -> Axis:
    """An axis from `bottom` to `top` that holds all values with a margin, and nothing that cannot be.

    >>> from pipeline.measuring.headlines import HEADLINES
    >>> [tick.text for tick in headline_axis([0.31, 0.52], HEADLINES["accuracy"], 100, 0).ticks]
    ['30 %', '35 %', '40 %', '45 %', '50 %']
    """
    lowest, highest = min(values), max(values)
    margin = max((highest - lowest) * 0.08, 0.005)
    floor = 0.0 if lowest >= 0 else -1.0
    scale = Scale(max(lowest - margin, floor), min(highest + margin, 1.0), bottom, top)
    ticks = round_ticks(scale.low, scale.high)
    fine = len(ticks) > 1 and ticks[1] - ticks[0] < 0.0099
    digits = (1 if fine else 0) if headline.share else (3 if fine else 2)
    write = percent if headline.share else number
    return Axis(scale, tuple(Tick(scale(tick), write(tick, digits)) for tick in ticks))
