"""Charts of the report: drawn by matplotlib as SVG, put into the page in the colours of its theme."""

from __future__ import annotations

import html
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from features.corpus.labels import Labels
from pipeline.evaluation.calibration import Calibrated
from pipeline.evaluation.intervals import Interval
from pipeline.evaluation.metrics import Headline
from pipeline.plots.figures import plot_reliability
from pipeline.plots.style import ACCENT, INK, PAPER, QUIET, RULE, chart, label_colours
from pipeline.report.rendering import figure, with_interval
from pipeline.training.fits import Fit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_VARIABLES = {INK: "ink", QUIET: "quiet", RULE: "rule", ACCENT: "accent", PAPER: "paper"}
_MARKERS = {"baseline": "s", "regression": "^", "ordinal": "D"}  # a circle for all others
_LINE = 17.0  # height of a label in px


@dataclass(frozen=True)
class Point:
    """A headline figure at some cost x, with its interval; `seeds` are the figures of other seeds."""

    x: float
    interval: Interval
    about: str
    seeds: tuple[float, ...] = ()


@dataclass(frozen=True)
class Series:
    """Points that belong together, joined by a line, with one label."""

    name: str
    kind: str
    points: tuple[Point, ...]


def cost_chart(
    series: Sequence[Series],
    levels: Mapping[str, float],
    headline: Headline,
    x_label: str,
    unit: str = "",
    ticks: Sequence[float] = (),
) -> Markup:
    """A headline figure against a cost on a logarithmic axis.

    Args:
        series: each with its label at the right edge; those without a figure are left out.
        levels: values of dashed level lines, by label.
        headline: what the y axis shows.
        x_label: names the cost; also makes the chart's ids unlike those of other charts on the page.
        unit: of the cost, written behind each tick.
        ticks: places of ticks; where none are given, powers of ten or 1, 2 and 5 times each.
    """
    drawn = [item for item in series if all(math.isfinite(point.interval.value) for point in item.points)]
    levels = {name: value for name, value in levels.items() if math.isfinite(value)}
    if not drawn:
        return Markup()  # a correlation with one label alone does not exist
    height = max(380.0, _LINE * (len(drawn) + len(levels)) + 78)
    about = f"Test {headline.title} against {x_label}: {', '.join(item.name for item in drawn)}"
    target = io.StringIO()
    with chart(target, x_label, 800, height) as canvas:
        axes = canvas.add_axes((62 / 800, 52 / height, 480 / 800, 1 - 78 / height))
        _scale(axes, drawn, levels, headline)
        _cost_axis(axes, unit, ticks)
        axes.set_xlabel(f"{x_label} (logarithmic)")
        axes.set_title(f"test {headline.title}", loc="left", fontsize=10)
        ends = []
        for item in drawn:
            _draw_series(axes, item, headline)
            ends.append((item.name, (item.points[-1].x, item.points[-1].interval.value), INK))
        for name, value in levels.items():
            axes.axhline(value, color=QUIET, linestyle=(0, (5, 4)), linewidth=1)
            ends.append((f"{name}: {figure(value, headline)}", (axes.get_xlim()[1], value), QUIET))
        _label(axes, ends, height - 78)
    return themed(target.getvalue(), about)


