"""The reliability diagram of a run (Guo et al. 2017, figure 1, as points in place of bars)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.drawing.style import figure
from pipeline.measuring.calibration import Calibrated, Calibration

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_reliability(path: Path, found: Calibrated, title: str) -> None:
    """The share right against confidence, and below it how many rows have that confidence."""
    after = "as given" if found.before is None else f"T = {found.temperature:.2f}"
    series = [(after, found.after, "#0072B2")]
    if found.before is not None:
        series.insert(0, ("before, T = 1", found.before, "#999999"))
    with figure(path, 4.6, 5.4) as canvas:
        top, below = canvas.subplots(2, 1, height_ratios=(3, 1), sharex=True)
        top.set_title(title)
        top.plot([0, 1], [0, 1], color="black", linewidth=0.8, linestyle=":", label="perfect")
        for name, item, colour in series:
            _draw_reliability(top, item, f"{name}: ECE {item.ece:.3f}", colour)
        top.set_ylabel("share right")
        top.set_ylim(-0.02, 1.02)
        top.legend(loc="upper left", fontsize="small")
        bins = found.after.bins
        below.bar(
            [(item.low + item.high) / 2 for item in bins],
            [item.n for item in bins],
            width=0.9 / len(bins),
            color="#0072B2",
        )
        below.set_ylabel("test rows")
        below.set_xlabel("confidence (probability of the predicted label)")
        below.set_xlim(0, 1)


def _draw_reliability(axes: Axes, item: Calibration, name: str, colour: str) -> None:
    full = [b for b in item.bins if b.n]
    axes.plot(
        [b.confidence for b in full], [b.accuracy for b in full], marker="o", markersize=4, color=colour,
        label=name,
    )  # fmt: skip
