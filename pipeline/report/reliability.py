"""Calibration of each run: a reliability diagram, and the figures before and after the temperature."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.evaluation.calibration import Bin, Calibrated, Calibration, calibration
from pipeline.report.charts import Scale, Tick
from pipeline.report.rendering import percent, thousands
from pipeline.report.results import CorpusResults, RunResults
from pipeline.report.tables import Over, kind_of, over_seeds

WIDTH, HEIGHT = 380, 430
_LEFT, _RIGHT, _TOP = 52, 22, 24
_FLOOR = 316  # where the diagram ends
_COUNTS = (340, 388)  # top and foot of the bars that count rows


@dataclass(frozen=True)
class Dot:
    """One bin with rows in it."""

    x: float
    y: float
    title: str


@dataclass(frozen=True)
class Series:
    """One way of reading the probabilities: `name` is before, after or given."""

    name: str
    dots: tuple[Dot, ...]
    points: str


@dataclass(frozen=True)
class Count:
    """The bar that counts one bin's rows."""

    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True)
class Diagram:
    """The reliability diagram of one side; `most` is the number of rows of its fullest bin."""

    width: int
    height: int
    left: float
    right: float
    top: float
    floor: float
    foot: float
    ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    series: tuple[Series, ...]
    counts: tuple[Count, ...]
    counts_top: float
    most: int


@dataclass(frozen=True)
class Reliability:
    """One run or baseline that gives probabilities.

    temperature: of the first seed; None where none is fitted.
    before, after: ECE over seeds. shown: the first seed's figures, which the diagram is of.
    sound: the ECE is no larger than chance alone would give a perfectly calibrated model.
    """

    name: str
    kind: str
    temperature: float | None
    before: Over | None
    after: Over
    shown: Calibrated
    sound: bool
    diagram: Diagram
    bins: tuple[Bin, ...]


def reliabilities(results: CorpusResults) -> tuple[Reliability, ...]:
    """All runs that give probabilities, and the baseline that reads the text."""
    found = [item for run in results.runs if (item := _of_run(run)) is not None]
    for baseline in results.baselines:
        measured = calibration(baseline.predictions) if baseline.baseline.name == "tfidf" else None
        if measured is not None:
            found.append(_reliability("tfidf", "baseline", [Calibrated(None, None, measured)]))
    return tuple(found)


def without_probabilities(results: CorpusResults) -> tuple[str, ...]:
    """Names of the runs that give a value and no probabilities."""
    return tuple(run.name for run in results.runs if run.evaluation.seeds[0].calibrated is None)


def _of_run(run: RunResults) -> Reliability | None:
    seeds = [seed.calibrated for seed in run.evaluation.seeds if seed.calibrated is not None]
    return _reliability(run.name, kind_of(run.params.task), seeds) if seeds else None


def _reliability(name: str, kind: str, seeds: list[Calibrated]) -> Reliability:
    shown = seeds[0]
    before = [item.before.ece for item in seeds if item.before is not None]
    return Reliability(
        name=name,
        kind=kind,
        temperature=shown.temperature,
        before=over_seeds(before) if before else None,
        after=over_seeds([item.after.ece for item in seeds]),
        shown=shown,
        sound=shown.after.ece <= shown.after.luck,
        diagram=_diagram(shown),
        bins=shown.after.bins,
    )


def _diagram(shown: Calibrated) -> Diagram:
    x = Scale(0, 1, _LEFT, WIDTH - _RIGHT)
    y = Scale(0, 1, _FLOOR, _TOP)
    series = [_series("after" if shown.before else "given", shown.after, x, y)]
    if shown.before is not None:
        series.insert(0, _series("before", shown.before, x, y))
    fifths = [k / 5 for k in range(6)]
    most = max(item.n for item in shown.after.bins)
    return Diagram(
        width=WIDTH,
        height=HEIGHT,
        left=_LEFT,
        right=WIDTH - _RIGHT,
        top=_TOP,
        floor=_FLOOR,
        foot=_COUNTS[1],
        ticks=tuple(Tick(x(v), percent(v, 0)) for v in fifths),
        y_ticks=tuple(Tick(y(v), percent(v, 0)) for v in fifths),
        series=tuple(series),
        counts=tuple(_count(item, x, most) for item in shown.after.bins if item.n),
        counts_top=_COUNTS[0],
        most=most,
    )


def _series(name: str, item: Calibration, x: Scale, y: Scale) -> Series:
    dots = tuple(
        Dot(
            x(b.confidence),
            y(b.accuracy),
            f"{thousands(b.n)} rows: confidence {percent(b.confidence)}, right {percent(b.accuracy)}",
        )
        for b in item.bins
        if b.n
    )
    return Series(name, dots, " ".join(f"{dot.x},{dot.y}" for dot in dots))


def _count(item: Bin, x: Scale, most: int) -> Count:
    top, foot = _COUNTS
    tall = max((foot - top) * item.n / most, 1.0)
    return Count(
        x=x(item.low) + 1,
        y=round(foot - tall, 2),
        width=round(x(item.high) - x(item.low) - 2, 2),
        height=round(tall, 2),
        title=f"{percent(item.low, 0)} to {percent(item.high, 0)}: {thousands(item.n)} rows",
    )
