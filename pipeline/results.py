"""What `evaluate` leaves behind for `compare`: the figures of a run, seed by seed and group by group."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.metrics import Metrics, RatingMetrics
from pipeline.writing import read_json


@dataclass(frozen=True)
class GroupMetrics:
    """Figures over one group's test rows."""

    group: str
    metrics: Metrics


@dataclass(frozen=True)
class SeedMetrics:
    """Figures of the head trained with one seed; `decodings` adds those of the task's other decodings."""

    seed: int
    metrics: Metrics
    decodings: dict[str, Metrics]


@dataclass(frozen=True)
class Evaluation:
    """The figures of a run on the test split.

    decoding: how scores became labels, e.g. `argmax`, `round`; the seeds' `metrics` are of this one.
    seeds: figures for each seed, the first being the one that pictures and predictions show.
    groups: figures of the first seed for each group with test rows, most rows first.
    head_parameters, encoder_parameters: numbers of parameters.
    """

    run: str
    corpus: str
    head: str
    task: str
    decoding: str
    seeds: tuple[SeedMetrics, ...]
    groups: tuple[GroupMetrics, ...]
    head_parameters: int
    encoder_parameters: int

    @property
    def metrics(self) -> Metrics:
        """The figures of the first seed."""
        return self.seeds[0].metrics


def read_evaluation(path: Path) -> Evaluation:
    """What `evaluate` wrote."""
    data = read_json(path)
    seeds = tuple(
        SeedMetrics(
            item["seed"],
            read_metrics(item["metrics"]),
            {name: read_metrics(value) for name, value in item["decodings"].items()},
        )
        for item in data["seeds"]
    )
    groups = tuple(GroupMetrics(item["group"], read_metrics(item["metrics"])) for item in data["groups"])
    return Evaluation(**{**data, "seeds": seeds, "groups": groups})


def read_metrics(data: dict[str, Any]) -> Metrics:
    """Figures out of JSON, where null stands for an undefined one."""
    numbers = {name: float("nan") if value is None else value for name, value in data.items()}
    rating = data["rating"]
    if rating is not None:
        rating = RatingMetrics(**{k: float("nan") if v is None else v for k, v in rating.items()})
    return Metrics(**{**numbers, "rating": rating})
