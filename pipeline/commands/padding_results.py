"""The padding comparison as it is written and shown: JSON, CSV, and one page for people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from features.encoder.padding import PaddingCost
from pipeline.project.files import write_csv, write_json
from pipeline.report.rendering import duration, number, percent, render, write_page


@dataclass(frozen=True)
class HeadFigures:
    """A linear head on the vectors of one encoder and strategy, on the sample's held-out rows.

    accuracy: share of exact hits. precision, recall, f1: macro averages, each label counts once.
    loss: mean cross entropy in nats, at temperature 1.
    seconds: training time of the head.
    """

    accuracy: float
    precision: float
    recall: float
    f1: float
    loss: float
    seconds: float


@dataclass(frozen=True)
class PaddingLine:
    """One encoder with one strategy: what it cost, and what a head makes of its vectors."""

    encoder: str
    cost: PaddingCost
    head: HeadFigures


@dataclass(frozen=True)
class EncoderFacts:
    """An encoder of the comparison.

    name, model: as in `params.yaml`. architecture: the model type its configuration names.
    parameters: of the whole encoder. layers: its transformer layers. dim: their width.
    machine, precision: where and in what arithmetic it ran.
    tokens: real tokens of the sample, special ones included. mean_length: of a text.
    """

    name: str
    model: str
    architecture: str
    parameters: int
    layers: int
    dim: int
    machine: str
    precision: str
    tokens: int
    mean_length: float


@dataclass(frozen=True)
class PaddingReport:
    """Encoders and strategies over one sample of a corpus.

    texts: rows of the sample; train, validation, held_out: how they divide.
    max_length: pieces a text is truncated to, and what static padding pads to.
    batch_size: texts of a padded batch. rounds: timed runs of which medians are given.
    """

    corpus: str
    texts: int
    train: int
    validation: int
    held_out: int
    max_length: int
    batch_size: int
    rounds: int
    seed: int
    encoders: tuple[EncoderFacts, ...]
    lines: tuple[PaddingLine, ...]


STRATEGIES = {
    "static": "every text padded to the longest length allowed",
    "dynamic": "padded to the longest of its batch, texts in random order",
    "sorted": "the same, texts sorted by length first",
    "packed": "nothing padded: the texts of a batch as one row",
}


@dataclass(frozen=True)
class Measure:
    """One column: a key for programs, a title and an explanation for people, how it is read and written.

    first: how a click on the header sorts at first.
    """

    key: str
    title: str
    about: str
    value: Callable[[PaddingLine], float]
    text: Callable[[float], str]
    first: str = "descending"


def _rate(value: float) -> str:
    """A rate to three digits.

    >>> _rate(1234.56), _rate(3.14159)
    ('1,235', '3.14')
    """
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _scientific(value: float) -> str:
    """A small number with its power of ten.

    >>> _scientific(0.00012), _scientific(0.0)
    ('1.2e−04', '0')
    """
    return f"{value:.1e}".replace("-", "−") if value else "0"


MEASURES = (
    Measure(
        "precision", "precision", "macro: each label counts once; held-out rows",
        lambda line: line.head.precision, percent,
    ),
    Measure(
        "recall", "recall", "macro, held-out rows", lambda line: line.head.recall, percent,
    ),
    Measure(
        "accuracy", "accuracy", "share of the held-out rows that are right",
        lambda line: line.head.accuracy, percent,
    ),
    Measure("f1", "F1", "macro, held-out rows", lambda line: line.head.f1, percent),
    Measure(
        "loss", "loss", "mean cross entropy over the held-out rows",
        lambda line: line.head.loss, lambda value: number(value, 4), "ascending",
    ),
    Measure(
        "seconds", "run time", "encoding the sample, median over rounds, without tokenising",
        lambda line: line.cost.seconds, duration, "ascending",
    ),
    Measure("samples_per_second", "samples/s", "texts a second", lambda line: line.cost.samples, _rate),
    Measure("steps_per_second", "steps/s", "batches a second", lambda line: line.cost.steps, _rate),
    Measure(
        "useful", "useful tokens", "share of the computed tokens that were not padding",
        lambda line: line.cost.useful, percent,
    ),
    Measure(
        "lowest_cosine", "lowest cosine", "of a text's pooled vectors with those of the packed run",
        lambda line: line.cost.lowest_cosine, lambda value: number(value, 6),
    ),
    Measure(
        "largest_difference", "largest difference",
        "of a number in a text's pooled vectors from that of the packed run",
        lambda line: line.cost.largest_difference, _scientific, "ascending",
    ),
)  # fmt: skip


def write_report(folder: Path, report: PaddingReport) -> None:
    """Write `padding.json`, `padding.csv` and `padding.html`."""
    write_json(folder / "padding.json", report)
    write_csv(
        folder / "padding.csv",
        ["encoder", "padding", *(measure.key for measure in MEASURES)],
        [
            [line.encoder, line.cost.strategy, *(measure.value(line) for measure in MEASURES)]
            for line in report.lines
        ],
    )
    page = render(
        "padding.html", ("sort.js",),
        report=report, measures=MEASURES, strategies=STRATEGIES, speedups=speedups(report),
    )  # fmt: skip
    write_page(folder / "padding.html", page)


def speedups(report: PaddingReport) -> dict[str, dict[str, float]]:
    """Encoder to strategy to how many times as fast as static padding it was."""
    return {
        encoder.name: {
            line.cost.strategy: line.cost.samples / static.cost.samples
            for static in report.lines
            if static.encoder == encoder.name and static.cost.strategy == "static"
            for line in report.lines
            if line.encoder == encoder.name
        }
        for encoder in report.encoders
    }
