"""Regression on ratings: one score, decoded to a label by rounding or by fitted thresholds.

The score is in units of the training labels' standard deviation about their mean, so that an untrained head
starts at the mean and penalties weigh the same for every scale: value = mean + deviation x score.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from heads.tasks.base import Decoded, State, Task, number, numbers
from heads.tasks.thresholds import Error, fit_thresholds, rounding_thresholds


class Regress(Task):
    """Squared or Huber error on the standardised label.

    Rounding maps a value to the nearest label: half a label of tolerance on each side of every label but the
    outermost. Thresholds, fitted on validation, undo the regressor's shrinkage to the mean. They minimise
    the absolute error by default: it ranks mistakes as the scale does and keeps rare labels in play, while
    the number of exact hits (`minimise: exact`) is often greatest when a rare label is never given.

    Args:
        low, size: the labels.
        loss: "mse", or "huber" (squared up to one standard deviation, linear beyond).
        decode: how labels are predicted unless `decode` is told otherwise.
        minimise: what the thresholds minimise on validation: "absolute" error or "exact" (wrong labels).
    """

    ordered_only = True

    def __init__(
        self,
        low: int,
        size: int,
        *,
        loss: Literal["mse", "huber"] = "mse",
        decode: Literal["round", "thresholds"] = "round",
        minimise: Error = "absolute",
    ) -> None:
        super().__init__(low, size)
        self.hows = (decode, "thresholds" if decode == "round" else "round")
        self.huber = loss == "huber"
        self.minimise: Error = minimise
        self.mean = low + (size - 1) / 2
        self.deviation = 1.0
        self.thresholds = rounding_thresholds(low, size)

    @property
    def out_dim(self) -> int:
        """One score."""
        return 1

    def fit_loss(self, labels: Tensor) -> None:
        """Take mean and standard deviation (1 if the labels do not vary)."""
        if labels.numel():
            variance, mean = torch.var_mean(labels.cpu().double(), correction=0)
            self.mean, self.deviation = float(mean), float(variance.sqrt()) or 1.0

    def loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Mean squared or Huber error, in squared standard deviations."""
        target = (labels.to(scores.dtype) - self.mean) / self.deviation
        error = F.huber_loss if self.huber else F.mse_loss
        return error(scores.squeeze(1), target)

    def fit_decoder(self, scores: Tensor, labels: Tensor) -> None:
        """Fit the thresholds."""
        self.thresholds = fit_thresholds(
            self._value(scores), labels.cpu(), self.low, self.size, self.minimise
        )

    def decode(self, scores: Tensor, how: str | None = None) -> Decoded:
        """Labels by "round" or "thresholds"; `value` is the raw output in label units, not clipped."""
        value = self._value(scores)
        by_round = self._how(how) == "round"
        cuts = rounding_thresholds(self.low, self.size) if by_round else self.thresholds
        boundaries = torch.tensor(cuts, dtype=value.dtype)
        return Decoded(torch.bucketize(value, boundaries, right=True) + self.low, value.float(), None)

    def state(self) -> State:
        """Mean, deviation and thresholds."""
        return {"mean": self.mean, "deviation": self.deviation, "thresholds": list(self.thresholds)}

    def load_state(self, state: Mapping[str, float | list[float]]) -> None:
        """Restore them."""
        self.mean, self.deviation = number(state, "mean"), number(state, "deviation")
        self.thresholds = numbers(state, "thresholds", self.size - 1)

    def _value(self, scores: Tensor) -> Tensor:
        return self.mean + self.deviation * scores.detach().cpu().double().squeeze(1)
