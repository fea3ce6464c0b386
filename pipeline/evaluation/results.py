"""What `evaluate` leaves behind for `compare`: the figures of a run, seed by seed and group by group."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.evaluation.calibration import Bin, Calibrated, Calibration
from pipeline.evaluation.metrics import Metrics, RatingMetrics
from pipeline.project import layout
from pipeline.project.files import read_json


@dataclass(frozen=True)
class GroupMetrics:
    """Figures over one group's test rows."""

    group: str
    metrics: Metrics


@dataclass(frozen=True)
class SeedMetrics:
    """Figures of the head trained with one seed.

    metrics, decodings: on the test split, decoded as the run is and in the task's other ways.
    validation: on the validation split; what choices are made by.
    calibrated: None for a regressor, which gives no probabilities.
    """

    seed: int
    metrics: Metrics
    decodings: dict[str, Metrics]
    validation: Metrics
    calibrated: Calibrated | None


@dataclass(frozen=True)
class Evaluation:
    """The figures of a run on the test split.

    decoding: how scores became labels, e.g. `argmax`, `round`; the seeds' `metrics` are of this one.
    seeds: figures for each seed, the first being the one that pictures and predictions show.
    groups: figures of the first seed for each group with test rows, most rows first.
    head_parameters, encoder_parameters: numbers of parameters.
    failure: why there is no head, and so none of the above; empty where there is one.
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
    failure: str = ""

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
            read_metrics(item["validation"]),
            _read_calibrated(item["calibrated"]),
        )
        for item in data["seeds"]
    )
    groups = tuple(GroupMetrics(item["group"], read_metrics(item["metrics"])) for item in data["groups"])
    return Evaluation(**{**data, "seeds": seeds, "groups": groups})


def read_metrics(data: dict[str, Any]) -> Metrics:
    """Figures out of JSON, where null stands for an undefined one."""
    rating = data["rating"]
    return Metrics(
        **{**_numbers(data), "rating": RatingMetrics(**_numbers(rating)) if rating is not None else None}
    )


def _read_calibrated(data: dict[str, Any] | None) -> Calibrated | None:
    if data is None:
        return None
    before = data["before"]
    return Calibrated(
        data["temperature"],
        _read_calibration(before) if before is not None else None,
        _read_calibration(data["after"]),
    )


def _read_calibration(data: dict[str, Any]) -> Calibration:
    return Calibration(**{**data, "bins": tuple(Bin(**_numbers(item)) for item in data["bins"])})


def _numbers(data: dict[str, Any]) -> dict[str, Any]:
    return {name: float("nan") if value is None else value for name, value in data.items()}


@dataclass(frozen=True)
class Fidelity:
    """What the head made of a corpus's cached tokens.

    reason: why nothing could be checked, and all figures are 0; else empty.
    texts, pieces: checked; special tokens do not count.
    cached, fresh: share of pieces that the head names from the cached states, from float32 ones.
    same: share of pieces that both are given the same name, right or wrong.
    kept, precision: how tokens are kept at rest, and the arithmetic they were computed in.
    """

    corpus: str
    model: str
    kept: str
    precision: str
    reason: str = ""
    texts: int = 0
    pieces: int = 0
    cached: float = 0.0
    fresh: float = 0.0
    same: float = 0.0

    @property
    def line(self) -> str:
        """One line for people."""
        if self.reason:
            return f"not checked: {self.reason}"
        return (
            f"the masked-LM head names {self.cached:.2%} of {self.pieces:,} cached tokens ({self.kept}), "
            f"{self.fresh:.2%} of the same in float32; both say the same for {self.same:.2%}"
        )


def read_fidelity(corpus: str) -> Fidelity | None:
    """What the stage found, if it ran."""
    path = layout.fidelity_file(corpus)
    return Fidelity(**read_json(path)) if path.is_file() else None
