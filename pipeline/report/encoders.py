"""Several encoders over one corpus: what a better one costs, and whether it is better.

Entries of `corpora:` that read the same rows and differ in how they are encoded stand beside each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from features.store.cost import EncodeCost
from pipeline.evaluation.headlines import Headline, headline_difference, headline_interval
from pipeline.evaluation.intervals import Comparison, Interval, Verdict, compare, holm, verdict
from pipeline.project import layout
from pipeline.project.files import read_json
from pipeline.report.charts import Frame, Scale, Tick, decade_ticks, headline_axis
from pipeline.report.rendering import duration, figure
from pipeline.report.results import CorpusResults, RunResults
from pipeline.report.tables import best_run, options_of

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


@dataclass(frozen=True)
class Figure:
    """A run's headline figure on test, with its 95 % interval."""

    run: str
    interval: Interval


@dataclass(frozen=True)
class Member:
    """One encoder over the corpus.

    best: of its best run by validation, None without a run.
    same: of each shared head, None where it lacks that head.
    seconds: what encoding all its texts takes at the rate that was measured, or None where none was.
    rate: tokens a second. machines: what that was measured on.
    """

    results: CorpusResults
    best: Figure | None
    same: tuple[Figure | None, ...]
    seconds: float | None
    rate: float | None
    machines: tuple[str, ...]


@dataclass(frozen=True)
class Duel:
    """Two encoders under the same head, on the same test rows; `difference` is of the headline figure.

    p: McNemar's, adjusted by Holm over all duels of the group.
    """

    head: str
    one: str
    other: str
    difference: Interval
    p: float
    verdict: Verdict


@dataclass(frozen=True)
class EncoderGroup:
    """Corpora that are the same rows under different encoders."""

    members: tuple[Member, ...]
    heads: tuple[str, ...]
    duels: tuple[Duel, ...]
    plot: EncoderPlot | None

    @property
    def headline(self) -> Headline:
        """The figure that is compared."""
        return self.members[0].results.headline


def encoder_groups(corpora: Sequence[CorpusResults]) -> tuple[EncoderGroup, ...]:
    """One group for every corpus that several encoders encoded."""
    found: list[list[CorpusResults]] = []
    for results in corpora:
        for group in found:
            if _same_rows(group[0], results):
                group.append(results)
                break
        else:
            found.append([results])
    return tuple(_group(group) for group in found if len(group) > 1)


def _same_rows(one: CorpusResults, other: CorpusResults) -> bool:
    a, b = one.params, other.params
    return (a.source, a.columns, a.labels, a.split, a.headline) == (
        b.source, b.columns, b.labels, b.split, b.headline
    )  # fmt: skip


def _group(corpora: Sequence[CorpusResults]) -> EncoderGroup:
    by_head = [{_head(run): run for run in reversed(results.runs)} for results in corpora]
    heads = tuple(
        head
        for head in dict.fromkeys(_head(run) for results in corpora for run in results.runs)
        if sum(head in runs for runs in by_head) > 1
    )
    members = tuple(
        _member(results, [runs.get(head) for head in heads])
        for results, runs in zip(corpora, by_head, strict=True)
    )
    marks = [
        (member.results.name, member.seconds, member.best.interval)
        for member in members
        if member.seconds is not None and member.best is not None
    ]
    headline = corpora[0].headline
    return EncoderGroup(members, heads, _duels(corpora, by_head, heads), encoder_plot(marks, headline))


def _head(run: RunResults) -> str:
    """A head in words; runs of two encoders with the same words differ in the encoder alone."""
    options, about = options_of(run), f"{run.params.head}, {run.params.task}"
    pooling = "" if run.params.pooling == "mean" else f", {run.params.pooling}"
    rows = "" if run.params.rows is None else f", {run.params.rows:,} rows"
    return f"{about}{pooling}{f' ({options})' if options else ''}{rows}"


def _member(results: CorpusResults, same: Sequence[RunResults | None]) -> Member:
    path = layout.encode_cost_file(results.name)
    cost = EncodeCost(**read_json(path)) if path.is_file() else EncodeCost()
    best = best_run(results)
    return Member(
        results=results,
        best=_figure(best, results.headline) if best else None,
        same=tuple(_figure(run, results.headline) if run else None for run in same),
        seconds=cost.seconds_for(results.extraction.tokens),
        rate=cost.rate,
        machines=tuple(cost.machines),
    )


def _figure(run: RunResults, headline: Headline) -> Figure:
    return Figure(run.name, headline_interval(run.predictions, headline))


def _duels(
    corpora: Sequence[CorpusResults], by_head: Sequence[dict[str, RunResults]], heads: Sequence[str]
) -> tuple[Duel, ...]:
    """Under each head, every later encoder against the first that has the head."""
    found: list[tuple[str, str, str, Interval, Comparison]] = []
    for head in heads:
        having = [
            (c, runs[head].predictions) for c, runs in zip(corpora, by_head, strict=True) if head in runs
        ]
        (first, base), *others = having
        for results, predictions in others:
            if not np.array_equal(predictions.rows, base.rows):
                continue  # prepared at different times from a file that changed in between
            difference = headline_difference(predictions, base, first.headline)
            exact = compare(predictions, base, ordered=first.ordered)
            found.append((head, results.name, first.name, difference, exact))
    adjusted = holm([exact.p for *_, exact in found])
    return tuple(
        Duel(head, one, other, difference, p, verdict(exact.difference.value, p))
        for (head, one, other, difference, exact), p in zip(found, adjusted, strict=True)
    )