def _scale(axes: Axes, series: Sequence[Series], levels: Mapping[str, float], headline: Headline) -> None:
    """Limits that hold all values with a margin, and nothing that cannot be."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

    points = [point for item in series for point in item.points]
    values = [v for p in points for v in (p.interval.low, p.interval.high, *p.seeds)] + [*levels.values()]
    lowest, highest = min(values), max(values)
    margin = max((highest - lowest) * 0.08, 0.005)
    axes.set_ylim(max(lowest - margin, 0.0 if lowest >= 0 else -1.0), min(highest + margin, 1.0))
    axes.set_xscale("log")
    least, most = min(p.x for p in points), max(p.x for p in points)
    room = max((most / least) ** 0.06, 1.15)
    axes.set_xlim(least / room, most * room)
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    digits = 1 if highest - lowest < 0.04 else 0
    shares = PercentFormatter(1.0, decimals=digits, symbol=" %")
    plain = FuncFormatter(lambda value, _: f"{value:.{digits + 2}f}".replace("-", "−"))
    axes.yaxis.set_major_formatter(shares if headline.share else plain)
    axes.grid(axis="y")


def _cost_axis(axes: Axes, unit: str, ticks: Sequence[float]) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

    low, high = axes.get_xlim()
    fewer = (1.0,) if math.floor(math.log10(high)) - math.ceil(math.log10(low)) >= 1 else (1.0, 2.0, 5.0)
    axes.xaxis.set_major_locator(FixedLocator(list(ticks)) if ticks else LogLocator(subs=fewer))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.12g}{unit}"))
    axes.xaxis.set_minor_locator(NullLocator())


def _draw_series(axes: Axes, item: Series, headline: Headline) -> None:
    colour = QUIET if item.kind == "baseline" else ACCENT
    x, y = [p.x for p in item.points], [p.interval.value for p in item.points]
    axes.plot(x, y, color=colour, linewidth=2)
    axes.vlines(
        x, [p.interval.low for p in item.points], [p.interval.high for p in item.points], colour, lw=1.5
    )
    for point in item.points:
        seeds = [point.x] * len(point.seeds)
        axes.plot(seeds, point.seeds, "o", color=colour, markersize=4.5, markerfacecolor="none")
        tip = f"tip {point.about}: {with_interval(point.interval, headline)}"
        marker = _MARKERS.get(item.kind, "o")
        axes.plot(point.x, point.interval.value, marker, color=colour, markersize=8, gid=tip)


def _label(axes: Axes, ends: list[tuple[str, tuple[float, float], str]], height: float) -> None:
    """Labels beside the right edge, apart from each other, each with a line from what it names."""
    to_share = axes.transScale + axes.transLimits
    places = sorted((tuple(to_share.transform(end)), name, colour) for name, end, colour in ends)
    places.sort(key=lambda place: place[0][1])
    moved = spread([float(end[1]) for end, *_ in places], _LINE / height)
    for ((x, y), name, colour), label in zip(places, moved, strict=True):
        axes.plot(
            [x, 1.02, 1.035], [y, label, label], color=RULE, linewidth=1, zorder=0.5, clip_on=False,
            transform=axes.transAxes,
        )  # fmt: skip
        short = name if len(name) <= 36 else f"{name[:35]}…"
        axes.text(1.045, label, short, color=colour, va="center", transform=axes.transAxes)


def spread(places: Sequence[float], gap: float) -> list[float]:
    """Ascending places on 0 to 1, moved as little as need be so that each is `gap` above the one before it.

    >>> spread([0.1, 0.12, 0.9], 0.1), spread([0.95, 0.97], 0.1)
    ([0.1, 0.2, 0.9], [0.9, 1.0])
    """
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + gap if moved else 0.0))
    limit = 1.0
    for i in reversed(range(len(moved))):
        moved[i] = min(moved[i], limit)
        limit = moved[i] - gap
    return [round(place, 4) for place in moved]


def loss_chart(run: str, fit: Fit) -> Markup:
    """Training and validation loss by epoch; the ring is the epoch that was kept."""
    about = f"Training and validation loss of {run} over {len(fit.epochs)} epochs"
    target = io.StringIO()
    with chart(target, f"losses of {run}", 300, 170) as canvas:
        axes = canvas.add_axes((0.15, 0.23, 0.81, 0.7))
        epochs = [epoch.number + 1 for epoch in fit.epochs]
        validation = [epoch.validation_loss for epoch in fit.epochs]
        axes.plot(epochs, [epoch.train_loss for epoch in fit.epochs], color=QUIET, linewidth=2)
        axes.plot(epochs, validation, color=ACCENT, linewidth=2)
        kept = epochs[fit.best], validation[fit.best]
        axes.plot(*kept, "o", color=ACCENT, markerfacecolor=PAPER, markersize=8, markeredgewidth=1.6)
        axes.set_xticks(sorted({1, epochs[-1]}))
        axes.locator_params(axis="y", nbins=3)
        axes.set_xlabel("epoch", labelpad=-8)
    return themed(target.getvalue(), about)


def reliability_chart(name: str, found: Calibrated, file: Path | None = None) -> Markup:
    """The reliability diagram of a side; where its run has left it as a `file`, that one."""
    target = io.StringIO(file.read_text("utf-8") if file else "")
    if not file:
        plot_reliability(target, found, name)
    about = f"Reliability diagram of {name}: share right against confidence; its figures are in the table"
    return themed(target.getvalue(), about)


def group_map(
    points: npt.NDArray[np.float32],
    label: npt.NDArray[np.int64],
    inside: npt.NDArray[np.bool_],
    labels: Labels,
    about: str,
) -> Markup:
    """Points (n, 2) of a map: those inside a group in the colours of their labels, others in grey."""
    variables = {colour.lower(): f"label-{k}" for k, colour in enumerate(label_colours(labels))}
    target = io.StringIO()
    with chart(target, "map of the case", 560, 560) as canvas:
        axes = canvas.add_axes((0.02, 0.02, 0.96, 0.96))
        axes.set(xticks=[], yticks=[], aspect="equal", xlim=_reach(points[:, 0]), ylim=_reach(points[:, 1]))
        axes.spines[:].set_visible(False)
        _dots(axes, points[~inside], RULE, 4)
        for value, colour in zip(labels.values, label_colours(labels), strict=True):
            _dots(axes, points[inside & (label == value)], colour, 6)
    return themed(target.getvalue(), about, variables)


def _reach(values: npt.NDArray[np.float32]) -> tuple[float, float]:
    low, high = float(values.min(initial=0)), float(values.max(initial=0))
    margin = 0.02 * (high - low) + 1e-6
    return low - margin, high + margin


def _dots(axes: Axes, points: npt.NDArray[np.float32], colour: str, width: float) -> None:
    """Dots as one path of strokes without length, which round ends make visible: a few bytes each."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Outline

    if len(points):
        codes = np.tile([Outline.MOVETO, Outline.LINETO], len(points))
        path = Outline(np.repeat(points, 2, axis=0), codes)
        path.should_simplify = False
        axes.add_patch(PathPatch(path, fill=False, edgecolor=colour, linewidth=width, capstyle="round"))


