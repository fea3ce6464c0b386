from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from pipeline.evaluate import measure_groups, short_metrics
from pipeline.metrics import measure
from pipeline.predictions import constant_predictions
from pipeline.results import Evaluation, SeedMetrics, read_evaluation
from pipeline.writing import write_json
from tests.pipeline.demo import make_corpus


def test_groups_are_measured_apart_and_rows_without_one_left_out() -> None:
    """Each movie has its own figures, the one with most rows first."""
    corpus = make_corpus()
    corpus.group[:30] = -1
    rows = np.arange(90)
    groups = measure_groups(corpus, constant_predictions(rows, corpus.label[rows], 2, 1, 3))
    assert sum(item.metrics.n for item in groups) == 60
    assert [item.group for item in groups] == ["one", "two"]
    own = rows[(corpus.group[rows] == 0)]
    assert groups[0].metrics.accuracy == pytest.approx((corpus.label[own] == 2).mean())


def test_short_figures_fit_a_column() -> None:
    """What DVC shows has short names, four decimals, and rating figures for ratings alone."""
    predictions = constant_predictions(np.arange(3), np.array([1, 2, 3]), 2, 1, 3)
    assert short_metrics(measure(predictions, ordered=False)) == {"acc": 0.3333, "f1": 0.1667, "mcc": 0.0}
    assert set(short_metrics(measure(predictions, ordered=True))) == {"acc", "f1", "mcc", "adj", "mae", "qwk"}


def test_an_evaluation_survives_its_file(tmp_path: Path) -> None:
    """Figures that do not exist are null in the file and NaN again when read."""
    predictions = constant_predictions(np.arange(3), np.array([2, 2, 2]), 2, 1, 3)
    metrics = measure(predictions, ordered=True)
    seeds = (SeedMetrics(13, metrics, {"thresholds": metrics}),)
    saved = Evaluation("r", "c", "linear", "regress", "round", seeds, (), 10, 1000)
    write_json(tmp_path / "e.json", saved)
    loaded = read_evaluation(tmp_path / "e.json")
    assert loaded.seeds[0].decodings["thresholds"].accuracy == 1.0
    assert loaded.metrics.rating is not None
    assert math.isnan(loaded.metrics.rating.qwk)
    assert loaded.head_parameters == 10
