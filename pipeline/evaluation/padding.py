"""What padding cost on a corpus, as `python -m pipeline padding` measured it."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.project import layout
from pipeline.project.files import read_result


@dataclass(frozen=True)
class PaddingLine:
    """One encoder with one strategy: what a linear head makes of its vectors, and what they cost.

    strategy: `static`, `dynamic`, `sorted` or `packed`, see `features.encoder.padding`.
    accuracy: share of the held-out rows that are right. precision, recall, f1: macro averages over labels.
    loss: mean cross entropy in nats. fit: seconds of the head's training.
    seconds: of the forward passes, without tokenising. samples, steps: texts and batches a second.
    useful: share of the computed tokens that were no padding.
    lowest_cosine, largest_difference: of the pooled vectors with those of the packed run.
    """

    encoder: str
    strategy: str
    precision: float
    recall: float
    accuracy: float
    f1: float
    loss: float
    fit: float
    seconds: float
    samples: float
    steps: float
    useful: float
    lowest_cosine: float
    largest_difference: float


@dataclass(frozen=True)
class PaddedEncoder:
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
class PaddingResult:
    """Encoders and strategies over one sample of a corpus.

    texts: rows of the sample; held_out: those that the heads do not learn from.
    max_length: pieces a text is truncated to, and what static padding pads to.
    batch_size: texts of a padded batch. rounds: timed runs of which medians are given.
    """

    corpus: str
    texts: int
    held_out: int
    max_length: int
    batch_size: int
    rounds: int
    seed: int
    encoders: tuple[PaddedEncoder, ...]
    lines: tuple[PaddingLine, ...]

    def speedup(self, line: PaddingLine) -> float:
        """How many times as fast as static padding with the same encoder a line was."""
        (static,) = (
            other for other in self.lines if (other.encoder, other.strategy) == (line.encoder, "static")
        )
        return line.samples / static.samples

    @property
    def line(self) -> str:
        """One line for people."""
        packed = [line for line in self.lines if line.strategy == "packed"]
        each = " and ".join(f"{self.speedup(line):.1f} times as fast with {line.encoder}" for line in packed)
        return f"packed batches are {each} as texts padded to {self.max_length} pieces ({self.texts:,} texts)"


def read_padding(corpus: str) -> PaddingResult | None:
    """What the command found, if it ran."""
    path = layout.padding_folder(corpus) / "padding.json"
    return read_result(path, PaddingResult) if path.is_file() else None