def themed(svg: str, about: str, variables: Mapping[str, str] = MappingProxyType({})) -> Markup:
    """An SVG of matplotlib's as an element of a page: in its colours and font, with ids that are used alone.

    Args:
        svg: the file.
        about: what it shows, for those who cannot see it.
        variables: other colours in the file to the page's CSS variables.
    """
    size, inside = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg), svg[svg.index("<g ") :]
    assert size is not None
    for colour, variable in {**_VARIABLES, **variables}.items():
        inside = inside.replace(colour, f"var(--{variable})")
    inside = re.sub(r" font-family: [^;\"]*;?", "", inside)
    inside = re.sub(r'<g id="tip ([^"]*)">', r"<g><title>\1</title>", inside)
    unused = r' id="[A-Za-z0-9.]*_\d+"| clip-path="[^"]*"| transform="rotate\(-0 [^"]*"'
    inside = re.sub(rf"<defs>\s*<clipPath.*?</defs>|{unused}", "", inside, flags=re.DOTALL)
    inside = re.sub(r"\d+\.\d{4,}", lambda found: f"{float(found[0]):.1f}", inside)
    inside = re.sub(r"\s*\n\s*", " ", inside)
    width, height = (float(number) * 4 / 3 for number in size.groups())
    return Markup(
        f'<svg class="chart" role="img" aria-label="{html.escape(about)}" viewBox="0 0 {size[1]} {size[2]}" '
        f'width="{width:.0f}" height="{height:.0f}">{inside}'
    )
