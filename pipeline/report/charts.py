"""Charts of the report as SVG: scales and axes, loss curves, the cost of a better figure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.evaluation.headlines import Headline, headline_interval
from pipeline.evaluation.intervals import Interval
from pipeline.evaluation.predictions import Predictions
from pipeline.report.rendering import duration, figure, number, percent
from pipeline.report.results import CorpusResults
from pipeline.report.tables import kind_of
from pipeline.training.fits import Fit


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

    >>> from pipeline.evaluation.headlines import HEADLINES
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


WIDTH, HEIGHT = 300, 170
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 12, 34


@dataclass(frozen=True)
class Curves:
    """Losses of one run's first seed as SVG points; `kept` is the epoch that was kept.

    unfinished: the last epoch allowed was the best, so that more would probably have been better.
    """

    run: str
    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    train: str
    validation: str
    kept_x: float
    kept_y: float
    kept: int
    epochs: int
    low: str
    high: str
    validation_accuracy: float
    unfinished: bool


def curves(results: CorpusResults) -> tuple[Curves, ...]:
    """One picture a run."""
    return tuple(
        _curves(run.name, run.fits[run.params.seeds[0]], run.training.epochs) for run in results.runs
    )


def _curves(name: str, fit: Fit, allowed: int) -> Curves:
    losses = [value for epoch in fit.epochs for value in (epoch.train_loss, epoch.validation_loss)]
    x = Scale(0, max(len(fit.epochs) - 1, 1), _LEFT, WIDTH - _RIGHT)
    y = Scale(min(losses), max(losses), HEIGHT - _BOTTOM, _TOP)
    kept = fit.epochs[fit.best]
    return Curves(
        run=name,
        width=WIDTH,
        height=HEIGHT,
        left=_LEFT,
        right=WIDTH - _RIGHT,
        top=_TOP,
        bottom=HEIGHT - _BOTTOM,
        train=" ".join(f"{x(e.number)},{y(e.train_loss)}" for e in fit.epochs),
        validation=" ".join(f"{x(e.number)},{y(e.validation_loss)}" for e in fit.epochs),
        kept_x=x(kept.number),
        kept_y=y(kept.validation_loss),
        kept=fit.best + 1,
        epochs=len(fit.epochs),
        low=number(min(losses), 2),
        high=number(max(losses), 2),
        validation_accuracy=kept.validation_accuracy,
        unfinished=fit.best + 1 == allowed,
    )


WIDTH = 800
_HEIGHT = 380  # more where so many labels ask for it
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 268, 26, 52
_LINE = 17.0  # height of a label


@dataclass(frozen=True)
class Mark:
    """One run or fitted baseline. `top` and `bottom` end its 95 % interval; a line leads to its label."""

    name: str
    kind: str
    x: float
    y: float
    top: float
    bottom: float
    label_y: float
    title: str


@dataclass(frozen=True)
class _Fitted:
    name: str
    kind: str
    seconds: float
    interval: Interval


@dataclass(frozen=True)
class CostPlot(Frame):
    """Everything the picture draws; `floor` is the height of the majority baseline, in words `floor_text`."""

    marks: tuple[Mark, ...]
    floor: float
    floor_text: str


def cost_plot(results: CorpusResults) -> CostPlot | None:
    """The plot; None without a run."""
    if not results.runs:
        return None
    majority = next(item for item in results.baselines if item.baseline.name == "majority")
    found = [
        _Fitted(name, kind, seconds, headline_interval(predictions, results.headline))
        for name, kind, seconds, predictions in _fitted(results)
    ]
    height = max(_HEIGHT, round(_LINE * len(found)) + _TOP + _BOTTOM)
    seconds = [item.seconds for item in found]
    x = Scale(min(seconds) / 1.8, max(seconds) * 1.8, _LEFT, WIDTH - _RIGHT, log=True)
    floor = headline_interval(majority.predictions, results.headline).value
    reach = [v for item in found for v in (item.interval.low, item.interval.high)]
    y = headline_axis([floor, *reach], results.headline, height - _BOTTOM, _TOP)
    marks = sorted((_mark(x, y.scale, item, results.headline) for item in found), key=lambda mark: mark.y)
    labels = spread([mark.y for mark in marks], _LINE, _TOP, height - _BOTTOM)
    return CostPlot(
        width=WIDTH,
        height=height,
        left=_LEFT,
        right=WIDTH - _RIGHT,
        bottom=height - _BOTTOM,
        x_ticks=tuple(Tick(x(t), f"{t:g} s") for t in decade_ticks(x.low, x.high)),
        y_ticks=y.ticks,
        marks=tuple(replace(mark, label_y=place) for mark, place in zip(marks, labels, strict=True)),
        floor=y.scale(floor),
        floor_text=f"{majority.baseline.description}: {figure(floor, results.headline)}",
    )


def spread(places: list[float], gap: float, top: float, bottom: float) -> list[float]:
    """Ascending places moved as little as need be so that each is `gap` below the one before it.

    >>> spread([10.0, 12.0, 90.0], 10.0, 0.0, 95.0)
    [10.0, 20.0, 90.0]
    >>> spread([90.0, 92.0], 10.0, 0.0, 95.0)
    [85.0, 95.0]
    """
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + gap if moved else top))
    limit = bottom
    for i in reversed(range(len(moved))):
        moved[i] = min(moved[i], limit)
        limit = moved[i] - gap
    return moved


def _fitted(results: CorpusResults) -> list[tuple[str, str, float, Predictions]]:
    """Name, kind, seconds and predictions of all that was fitted: first seeds, and baselines that learn."""
    runs = [
        (
            run.name,
            kind_of(run.params.task),
            max(run.fits[run.params.seeds[0]].seconds, 1e-3),
            run.predictions,
        )
        for run in results.runs
    ]
    baselines = [
        (item.baseline.name, "baseline", item.baseline.seconds, item.predictions)
        for item in results.baselines
        if item.baseline.seconds > 0
    ]
    return runs + baselines


def _mark(x: Scale, y: Scale, item: _Fitted, headline: Headline) -> Mark:
    interval = item.interval
    return Mark(
        name=item.name,
        kind=item.kind,
        x=x(item.seconds),
        y=y(interval.value),
        top=y(interval.high),
        bottom=y(interval.low),
        label_y=y(interval.value),
        title=(
            f"{item.name}, {item.kind}: {figure(interval.value, headline)} "
            f"({figure(interval.low, headline)} to {figure(interval.high, headline)}) "
            f"after {duration(item.seconds)}"
        ),
    )
