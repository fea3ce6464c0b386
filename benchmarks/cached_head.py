"""One training of a cached head, as `pipeline.train` does it, timed and read on validation and test."""

from __future__ import annotations

import time

from benchmarks.fine_tuning import Trained
from features.corpus.corpus import Corpus
from heads.parts.base import head_class
from pipeline.evaluation.scoring import predict
from pipeline.project.params import Params
from pipeline.training.data import open_data
from pipeline.training.start import untrained
from pipeline.training.training import fit_head


def train_cached(params: Params, corpus: Corpus, name: str, seed: int) -> Trained:
    """Train run `name` with `seed` on the cache; the test split is read once, at the end."""
    data = open_data(corpus, params.run(name), head_class(params.run(name).head).needs)
    wall, cpu = time.perf_counter(), time.process_time()
    start = untrained(params, name, corpus, data, seed)
    settings = params.training_of(name)
    fit = fit_head(start.head, start.task, data, start.train, start.validation, settings, seed)
    seconds = time.process_time() - cpu, time.perf_counter() - wall
    answers = predict(start.head, start.task, data, corpus.rows("test"))
    accuracy = float((answers.predicted == answers.actual).mean())
    parameters = sum(parameter.numel() for parameter in start.head.parameters())
    return Trained(fit.validation_accuracy, accuracy, *seconds, parameters)
