"""What the padding stage finds out, as it is written and shown."""

from __future__ import annotations

from dataclasses import dataclass

from features.encoding.padding import PaddingCost


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
