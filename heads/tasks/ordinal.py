"""Ordinal regression by K - 1 questions "is the label above k?", with rank-consistent answers.

CORN (Shi, Cao and Raschka 2021, arXiv 2111.08851): score k is the logit of P(y > k | y > k - 1), learnt from
the texts with y > k - 1 alone; P(y > k) is the product of the conditionals up to k, so it can only fall.

CORAL (Cao, Mirjalili and Raschka 2020, doi 10.1016/j.patrec.2020.11.008): one score for all questions and
K - 1 biases, sigmoid(score + b_k) = P(y > k); the biases are `RankBiases`, trained with the head.

Both losses are binary cross entropy with a mask or a sum, which torch has; p(k) = P(y > k - 1) - P(y > k).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from heads.parts.options import require
from heads.tasks.base import Decoded, State, Task, numbers


class RankBiases(nn.Module):
    """Adds one bias a question to a shared score: (B, 1) to (B, K - 1)."""

    def __init__(self, initial: Tensor) -> None:
        super().__init__()
        self.bias = nn.Parameter(initial.clone())

    def forward(self, scores: Tensor) -> Tensor:
        """Spread the scores."""
        return scores + self.bias


class Ordinal(Task):
    """CORN or CORAL on ratings.

    Args:
        low, size: the labels.
        method: "corn" or "coral".
        decode: "median", the published rule (count the questions answered with more than one half), which
            minimises the expected absolute error; or "mode", the most probable label.
    """

    ordered_only = True

    def __init__(
        self,
        low: int,
        size: int,
        *,
        method: Literal["corn", "coral"] = "corn",
        decode: Literal["median", "mode"] = "median",
    ) -> None:
        super().__init__(low, size)
        self.hows = (decode, "mode" if decode == "median" else "median")
        self.coral = method == "coral"
        # As good a start as any that falls; `fit_loss` finds a better one.
        self.log_odds = torch.linspace(1, -1, size - 1)

    @property
    def out_dim(self) -> int:
        """One score for CORAL, one a question for CORN."""
        return 1 if self.coral else self.size - 1

    def output_layer(self) -> nn.Module | None:
        """CORAL's biases, which start at the training labels' log odds if `fit_loss` has seen them."""
        return RankBiases(self.log_odds) if self.coral else None

    def fit_loss(self, labels: Tensor) -> None:
        """Take the log odds of y > k; one text is added to each side, so that they are finite."""
        above = self._above(self._classes(labels.cpu())).sum(dim=0).double()
        self.log_odds = ((above + 1) / (labels.numel() - above + 1)).log().float()

    def loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        """CORAL: the sum over questions, mean over texts. CORN: the mean over all questions that apply."""
        self._check(scores)
        classes = self._classes(labels)
        target = self._above(classes).to(scores.dtype)
        each = F.binary_cross_entropy_with_logits(scores, target, reduction="none")
        if self.coral:
            return each.sum(dim=1).mean()
        applies = classes.unsqueeze(1) >= torch.arange(self.size - 1, device=classes.device)
        return (each * applies).sum() / applies.sum()

    def decode(self, scores: Tensor, how: str | None = None) -> Decoded:
        """Labels by "median" or "mode"."""
        self._check(scores)
        above = self.above(scores)
        edge = above.new_ones(above.shape[0], 1)
        probabilities = torch.cat([edge, above], dim=1) - torch.cat([above, 0 * edge], dim=1)
        median = self._how(how) == "median"
        classes = (above > 0.5).sum(dim=1) if median else probabilities.argmax(dim=1)
        return self._from_probabilities(probabilities, classes)

    def above(self, scores: Tensor) -> Tensor:
        """P(y > k), (B, K - 1) float64 on the CPU, never rising along k.

        CORAL's biases fall at the optimum (their theorem 1) but need not on the way; a rise is cut off.
        """
        logits = scores.detach().cpu().double()
        if self.coral:
            return logits.sigmoid().cummin(dim=1).values
        return F.logsigmoid(logits).cumsum(dim=1).exp()

    def state(self) -> State:
        """The log odds that biases start from; nothing is fitted after training."""
        return {"log_odds": self.log_odds.tolist()}

    def load_state(self, state: Mapping[str, float | list[float]]) -> None:
        """Restore them."""
        self.log_odds = torch.tensor(numbers(state, "log_odds", self.size - 1))

    def _above(self, classes: Tensor) -> Tensor:
        return classes.unsqueeze(1) > torch.arange(self.size - 1, device=classes.device)

    def _check(self, scores: Tensor) -> None:
        require(
            scores.shape[1] == self.size - 1,
            f"ordinal got {scores.shape[1]} scores a text and expected {self.size - 1}; "
            "build the head with output=task.output_layer()",
        )
