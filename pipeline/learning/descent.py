"""A head trained by AdamW on batches: gradient steps clipped, the learning rate on a schedule."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch

from features.encoding.allocation import keep_freed_memory
from features.encoding.device import BFLOAT16_WIDTH, multiplies_bfloat16
from heads.base import Head
from heads.tasks import Task
from pipeline.learning.fits import Pass
from pipeline.learning.schedule import rate_factor
from pipeline.loading.data import HeadBatch, HeadData
from pipeline.settings.params import TrainingParams

_CLIP = 5.0  # largest norm of a gradient step; protects the first steps on features of unknown scale


def descend(
    head: Head,
    task: Task,
    data: HeadData,
    rows: npt.NDArray[np.int64],
    settings: TrainingParams,
    generator: np.random.Generator,
) -> Iterator[Pass]:
    """Train in place; each item drawn is one more epoch.

    Args:
        head: what is trained.
        task: gives the loss.
        data: where batches come from.
        rows: (n,) int64 rows to learn from.
        settings: epochs, batches, learning rate and its schedule.
        generator: the order of the batches.
    """
    keep_freed_memory()  # batches come and go by the megabyte
    optimiser = torch.optim.AdamW(
        head.param_groups(settings.learning_rate), weight_decay=settings.weight_decay
    )
    bfloat16 = multiplies_in_bfloat16(head, data.device)
    dtype = torch.bfloat16 if bfloat16 else torch.float16
    peaks = [group["lr"] for group in optimiser.param_groups]
    total = settings.epochs * len(rows)
    for number in range(settings.epochs):
        head.train()
        loss, steps, seen = 0.0, 0, 0
        for batch in data.batches(rows, settings.batch_size, generator, dtype):
            count = len(batch.rows)
            # Taken in the middle of a step, so that neither the first nor the last has a rate of zero.
            progress = (number * len(rows) + seen + count / 2) / total
            factor = rate_factor(progress, settings.schedule, settings.warmup)
            for group, peak in zip(optimiser.param_groups, peaks, strict=True):
                group["lr"] = peak * factor
            loss += _step(head, task, optimiser, batch, bfloat16) * count
            seen += count
            steps += 1
        yield Pass(loss / len(rows), steps)


def _step(
    head: Head, task: Task, optimiser: torch.optim.Optimizer, batch: HeadBatch, bfloat16: bool
) -> float:
    """One step; gives the loss that it lowered, penalties included."""
    with torch.autocast(batch.labels.device.type, torch.bfloat16, enabled=bfloat16):
        output = head(batch.input)
    loss = task.loss(output.scores, batch.labels)
    if output.penalty is not None:
        loss = loss + output.penalty
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(head.parameters(), _CLIP)
    optimiser.step()
    return float(loss.detach())


def multiplies_in_bfloat16(head: Head, device: torch.device) -> bool:
    """Whether products are taken in bfloat16: in heads on tokens, where the device is the faster for it.

    Weights, sums of gradients and the loss stay in float32, and so does all scoring after training.
    ENCODE_ONCE_PRECISION=float32 switches it off.
    """
    wide = "tokens" in head.needs and head.shape.dim >= BFLOAT16_WIDTH
    has = torch.cuda.is_bf16_supported() if device.type == "cuda" else multiplies_bfloat16(device)
    return wide and has and os.environ.get("ENCODE_ONCE_PRECISION", "") != "float32"
