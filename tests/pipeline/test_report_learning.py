"""Learning curves of the report."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from heads.parts.base import HeadShape, build_head
from pipeline.report.learning import learning_chart, learning_curves
from tests.pipeline.report_results import Plan, make_results

TEXTS = tuple(f"text number {i}" for i in range(240))


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_runs_that_differ_in_size_alone_make_a_curve(tmp_path: Path) -> None:
    """Smallest first, the whole training split last, and runs of another head or task left out."""
    (curve,) = learning_curves(make_results(Plan(texts=TEXTS, sizes=(20, 10)), tmp_path))
    assert curve.name == "demo-linear"
    assert [size.run.name for size in curve.sizes] == ["demo-linear-10", "demo-linear-20", "demo-linear"]
    assert [size.rows for size in curve.sizes] == [10, 20, 40]
    assert curve.sizes[0].run.step_seconds == pytest.approx(0.01)


def test_one_size_makes_no_curve(tmp_path: Path) -> None:
    """Without a second size there is neither curve nor picture."""
    results = make_results(Plan(texts=TEXTS), tmp_path)
    assert learning_curves(results) == ()
    assert learning_chart(results, ()) is None


def test_a_curve_without_the_whole_has_the_common_name(tmp_path: Path) -> None:
    """Where no run takes all rows, the curve is called by what its runs' names begin with."""
    results = make_results(Plan(texts=TEXTS, sizes=(10, 20)), tmp_path)
    (curve,) = learning_curves(replace(results, runs=results.runs[3:]))
    assert curve.name == "demo-linear"
    assert [size.rows for size in curve.sizes] == [10, 20]


def test_figures_of_a_curve_are_those_of_its_runs(tmp_path: Path) -> None:
    """Means and spreads are over seeds, and a size's gain is its figure minus that of the size below."""
    results = make_results(Plan(texts=TEXTS, sizes=(10, 20), seeds=3), tmp_path)
    (curve,) = learning_curves(results)
    runs = {run.name: run for run in results.runs}
    for size in curve.sizes:
        accuracies = [seed.metrics.accuracy for seed in runs[size.run.name].evaluation.seeds]
        assert size.cells[0].value == pytest.approx(sum(accuracies) / 3)
        assert size.cells[0].spread.startswith("± ")
        assert size.interval.value == pytest.approx(accuracies[0])
    assert curve.sizes[0].gain is None
    for below, size in pairwise(curve.sizes):
        assert size.gain is not None
        assert size.gain.value == pytest.approx(size.interval.value - below.interval.value)


def test_every_size_is_drawn_and_ticks_keep_apart(tmp_path: Path) -> None:
    """Each size has a mark with its figure; of sizes that would touch below the axis the larger is named."""
    results = make_results(Plan(texts=TEXTS, sizes=(10, 11, 20)), tmp_path)
    chart = learning_chart(results, learning_curves(results))
    assert chart is not None
    for rows in (10, 11, 20, 40):
        assert f", {rows} rows: " in chart
    assert [rows for rows in (10, 11, 20, 40) if f">{rows}</text>" in chart] == [11, 20, 40]


def test_parameters_are_counted_as_the_original_study_counts_them() -> None:
    """BERT-base with its pooler has 109,482,240 parameters, a linear head for two classes 1,538 more."""
    import torch
    from transformers import BertConfig, BertModel

    with torch.device("meta"):
        encoder = BertModel(BertConfig())
    head = build_head("linear", HeadShape(768, 1, 2), {})
    counts = [sum(parameter.numel() for parameter in module.parameters()) for module in (encoder, head)]
    assert counts == [109_482_240, 1_538]
    assert sum(counts) == 109_483_778
