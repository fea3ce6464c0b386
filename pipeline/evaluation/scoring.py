"""A trained head's answer for rows of a corpus, as `Predictions`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from torch import Tensor

from heads.parts.base import Head
from heads.tasks import Task
from pipeline.evaluation.predictions import Predictions
from pipeline.training.data import HeadData
from pipeline.training.training import score


def predict(head: Head, task: Task, data: HeadData, rows: npt.NDArray[np.int64]) -> Predictions:
    """Predictions for rows (n,) int64, in their order, by a head that was trained for a task."""
    return decode(task, score(head, data, rows), data, rows)


def decode(
    task: Task, scores: Tensor, data: HeadData, rows: npt.NDArray[np.int64], how: str | None = None
) -> Predictions:
    """Predictions from scores (n, out_dim) that a head gave the rows, by one of the task's decodings."""
    decoded = task.decode(scores, how)
    probabilities = decoded.probabilities
    return Predictions(
        rows=rows,
        actual=data.labels(rows).cpu().numpy(),
        predicted=decoded.predicted.cpu().numpy(),
        value=decoded.value.cpu().numpy().astype(np.float64),
        probabilities=None if probabilities is None else probabilities.cpu().numpy().astype(np.float64),
        low=task.low,
        size=task.size,
    )
