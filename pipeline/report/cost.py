"""Training time against test accuracy: what a better figure costs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipeline.intervals import Interval, accuracy_interval
from pipeline.predictions import Predictions
from pipeline.report.gather import CorpusResults
from pipeline.report.rendering import duration, percent
from pipeline.report.scales import Scale, decade_ticks, round_ticks
from pipeline.report.table import kind_of

WIDTH = 800
_HEIGHT = 380  # more where so many labels ask for it
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 268, 18, 52
_LINE = 17.0  # height of a label


@dataclass(frozen=True)
class Tick:
    """A mark on an axis."""

    place: float
    text: str


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
class CostPlot:
    """Everything the picture draws; `floor` is the height of the majority baseline, in words `floor_text`."""

    width: int
    height: int
    left: int
    right: int
    bottom: int
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    marks: tuple[Mark, ...]
    floor: float
    floor_text: str


def cost_plot(results: CorpusResults) -> CostPlot | None:
    """The plot; None without a run."""
    if not results.runs:
        return None
    majority = next(item.baseline for item in results.baselines if item.baseline.name == "majority")
    found = [
        _Fitted(name, kind, seconds, accuracy_interval(predictions))
        for name, kind, seconds, predictions in _fitted(results)
    ]
    height = max(_HEIGHT, round(_LINE * len(found)) + _TOP + _BOTTOM)
    seconds = [item.seconds for item in found]
    x = Scale(min(seconds) / 1.8, max(seconds) * 1.8, _LEFT, WIDTH - _RIGHT, log=True)
    lowest = min(majority.metrics.accuracy, *(item.interval.low for item in found))
    highest = max(item.interval.high for item in found)
    margin = max((highest - lowest) * 0.08, 0.005)
    y = Scale(max(lowest - margin, 0.0), min(highest + margin, 1.0), height - _BOTTOM, _TOP)
    marks = sorted((_mark(x, y, item) for item in found), key=lambda mark: mark.y)
    labels = spread([mark.y for mark in marks], _LINE, _TOP, height - _BOTTOM)
    return CostPlot(
        width=WIDTH,
        height=height,
        left=_LEFT,
        right=WIDTH - _RIGHT,
        bottom=height - _BOTTOM,
        x_ticks=tuple(Tick(x(t), f"{t:g} s") for t in decade_ticks(x.low, x.high)),
        y_ticks=tuple(Tick(y(t), percent(t, 0)) for t in round_ticks(y.low, y.high)),
        marks=tuple(replace(mark, label_y=place) for mark, place in zip(marks, labels, strict=True)),
        floor=y(majority.metrics.accuracy),
        floor_text=f"{majority.description}: {percent(majority.metrics.accuracy)}",
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


def _mark(x: Scale, y: Scale, item: _Fitted) -> Mark:
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
            f"{item.name}, {item.kind}: {percent(interval.value)} "
            f"({percent(interval.low)} to {percent(interval.high)}) after {duration(item.seconds)}"
        ),
    )
