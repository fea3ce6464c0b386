"""The front page, and several encoders over one corpus: what a better one costs, and whether it is better.

Entries of `corpora:` that read the same rows and differ in how they are encoded stand beside each other.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.evaluation.headlines import HEADLINES, Headline, headline_difference
from pipeline.evaluation.intervals import Comparison, Interval, Verdict, compare, holm, verdict
from pipeline.project.params import Params
from pipeline.report.charts import Frame, Scale, Tick, decade_ticks, headline_axis
from pipeline.report.front import Front, RunFigure
from pipeline.report.rendering import duration, figure, render

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
class Member:
    """One encoder over the corpus; `same` are its figures under each shared head, None where it lacks one."""

    front: Front
    same: tuple[RunFigure | None, ...]


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
    """Corpora that are the same rows of `source` under different encoders; `headline` is compared."""

    source: str
    headline: Headline
    members: tuple[Member, ...]
    heads: tuple[str, ...]
    duels: tuple[Duel, ...]
    plot: EncoderPlot | None


def encoder_groups(fronts: Sequence[Front], params: Params) -> tuple[EncoderGroup, ...]:
    """One group for every corpus that several encoders encoded."""
    same: defaultdict[str, list[Front]] = defaultdict(list)
    for front in fronts:
        rows = {"source", "columns", "labels", "split", "headline"}
        same[params.corpora[front.corpus].model_dump_json(include=rows)].append(front)
    return tuple(
        _group(group, params.corpora[group[0].corpus].source) for group in same.values() if len(group) > 1
    )


def _group(fronts: Sequence[Front], source: str) -> EncoderGroup:
    by_head = [{item.head: item.figure for item in front.heads} for front in fronts]
    counts = Counter(head for figures in by_head for head in figures)
    heads = tuple(head for head, count in counts.items() if count > 1)
    members = tuple(
        Member(front, tuple(figures.get(head) for head in heads))
        for front, figures in zip(fronts, by_head, strict=True)
    )
    marks = [
        (front.corpus, front.seconds, front.best.interval)
        for front in fronts
        if front.seconds is not None and front.best is not None
    ]
    headline = HEADLINES[fronts[0].headline]
    plot = encoder_plot(marks, headline)
    return EncoderGroup(source, headline, members, heads, _duels(fronts, heads, headline), plot)


def _duels(fronts: Sequence[Front], heads: Sequence[str], headline: Headline) -> tuple[Duel, ...]:
    """Under each head, every later encoder against the first that has the head."""
    found: list[tuple[str, str, str, Interval, Comparison]] = []
    for head in heads:
        having = [(front, told) for front in fronts if (told := front.predictions(head)) is not None]
        (first, base), *others = having
        for front, told in others:
            if front.tests != first.tests:
                continue  # prepared at different times from a file that changed in between
            difference = headline_difference(told, base, headline)
            found.append((head, front.corpus, first.corpus, difference, compare(told, base, ordered=False)))
    adjusted = holm([exact.p for *_, exact in found])
    return tuple(
        Duel(head, one, other, difference, p, verdict(exact.difference.value, p))
        for (head, one, other, difference, exact), p in zip(found, adjusted, strict=True)
    )


def front_page(fronts: Sequence[Front], params: Params) -> str:
    """The page that lists the corpora."""
    return render(
        "index.html",
        ("theme.js", "sort.js"),
        fronts=fronts,
        headlines={front.corpus: HEADLINES[front.headline] for front in fronts},
        encoders=encoder_groups(fronts, params),
    )
