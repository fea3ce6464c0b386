"""Two classes from one logit: p(upper) = sigmoid(score / T), binary cross entropy, T fitted on validation."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from heads.parts.options import require
from heads.tasks.base import Decoded, State, Task, Weighting, class_weights, fit_temperature, number, numbers


class Binary(Task):
    """Logistic regression on the head's one score; the upper label is predicted where it is positive.

    Args:
        low: the lower label.
        size: 2.
        class_weights: "balanced" weighs both classes the same in the loss, "none" every text.
    """

    hows = ("argmax",)

    def __init__(self, low: int, size: int, *, class_weights: Weighting = "none") -> None:
        require(size == 2, f"the labels have {size} values, and binary is for 2; use classify")
        super().__init__(low, size)
        self.balanced = class_weights == "balanced"
        self.weights = torch.ones(2)
        self.temperature = 1.0

    @property
    def out_dim(self) -> int:
        """One score."""
        return 1

    def fit_loss(self, labels: Tensor) -> None:
        """Count the classes, if they are to be balanced."""
        if self.balanced:
            self.weights = class_weights(self._classes(labels), 2)

    def loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Binary cross entropy; with weights, the weighted mean."""
        classes = self._classes(labels)
        target = classes.to(scores.dtype)
        if not self.balanced:
            return F.binary_cross_entropy_with_logits(scores.squeeze(1), target)
        weights = self.weights.to(scores)[classes]
        each = F.binary_cross_entropy_with_logits(scores.squeeze(1), target, weight=weights, reduction="sum")
        return each / weights.sum()

    def fit_decoder(self, scores: Tensor, labels: Tensor) -> None:
        """Fit the temperature."""
        self.temperature = fit_temperature(self._both(scores), self._classes(labels))

    def decode(self, scores: Tensor, how: str | None = None) -> Decoded:
        """The more probable label."""
        self._how(how)
        scores = scores.detach().cpu()
        probabilities = (self._both(scores) / self.temperature).softmax(dim=1)
        return self._from_probabilities(probabilities, (scores.squeeze(1) > 0).long())

    def state(self) -> State:
        """Temperature and class weights."""
        return {"temperature": self.temperature, "weights": self.weights.tolist()}

    def load_state(self, state: Mapping[str, float | list[float]]) -> None:
        """Restore them."""
        self.temperature = number(state, "temperature")
        self.weights = torch.tensor(numbers(state, "weights", 2))

    @staticmethod
    def _both(scores: Tensor) -> Tensor:
        # The logit against zero is a softmax over two.
        scores = scores.float()
        return torch.cat([torch.zeros_like(scores), scores], dim=1)
