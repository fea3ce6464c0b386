"""How a training went: what `train` leaves behind for the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from features.errors import InputError


class DivergedError(InputError):
    """A loss that is no finite number; the message says which, and where in the training."""


class Pass(NamedTuple):
    """What an optimiser says of one pass: the training loss it reached, with penalties, and its steps."""

    train_loss: float
    steps: int


@dataclass(frozen=True)
class Epoch:
    """One pass, or one strength of the penalty where the head is solved (`pipeline.training.lbfgs`).

    Mean losses (the training one with penalties, as optimised) and validation accuracy.
    """

    number: int
    train_loss: float
    validation_loss: float
    validation_accuracy: float


@dataclass(frozen=True)
class Fit:
    """How a training went: its epochs, the one that was kept, seconds in all, and batches a second."""

    epochs: tuple[Epoch, ...]
    best: int
    seconds: float
    steps_per_second: float

    @property
    def validation_accuracy(self) -> float:
        """Accuracy on the validation split at the epoch that was kept."""
        return self.epochs[self.best].validation_accuracy
