"""Learning curves: runs that differ in their number of training rows alone, as a table and a picture."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from itertools import takewhile

from markupsafe import Markup

from pipeline.evaluation.intervals import Interval, headline_difference, headline_interval
from pipeline.report.charts import Point, Series, cost_chart
from pipeline.report.rendering import thousands
from pipeline.report.results import CorpusResults, RunResults
from pipeline.report.tables import Cell, Column, cells, metric_columns


@dataclass(frozen=True)
class Size:
    """One run of a curve.

    rows: training rows it learned from. cells: figures over seeds.
    interval: of the headline figure, first seed; points: that figure of each seed.
    gain: the headline figure minus that of the size below, first seeds, paired; None for the smallest.
    """

    run: RunResults
    rows: int
    cells: tuple[Cell, ...]
    interval: Interval
    points: tuple[float, ...]
    gain: Interval | None


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


def learning_columns(results: CorpusResults) -> tuple[Column, ...]:
    """The figures of each size."""
    return metric_columns(results, "accuracy", "macro P", "macro R", "macro F1")


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
    return LearningCurve(name, runs[0].kind, sizes)


def common_start(names: list[str]) -> str:
    """What all names begin with, to the last whole part of them.

    >>> common_start(["imdb-linear-500", "imdb-linear-1000"])
    'imdb-linear'
    """
    parts = zip(*(name.split("-") for name in names), strict=False)
    return "-".join(first for first, *_ in takewhile(lambda part: len(set(part)) == 1, parts))


def _size(run: RunResults, before: RunResults | None, results: CorpusResults) -> Size:
    headline = results.headline
    points = (headline.read(metrics) for metrics in run.metrics)
    return Size(
        run=run,
        rows=_rows(run, results),
        cells=cells(learning_columns(results), run.metrics),
        interval=headline_interval(run.predictions, headline),
        points=tuple(point for point in points if not math.isnan(point)),
        gain=headline_difference(run.predictions, before.predictions, headline) if before else None,
    )


def learning_chart(results: CorpusResults, curves: tuple[LearningCurve, ...]) -> Markup | None:
    """The curves, and the baselines that were fitted on all rows; None without a curve."""
    if not curves:
        return None
    headline = results.headline
    levels = {
        title: headline_interval(results.baseline(name).predictions, headline).value
        for name, title in (("tfidf", "TF-IDF, all rows"), ("majority", "majority"))
    }
    series = [Series(curve.name, curve.kind, tuple(_point(size) for size in curve.sizes)) for curve in curves]
    rows = sorted({size.rows for curve in curves for size in curve.sizes})
    return cost_chart(series, levels, headline, "training rows", ticks=_apart(rows))


def _apart(rows: list[int]) -> list[float]:
    """The numbers of rows, those left out that would touch the one after them on the axis."""
    gap = (rows[-1] / rows[0]) ** 0.08
    kept: list[float] = []
    for count in reversed(rows):
        if not kept or kept[-1] / count >= gap:
            kept.append(count)
    return kept


def _point(size: Size) -> Point:
    return Point(size.rows, size.interval, f"{size.run.name}, {thousands(size.rows)} rows", size.points[1:])
