"""Learning curves as a picture: the headline figure against the number of training rows."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.measuring.headlines import Headline, headline_interval
from pipeline.report.axes import Axis, Frame, Tick, headline_axis
from pipeline.report.cost import spread
from pipeline.report.gather import CorpusResults
from pipeline.report.learning.curves import LearningCurve, Size
from pipeline.report.rendering import figure, thousands
from pipeline.report.scales import Scale

WIDTH, HEIGHT = 800, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 238, 26, 52
_LINE = 17.0  # height of a label
_APART = 34.0  # least distance of two numbers below the axis


@dataclass(frozen=True)
class Dot:
    """One size of one curve, with its interval and the figures of its seeds."""

    x: float
    y: float
    top: float
    bottom: float
    seeds: tuple[float, ...]
    title: str


@dataclass(frozen=True)
class Line:
    """One curve: its dots, and its label at the right edge."""

    name: str
    kind: str
    points: str
    dots: tuple[Dot, ...]
    end: float
    label_y: float


@dataclass(frozen=True)
class Level:
    """A baseline at full size, as a level line."""

    text: str
    y: float
    label_y: float


@dataclass(frozen=True)
class LearningPlot(Frame):
    """Everything that the picture draws."""

    lines: tuple[Line, ...]
    levels: tuple[Level, ...]


def learning_plot(results: CorpusResults, curves: tuple[LearningCurve, ...]) -> LearningPlot | None:
    """The picture; None without a curve."""
    if not curves:
        return None
    levels = {
        item.baseline.name: headline_interval(item.predictions, results.headline).value
        for item in results.baselines
        if item.baseline.name in ("tfidf", "majority")
    }
    sizes = [size for curve in curves for size in curve.sizes]
    rows = sorted({size.rows for size in sizes})
    x = Scale(rows[0] / 1.15, rows[-1] * 1.15, _LEFT, WIDTH - _RIGHT, log=True)
    values = [v for size in sizes for v in (size.interval.low, size.interval.high, *size.points)]
    y = headline_axis([*values, *levels.values()], results.headline, HEIGHT - _BOTTOM, _TOP)
    ends = [y.scale(curve.sizes[-1].interval.value) for curve in curves]
    places = ends + [y.scale(value) for value in levels.values()]
    labels = _labels(places)
    return LearningPlot(
        width=WIDTH,
        height=HEIGHT,
        left=_LEFT,
        right=WIDTH - _RIGHT,
        bottom=HEIGHT - _BOTTOM,
        x_ticks=_row_ticks(rows, x),
        y_ticks=y.ticks,
        lines=tuple(
            _line(curve, x, y, results.headline, label) for curve, label in zip(curves, labels, strict=False)
        ),
        levels=tuple(
            Level(f"{_TITLES[name]}: {figure(value, results.headline)}", y.scale(value), label)
            for (name, value), label in zip(levels.items(), labels[len(curves) :], strict=True)
        ),
    )


_TITLES = {"tfidf": "TF-IDF, all rows", "majority": "majority"}


def _labels(places: list[float]) -> list[float]:
    order = sorted(range(len(places)), key=places.__getitem__)
    moved = spread([places[i] for i in order], _LINE, _TOP, HEIGHT - _BOTTOM)
    found = dict(zip(order, moved, strict=True))
    return [found[i] for i in range(len(places))]


def _row_ticks(rows: list[int], x: Scale) -> tuple[Tick, ...]:
    """A mark for each number of rows, those left out that would touch the one after them."""
    kept: list[int] = []
    for count in reversed(rows):
        if not kept or x(kept[-1]) - x(count) >= _APART:
            kept.append(count)
    return tuple(Tick(x(count), thousands(count)) for count in reversed(kept))


def _line(curve: LearningCurve, x: Scale, y: Axis, headline: Headline, label: float) -> Line:
    dots = tuple(_dot(size, x, y.scale, headline) for size in curve.sizes)
    return Line(
        name=curve.name,
        kind=curve.kind,
        points=" ".join(f"{dot.x},{dot.y}" for dot in dots),
        dots=dots,
        end=dots[-1].y,
        label_y=label,
    )


def _dot(size: Size, x: Scale, y: Scale, headline: Headline) -> Dot:
    interval = size.interval
    return Dot(
        x=x(size.rows),
        y=y(interval.value),
        top=y(interval.high),
        bottom=y(interval.low),
        seeds=tuple(y(point) for point in size.points[1:]),
        title=(
            f"{size.run}, {thousands(size.rows)} rows: {figure(interval.value, headline)} "
            f"({figure(interval.low, headline)} to {figure(interval.high, headline)})"
        ),
    )
