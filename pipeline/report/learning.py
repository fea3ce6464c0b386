"""Learning curves: runs that differ in their number of training rows alone, as a table and a picture."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from itertools import takewhile

import numpy as np

from pipeline.evaluation.headlines import Headline, headline_difference, headline_interval
from pipeline.evaluation.intervals import Interval
from pipeline.evaluation.metrics import Metrics
from pipeline.report.charts import Axis, Frame, Scale, Tick, headline_axis, spread
from pipeline.report.rendering import figure, thousands
from pipeline.report.results import CorpusResults, RunResults
from pipeline.report.tables import Over, kind_of, mean_metrics, over_seeds


@dataclass(frozen=True)
class Size:
    """One run of a curve.

    rows: training rows it learned from. headline: over seeds; interval: of the first seed.
    points: the headline figure of each seed.
    gain: the headline figure minus that of the size below, first seeds, paired; None for the smallest.
    seconds, step_seconds: training in all and for one batch, means over seeds.
    """

    run: str
    rows: int
    headline: Over
    interval: Interval
    points: tuple[float, ...]
    metrics: Metrics
    gain: Interval | None
    seconds: float
    step_seconds: float
    head_parameters: int
    encoder_parameters: int


@dataclass(frozen=True)
class LearningCurve:
    """The sizes of one configuration, smallest first."""

    name: str
    kind: str
    sizes: tuple[Size, ...]


def learning_curves(results: CorpusResults) -> tuple[LearningCurve, ...]:
    """A curve for each configuration that was run with two numbers of training rows or more."""
    families: defaultdict[str, dict[int, RunResults]] = defaultdict(dict)
    for run in results.runs:
        families[_configuration(run)].setdefault(_rows(run, results), run)
    return tuple(
        _curve([family[rows] for rows in sorted(family)], results)
        for family in families.values()
        if len(family) > 1
    )


def _configuration(run: RunResults) -> str:
    """All that a run is but its size and its seeds."""
    return run.params.model_dump_json(exclude={"rows", "seeds"})


def _rows(run: RunResults, results: CorpusResults) -> int:
    return run.params.rows or results.summary.splits["train"]


def _curve(runs: list[RunResults], results: CorpusResults) -> LearningCurve:
    whole = [run.name for run in runs if run.params.rows is None]
    name = whole[0] if whole else common_start([run.name for run in runs]) or runs[-1].name
    below = [None, *runs[:-1]]
    sizes = tuple(_size(run, before, results) for run, before in zip(runs, below, strict=True))
    return LearningCurve(name, kind_of(runs[0].params.task), sizes)


def common_start(names: list[str]) -> str:
    """What all names begin with, to the last whole part of them.

    >>> common_start(["imdb-linear-500", "imdb-linear-1000"])
    'imdb-linear'
    """
    parts = zip(*(name.split("-") for name in names), strict=False)
    return "-".join(first for first, *_ in takewhile(lambda part: len(set(part)) == 1, parts))


def _size(run: RunResults, before: RunResults | None, results: CorpusResults) -> Size:
    headline, evaluation = results.headline, run.evaluation
    points = tuple(headline.read(seed.metrics) for seed in evaluation.seeds)
    fits = run.fits.values()
    return Size(
        run=run.name,
        rows=_rows(run, results),
        headline=over_seeds(points),
        interval=headline_interval(run.predictions, headline),
        points=tuple(point for point in points if not math.isnan(point)),
        metrics=mean_metrics([seed.metrics for seed in evaluation.seeds]),
        gain=headline_difference(run.predictions, before.predictions, headline) if before else None,
        seconds=run.seconds,
        step_seconds=float(np.mean([1 / fit.steps_per_second for fit in fits])),
        head_parameters=evaluation.head_parameters,
        encoder_parameters=evaluation.encoder_parameters,
    )


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
