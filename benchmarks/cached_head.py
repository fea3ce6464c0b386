"""One training of a cached head, as `pipeline.train` does it, timed and read on validation and test."""

from __future__ import annotations

import time

import torch

from benchmarks.fine_tuning import Trained
from features.corpus import Corpus
from heads.base import HeadShape, build_head, head_class
from heads.tasks import build_task
from pipeline.learning.encoder_top import encoder_top
from pipeline.learning.scoring import predict
from pipeline.learning.training import fit_head
from pipeline.loading.run_data import open_data
from pipeline.settings.params import Params


def train_cached(params: Params, corpus: Corpus, name: str, seed: int) -> Trained:
    """Train run `name` with `seed` on the cache; the test split is read once, at the end."""
    run, labels = params.run(name), corpus.labels
    data = open_data(corpus, run, head_class(run.head).needs)
    wall, cpu = time.perf_counter(), time.process_time()
    torch.manual_seed(seed)
    task = build_task(run.task, labels.low, labels.size, labels.ordered, run.task_options)
    task.fit_loss(data.labels(corpus.rows("train")))
    top = encoder_top(params, name, data.selection.layers)
    shape = HeadShape(data.dim, data.layers, task.out_dim)
    head = build_head(run.head, shape, run.options, top, task.output_layer())
    rows = corpus.rows("train"), corpus.rows("validation")
    fit = fit_head(head, task, data, *rows, params.training_of(name), seed)
    seconds = time.process_time() - cpu, time.perf_counter() - wall
    answers = predict(head, task, data, corpus.rows("test"))
    accuracy = float((answers.predicted == answers.actual).mean())
    return Trained(fit.validation_accuracy, accuracy, *seconds, sum(p.numel() for p in head.parameters()))
