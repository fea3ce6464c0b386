"""Encode time against the headline figure: what a larger encoder buys."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.measuring.headlines import Headline
from pipeline.measuring.intervals import Interval
from pipeline.report.axes import Frame, Tick, headline_axis
from pipeline.report.rendering import duration, figure
from pipeline.report.scales import Scale, decade_ticks

_WIDTH, _HEIGHT = 800, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 150, 22, 52


@dataclass(frozen=True)
class EncoderMark:
    """One encoder; `top` and `bottom` end its 95 % interval."""

    name: str
    x: float
    y: float
    top: float
    bottom: float
    title: str


@dataclass(frozen=True)
class EncoderPlot(Frame):
    """Everything the picture draws."""

    marks: tuple[EncoderMark, ...]


def encoder_plot(found: Sequence[tuple[str, float, Interval]], headline: Headline) -> EncoderPlot | None:
    """The plot of encoders by name, encode seconds and figure; None where fewer than two were measured."""
    if len(found) < 2:
        return None
    seconds = [max(item[1], 1e-3) for item in found]
    x = Scale(*round_range(min(seconds) / 1.2, max(seconds) * 1.2), _LEFT, _WIDTH - _RIGHT, log=True)
    reach = [value for _, _, interval in found for value in (interval.low, interval.high)]
    y = headline_axis(reach, headline, _HEIGHT - _BOTTOM, _TOP)
    marks = [
        EncoderMark(
            name=name,
            x=x(taken),
            y=y.scale(interval.value),
            top=y.scale(interval.high),
            bottom=y.scale(interval.low),
            title=f"{name}: {figure(interval.value, headline)} after {duration(taken)} of encoding",
        )
        for (name, _, interval), taken in zip(found, seconds, strict=True)
    ]
    ticks = tuple(Tick(x(value), duration_tick(value)) for value in decade_ticks(x.low, x.high))
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    return EncoderPlot(_WIDTH, _HEIGHT, _LEFT, right, bottom, ticks, y.ticks, tuple(marks))


def round_range(low: float, high: float) -> tuple[float, float]:
    """The smallest range from one 1, 2 or 5 times a power of ten to another that holds a range.

    >>> round_range(143.0, 268.0)
    (100.0, 500.0)
    """
    first = math.floor(math.log10(low))
    steps = [factor * 10.0**power for power in range(first, first + 20) for factor in (1, 2, 5)]
    return max(step for step in steps if step <= low), min(step for step in steps if step >= high)


def duration_tick(seconds: float) -> str:
    """A tick of a time axis.

    >>> duration_tick(0.5), duration_tick(1000.0)
    ('0.5 s', '1,000 s')
    """
    return f"{seconds:,.0f} s" if seconds >= 1 else f"{seconds:g} s"
