"""Training a head on cached embeddings: early stopping on the validation loss, the best epoch kept.

Heads that are linear in all they learn are solved (`pipeline.training.lbfgs`), others descend
(`pipeline.training.descent`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from heads.parts.base import Head
from heads.tasks import Task
from pipeline.project.params import TrainingParams
from pipeline.training.data import HeadData
from pipeline.training.descent import descend
from pipeline.training.fits import DivergedError, Epoch, Fit
from pipeline.training.lbfgs import is_linear, solve_path

_TOKEN_SAMPLE = 2000  # training texts whose tokens a head's standardisation is fitted on
_SCORE_BATCH = 256


def fit_head(
    head: Head,
    task: Task,
    data: HeadData,
    train: npt.NDArray[np.int64],
    validation: npt.NDArray[np.int64],
    settings: TrainingParams,
    seed: int,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> Fit:
    """Train in place and leave the head at its best epoch, in evaluation mode.

    Args:
        head: built for `task` and for the sizes of `data`.
        task: has seen the training labels (`fit_loss`); its decoder is fitted on validation at the end.
        data: where batches come from.
        train: (n,) int64 rows to learn from.
        validation: (m,) int64 rows that decide when to stop.
        settings: the optimiser's settings.
        seed: of the order of the batches and of dropout.
        on_epoch: called after each epoch.

    Raises:
        DivergedError: a loss or a score is not finite.
    """
    started = time.perf_counter()
    torch.manual_seed(seed)
    generator = np.random.default_rng(seed)
    head.fit(data.pooled(train))
    if (tokens := data.token_sample(train, _TOKEN_SAMPLE, seed)) is not None:
        head.fit_tokens(tokens)
    if settings.optimiser == "lbfgs" or (settings.optimiser == "auto" and is_linear(head)):
        passes = solve_path(head, task, data, train)
    else:
        passes = descend(head, task, data, train, settings, generator)
    epochs: list[Epoch] = []
    best, kept, steps = 0, _copy(head), 0
    for number, done in enumerate(passes):
        steps += done.steps
        loss, accuracy = _validate(head, task, data, validation)
        if not math.isfinite(loss):
            raise DivergedError(f"the validation loss became {loss} in epoch {number + 1}")
        epochs.append(Epoch(number, done.train_loss, loss, accuracy))
        on_epoch(epochs[-1])
        if number == 0 or loss < epochs[best].validation_loss:
            best, kept = number, _copy(head)
        elif number - best >= settings.patience:
            break
    head.load_state_dict(kept)
    head.eval()
    task.fit_decoder(score(head, data, validation), data.labels(validation))
    seconds = time.perf_counter() - started
    return Fit(tuple(epochs), best, seconds, steps / seconds)


@torch.inference_mode()
def score(head: Head, data: HeadData, rows: npt.NDArray[np.int64]) -> Tensor:
    """The head's scores (n, out_dim) float32 for rows, in their order.

    Raises:
        DivergedError: some are not finite.
    """
    head.eval()
    result: Tensor | None = None
    place = {int(row): i for i, row in enumerate(rows)}
    for batch in data.batches(rows, _SCORE_BATCH):
        scores = head(batch.input).scores
        if result is None:
            result = scores.new_empty(len(rows), scores.shape[1])
        result[[place[int(row)] for row in batch.rows]] = scores
    if result is None:
        return torch.empty(0, head.shape.out_dim)
    if not result.isfinite().all():
        raise DivergedError("the head's scores are not finite")
    return result


def _validate(head: Head, task: Task, data: HeadData, rows: npt.NDArray[np.int64]) -> tuple[float, float]:
    scores, labels = score(head, data, rows), data.labels(rows)
    predicted = task.decode(scores).predicted
    return float(task.loss(scores, labels)), float((predicted == labels).float().mean())


def _copy(head: Head) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in head.state_dict().items()}
