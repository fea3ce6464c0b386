"""Training time against the headline figure on test: what a better figure costs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipeline.measuring.headlines import Headline, headline_interval
from pipeline.measuring.intervals import Interval
from pipeline.measuring.predictions import Predictions
from pipeline.report.axes import Frame, Tick, headline_axis
from pipeline.report.gather import CorpusResults
from pipeline.report.rendering import duration, figure
from pipeline.report.scales import Scale, decade_ticks
from pipeline.report.table import kind_of

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
