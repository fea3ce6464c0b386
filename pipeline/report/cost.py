"""Training time against test accuracy: what a better figure costs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipeline.intervals import Interval, accuracy_interval
from pipeline.report.gather import CorpusResults
from pipeline.report.rendering import duration, percent
from pipeline.report.scales import Scale, decade_ticks, round_ticks
from pipeline.report.table import kind_of

WIDTH, HEIGHT = 680, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 24, 18, 52
_LINE = 17.0  # height of a label


@dataclass(frozen=True)
class Tick:
    """A mark on an axis."""

    place: float
    text: str


@dataclass(frozen=True)
class Mark:
    """One run or fitted baseline. `top` and `bottom` end its 95 % interval; the label stands at `label_y`."""

    name: str
    kind: str
    x: float
    y: float
    top: float
    bottom: float
    label_x: float
    label_y: float
    anchor: str
    title: str


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
    fitted = [
        (run.name, kind_of(run.params.task), run.fits[run.params.seeds[0]].seconds, run.predictions)
        for run in results.runs
    ]
    majority = next(item.baseline for item in results.baselines if item.baseline.name == "majority")
    fitted += [
        (item.baseline.name, "baseline", item.baseline.seconds, item.predictions)
        for item in results.baselines
        if item.baseline.seconds > 0
    ]
    found = [(name, kind, max(s, 1e-3), accuracy_interval(p)) for name, kind, s, p in fitted]
    seconds = [item[2] for item in found]
    x = Scale(min(seconds) / 1.8, max(seconds) * 1.8, _LEFT, WIDTH - _RIGHT, log=True)
    lowest = min(majority.metrics.accuracy, *(item[3].low for item in found))
    highest = max(item[3].high for item in found)
    margin = max((highest - lowest) * 0.08, 0.005)
    y = Scale(max(lowest - margin, 0.0), min(highest + margin, 1.0), HEIGHT - _BOTTOM, _TOP)
    return CostPlot(
        width=WIDTH,
        height=HEIGHT,
        left=_LEFT,
        right=WIDTH - _RIGHT,
        bottom=HEIGHT - _BOTTOM,
        x_ticks=tuple(Tick(x(t), duration(t)) for t in decade_ticks(x.low, x.high)),
        y_ticks=tuple(Tick(y(t), percent(t, 0)) for t in round_ticks(y.low, y.high)),
        marks=_with_labels([_mark(x, y, *item) for item in found]),
        floor=y(majority.metrics.accuracy),
        floor_text=f"{majority.description}: {percent(majority.metrics.accuracy)}",
    )


def _mark(x: Scale, y: Scale, name: str, kind: str, seconds: float, interval: Interval) -> Mark:
    place = x(seconds)
    right_half = place > (_LEFT + WIDTH - _RIGHT) / 2
    return Mark(
        name=name,
        kind=kind,
        x=place,
        y=y(interval.value),
        top=y(interval.high),
        bottom=y(interval.low),
        label_x=place + (-11 if right_half else 11),
        label_y=y(interval.value) + 4,
        anchor="end" if right_half else "start",
        title=(
            f"{name}, {kind}: {percent(interval.value)} "
            f"({percent(interval.low)} to {percent(interval.high)}) after {duration(seconds)}"
        ),
    )


def _with_labels(marks: list[Mark]) -> tuple[Mark, ...]:
    """Labels moved down until none covers another of the same side."""
    placed: list[Mark] = []
    for mark in sorted(marks, key=lambda mark: mark.label_y):
        y = mark.label_y
        for other in placed:
            if abs(other.label_x - mark.label_x) < 190 and abs(other.label_y - y) < _LINE:
                y = other.label_y + _LINE
        placed.append(replace(mark, label_y=round(y, 1)))
    return tuple(placed)
