"""Figures over `Predictions`: confusion matrices and rating distributions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from features.labels import Labels
from pipeline.drawing.style import figure, label_colours
from pipeline.measuring.metrics import confusion, neighbours_right
from pipeline.measuring.predictions import Predictions

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_confusion(path: Path, predictions: Predictions, labels: Labels, title: str) -> None:
    """The confusion matrix, normalised by row, counts below; for ratings also with neighbours as right."""
    matrix = confusion(predictions)
    panels = [("exact", matrix)]
    if labels.ordered:
        panels.append(("neighbours counted as right", neighbours_right(matrix)))
    side = max(3.6, 0.75 * labels.size + 1.2)
    with figure(path, side * len(panels), side + 0.4) as canvas:
        canvas.suptitle(title)
        for axes, (name, counts) in zip(
            canvas.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
        ):
            _draw_matrix(axes, counts, labels)
            axes.set_title(name, fontsize="medium")


def _draw_matrix(axes: Axes, counts: npt.NDArray[np.int64], labels: Labels) -> None:
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0.0, vmax=1.0)
    ticks = range(labels.size)
    rotation = 45 if max(map(len, labels.names)) > 3 else 0
    axes.set_xticks(ticks, labels.names, rotation=rotation, ha="right" if rotation else "center")
    axes.set_yticks(ticks, labels.names)
    what = "rating" if labels.ordered else "class"
    axes.set_xlabel(f"predicted {what}")
    axes.set_ylabel(f"true {what}")
    axes.spines[:].set_visible(False)
    for (row, column), count in np.ndenumerate(counts):
        text = f"{share[row, column]:.0%}\n{count:,}"
        colour = "white" if share[row, column] > 0.55 else "black"
        axes.text(column, row, text, ha="center", va="center", fontsize="small", color=colour)


def plot_distributions(path: Path, runs: Mapping[str, Predictions], labels: Labels, title: str) -> None:
    """Share of rows at each rating: the truth beside what each run predicts."""
    first = next(iter(runs.values()))
    series = {"true": first.actual} | {name: item.predicted for name, item in runs.items()}
    values = np.arange(labels.low, labels.low + labels.size)
    width = 0.8 / len(series)
    with figure(path, max(6.0, 1.1 * labels.size + 0.5 * len(series)), 3.6) as canvas:
        axes = canvas.subplots()
        axes.set_title(title)
        for k, (name, ratings) in enumerate(series.items()):
            share = [float((ratings == value).mean()) * 100 for value in values]
            colour = "#444444" if k == 0 else None
            axes.bar(
                values + (k - (len(series) - 1) / 2) * width, share, width * 0.92, label=name, color=colour
            )
        axes.set_xticks(values, labels.names)
        axes.set_xlabel("rating" if labels.ordered else "class")
        axes.set_ylabel("share of test rows (%)")
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))


def plot_scatter(
    path: Path,
    points: npt.NDArray[np.float32],
    label: npt.NDArray[np.int64],
    labels: Labels,
    title: str,
) -> None:
    """Points of a t-SNE map, (n, 2), coloured by label; neighbourhoods mean something, axes do not."""
    with figure(path, 6.4, 5.2) as canvas:
        axes = canvas.subplots()
        axes.set_title(title)
        order = np.random.default_rng(0).permutation(len(points))  # no label is drawn on top of all others
        colours = np.array(label_colours(labels))[label - labels.low]
        x, y = points[order].T
        axes.scatter(x, y, s=9, c=colours[order], alpha=0.75, linewidths=0)
        for name, colour in zip(labels.names, label_colours(labels), strict=True):
            axes.scatter([], [], s=30, c=[colour], label=name)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_xlabel("t-SNE 1 (no unit)")
        axes.set_ylabel("t-SNE 2 (no unit)")
        axes.legend(
            title="rating" if labels.ordered else "class", loc="upper left", bbox_to_anchor=(1.0, 1.0)
        )


def plot_words(path: Path, columns: Mapping[str, list[tuple[str, float]]], title: str, unit: str) -> None:
    """Horizontal bars of words, one panel a key, longest on top."""
    rows = max((len(words) for words in columns.values()), default=1)
    with figure(path, 3.0 * len(columns), 1.2 + 0.24 * max(rows, 4)) as canvas:
        canvas.suptitle(title)
        for axes, (name, words) in zip(
            canvas.subplots(1, len(columns), squeeze=False)[0], columns.items(), strict=True
        ):
            axes.barh(range(len(words)), [weight for _, weight in words], color="#0072B2")
            axes.set_yticks(range(len(words)), [word for word, _ in words])
            axes.invert_yaxis()
            axes.set_title(name, fontsize="medium")
            axes.set_xlabel(unit)
