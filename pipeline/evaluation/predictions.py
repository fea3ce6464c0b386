"""Where every head, task and baseline ends: one object, so that each metric and picture is one function."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.project.files import read_arrays, write_arrays

_FIELDS = ("rows", "actual", "predicted", "value")


@dataclass(frozen=True)
class Predictions:
    """Predictions for n rows of a corpus over labels `low` to `low + C - 1`.

    rows: (n,) int64 row numbers in the corpus.
    actual: (n,) int64 label values.
    predicted: (n,) int64 label values.
    value: (n,) float64 in label units: the expected label sum_k k p(k), or a regressor's raw output.
    probabilities: (n, C) float64 whose rows sum to 1, or None for a plain regressor.
    low: value of the first label.
    size: number of labels C.
    """

    rows: npt.NDArray[np.int64]
    actual: npt.NDArray[np.int64]
    predicted: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]
    probabilities: npt.NDArray[np.float64] | None
    low: int
    size: int

    def __len__(self) -> int:
        """Number of rows n."""
        return len(self.rows)

    def confidence(self) -> npt.NDArray[np.float64]:
        """(n,) float64, how sure each prediction is, in [0, 1].

        The probability of the predicted label; for a regressor without probabilities, 1 minus twice the
        distance of its value from the label it was decoded to, floored at 0.
        """
        if self.probabilities is not None:
            return self.probabilities[np.arange(len(self)), self.predicted - self.low]
        return np.clip(1.0 - 2.0 * np.abs(self.value - self.predicted), 0.0, 1.0)

    def take(self, chosen: npt.NDArray[np.int64]) -> Predictions:
        """The predictions at positions `chosen`, (m,) int64, in that order."""
        arrays = {name: getattr(self, name)[chosen] for name in _FIELDS}
        probabilities = None if self.probabilities is None else self.probabilities[chosen]
        return replace(self, **arrays, probabilities=probabilities)

    def save(self, path: Path) -> None:
        """Write as HDF5; atomic."""
        fields = {name: np.asarray(value) for name, value in vars(self).items() if value is not None}
        write_arrays(path, fields)

    @classmethod
    def load(cls, path: Path) -> Predictions:
        """Read what `save` wrote; InputError where the file is missing or damaged."""
        found = read_arrays(path)
        return cls(
            **{name: found[name] for name in _FIELDS},
            probabilities=found.get("probabilities"),
            low=int(found["low"]),
            size=int(found["size"]),
        )


def constant_predictions(
    rows: npt.NDArray[np.int64], actual: npt.NDArray[np.int64], label: int, low: int, size: int
) -> Predictions:
    """The same label for every row: what a baseline that does not read the text answers."""
    probabilities = np.zeros((len(rows), size))
    probabilities[:, label - low] = 1.0
    predicted = np.full(len(rows), label, dtype=np.int64)
    return Predictions(rows, actual, predicted, predicted.astype(np.float64), probabilities, low, size)
