"""Cut points that turn a regressor's values into labels with the least error on given rows."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Error = Literal["absolute", "exact"]


def rounding_thresholds(low: int, size: int) -> list[float]:
    """The cut points of rounding: low + 0.5, low + 1.5, ..., size - 1 of them."""
    return [low + k + 0.5 for k in range(size - 1)]


def fit_thresholds(
    values: Tensor, labels: Tensor, low: int, size: int, error: Error = "absolute"
) -> list[float]:
    """Non-decreasing cut points t_1..t_(size-1) that minimise the error of low + #{t <= value}.

    The minimum is exact: dynamic programming over the sorted values, O(N x size). A label that is best
    never given keeps the cut point of rounding, where the others allow it.

    Args:
        values: (N,) raw outputs in label units.
        labels: (N,) label values.
        low: the lowest label.
        size: how many labels there are.
        error: "absolute" minimises sum |label - predicted|, "exact" the number of wrong labels.
    """
    rounding = rounding_thresholds(low, size)
    if values.numel() == 0:
        return rounding
    values, order = values.detach().double().flatten().sort()
    offset = labels[order].double().unsqueeze(0) - torch.arange(low, low + size).double().unsqueeze(1)
    costs = offset.abs() if error == "absolute" else (offset != 0).double()
    total = torch.cat([torch.zeros(size, 1, dtype=torch.float64), costs.cumsum(dim=1)], dim=1)
    cuts = _best_cuts(total, _may_cut(values))
    return [_threshold(values, cut, rounding[k]) for k, cut in enumerate(cuts)]


def _may_cut(values: Tensor) -> Tensor:
    # Equal values cannot be told apart: a cut lies at an end or between two that differ.
    edge = torch.ones(1, dtype=torch.bool)
    return torch.cat([edge, values[1:] > values[:-1], edge])


def _best_cuts(total: Tensor, allowed: Tensor) -> list[int]:
    """Positions c_1 <= ... <= c_(size-1); label k is given to sorted rows c_k up to c_(k+1)."""
    size, width = total.shape
    best = total[0].masked_fill(~allowed, torch.inf)
    came_from: list[Tensor] = []
    for k in range(1, size):
        lowest, where = (best - total[k]).cummin(dim=0)
        came_from.append(where)
        best = (total[k] + lowest).masked_fill(~allowed, torch.inf)
    position = width - 1
    cuts: list[int] = []
    for where in reversed(came_from):
        position = int(where[position])
        cuts.append(position)
    return cuts[::-1]


def _threshold(values: Tensor, cut: int, rounding: float) -> float:
    if cut == 0:
        return min(float(values[0]), rounding)
    if cut == len(values):
        return max(rounding, float(torch.nextafter(values[-1], torch.tensor(torch.inf, dtype=values.dtype))))
    below, above = float(values[cut - 1]), float(values[cut])
    middle = (below + above) / 2
    return middle if below < middle <= above else above
