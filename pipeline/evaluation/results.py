"""What `evaluate` leaves behind for the report: the figures of a run, seed by seed and group by group."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.evaluation.calibration import Calibrated
from pipeline.evaluation.metrics import Metrics
from pipeline.project import layout
from pipeline.project.files import read_result
from pipeline.project.origin import Origin


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
    origin: what the heads were trained from.
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
    origin: Origin | None
    failure: str = ""

    @property
    def metrics(self) -> Metrics:
        """The figures of the first seed."""
        return self.seeds[0].metrics


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
    return read_result(path, Fidelity) if path.is_file() else None
