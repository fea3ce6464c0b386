"""Where every head, task and baseline ends: one object, so that each metric and picture is one function."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from features.errors import InputError

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
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        with h5py.File(partial, "w") as file:
            file.attrs.update({"low": self.low, "size": self.size})
            for name in _FIELDS:
                file[name] = getattr(self, name)
            if self.probabilities is not None:
                file["probabilities"] = self.probabilities
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> Predictions:
        """Read what `save` wrote; InputError where the file is missing or damaged."""
        try:
            with h5py.File(path, "r") as file:
                probabilities = file["probabilities"][()] if "probabilities" in file else None
                return cls(
                    **{name: file[name][()] for name in _FIELDS},
                    probabilities=probabilities,
                    low=int(file.attrs["low"]),
                    size=int(file.attrs["size"]),
                )
        except (OSError, KeyError) as error:
            raise InputError(f"predictions {path} cannot be read ({error}); run `dvc repro`") from None


def constant_predictions(
    rows: npt.NDArray[np.int64], actual: npt.NDArray[np.int64], label: int, low: int, size: int
) -> Predictions:
    """The same label for every row: what a baseline that does not read the text answers."""
    probabilities = np.zeros((len(rows), size))
    probabilities[:, label - low] = 1.0
    predicted = np.full(len(rows), label, dtype=np.int64)
    return Predictions(rows, actual, predicted, predicted.astype(np.float64), probabilities, low, size)
