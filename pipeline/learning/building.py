"""A run's head and task, ready to be trained: what a training starts from, whoever starts it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from features.corpus import Corpus
from features.errors import InputError
from heads.base import Head, HeadShape, build_head
from heads.tasks import Task, build_task
from pipeline.learning.encoder_top import encoder_top
from pipeline.learning.training_rows import training_rows
from pipeline.loading.data import HeadData
from pipeline.settings.params import Params


@dataclass(frozen=True)
class Untrained:
    """A head of sizes `shape` with the weights it starts from, its task, and the rows it may see.

    train, validation: (n,) int64 and (m,) int64 corpus rows.
    """

    head: Head
    task: Task
    shape: HeadShape
    train: npt.NDArray[np.int64]
    validation: npt.NDArray[np.int64]


def untrained(params: Params, name: str, corpus: Corpus, data: HeadData, seed: int) -> Untrained:
    """Build the head and task of run `name` with the weights that `seed` draws.

    Raises:
        InputError: training or validation has no rows, or more are asked for than there are; nothing lies
            above the layer that a head of encoder layers reads.
    """
    run, labels = params.run(name), corpus.labels
    rows = {"train": training_rows(corpus, run.rows, seed, name), "validation": corpus.rows("validation")}
    for split, members in rows.items():
        if len(members) == 0:
            raise InputError(
                f"corpus {corpus.name!r} has no {split} rows, and training needs some; "
                f"see `corpora.{corpus.name}.split` in params.yaml"
            )
    torch.manual_seed(seed)
    task = build_task(run.task, labels.low, labels.size, labels.ordered, run.task_options)
    task.fit_loss(data.labels(rows["train"]))  # before the head is built: an output layer starts from it
    shape = HeadShape(data.dim, data.layers, task.out_dim)
    top = encoder_top(params, name, data.selection.layers)
    head = build_head(run.head, shape, run.options, top, task.output_layer())
    return Untrained(head, task, shape, **rows)
