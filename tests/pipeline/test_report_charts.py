"""The report's charts: SVG out of matplotlib, in the colours of the page."""

from __future__ import annotations

import io
import math
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from markupsafe import Markup

from features.corpus.labels import class_labels
from pipeline.evaluation.calibration import Calibrated, calibration
from pipeline.evaluation.intervals import Interval
from pipeline.evaluation.metrics import HEADLINES
from pipeline.evaluation.predictions import Predictions
from pipeline.plots.figures import plot_reliability
from pipeline.report.charts import Point, Series, cost_chart, group_map, loss_chart, reliability_chart, spread
from pipeline.training.fits import Epoch, Fit

FIT = Fit(tuple(Epoch(i, 1.0 / (i + 1), 0.5 + 0.1 * abs(i - 2), 0.6) for i in range(6)), 2, 3.25, 100.0)


def costs(count: int = 3, unit: str = " s", headline: str = "accuracy") -> Markup:
    points = [Point(0.5 * 4**k, Interval(0.61, 0.58, 0.66), f"run {k}") for k in range(count)]
    series = [Series(f"run-{k}", "classification", (point,)) for k, point in enumerate(points)]
    return cost_chart(series, {"majority": 0.4}, HEADLINES[headline], "cost", unit)


def parsed(chart: str) -> ElementTree.Element:
    return ElementTree.fromstring(chart.replace("xlink:href", "href"))


def test_a_chart_follows_the_theme() -> None:
    """Every colour is a variable of the page, text is text in the page's font, and nothing is loaded."""
    for chart in (costs(), loss_chart("a", FIT)):
        assert not re.search(r"#[0-9a-f]{6}\b(?!\")", re.sub(r'(href|id)="[^"]*"', "", chart))
        assert "font-family" not in chart
        assert "url(" not in chart
        assert parsed(chart).get("role") == "img"
        assert parsed(chart).get("aria-label")


def test_a_mark_tells_its_figure() -> None:
    """Pointing at a mark shows what it is, its figure and interval; the label stands at the edge."""
    texts = [node.text for node in parsed(costs()).iter() if node.tag == "text"]
    titles = [node.text for node in parsed(costs()).iter() if node.tag == "title"]
    assert titles == [f"run {k}: 61.0 % (58.0 % to 66.0 %)" for k in range(3)]
    assert {"run-0", "run-1", "run-2", "majority: 40.0 %", "test accuracy"} <= set(texts)


@pytest.mark.parametrize(("headline", "tick"), [("accuracy", "60 %"), ("mcc", "0.60")])
def test_ticks_are_written_as_the_figure_is(headline: str, tick: str) -> None:
    """Shares stand in percent, others with decimals, and a cost with its unit."""
    texts = [node.text for node in parsed(costs(headline=headline)).iter() if node.tag == "text"]
    assert tick in texts
    assert "1 s" in texts


def test_equal_charts_are_equal_and_others_share_no_id() -> None:
    """A chart drawn twice is the same to the byte; ids of two charts on one page differ."""
    assert costs() == costs()
    page = costs() + loss_chart("one", FIT) + loss_chart("two", FIT)
    ids = Counter(re.findall(r' id="([^"]*)"', page))
    assert ids
    assert set(ids.values()) == {1}
    assert set(re.findall(r'href="#([^"]*)"', page)) <= set(ids)


def test_text_of_the_data_stays_text() -> None:
    """Markup, quotes and dollar signs in a name neither break the chart nor are read as formulas."""
    name = """<b>"$x_{$&'"""
    series = [Series(name, "regression", (Point(1.0, Interval(0.5, 0.4, 0.6), name),))]
    found = parsed(cost_chart(series, {}, HEADLINES["accuracy"], "cost"))
    assert name in [node.text for node in found.iter()]
    assert f"{name}: 50.0 % (40.0 % to 60.0 %)" in [node.text for node in found.iter()]


def test_labels_keep_apart() -> None:
    """Many marks in one place get labels in order, none over another, all inside."""
    places = spread([0.5] * 9, 0.1)
    assert all(b - a >= 0.1 - 1e-9 for a, b in pairwise(places))
    assert 0 <= places[0] < places[-1] <= 1


def test_the_diagram_of_a_run_is_drawn_once(tmp_path: Path) -> None:
    """The page shows the file that the run left; drawing it anew gives the same."""
    probabilities = np.random.default_rng(5).dirichlet(np.ones(3), 200)
    predicted = probabilities.argmax(axis=1)
    rows = np.arange(200)
    measured = calibration(Predictions(rows, rows % 3, predicted, predicted * 1.0, probabilities, 0, 3))
    assert measured is not None
    found = Calibrated(1.2, measured, measured)
    file = tmp_path / "calibration.svg"
    plot_reliability(file, found, "demo")
    again = io.StringIO()
    plot_reliability(again, found, "demo")
    assert file.read_text("utf-8") == again.getvalue()
    assert reliability_chart("demo", found, file) == reliability_chart("demo", found)


def test_a_figure_that_does_not_exist_is_not_drawn() -> None:
    """Series and levels without a figure are left out, and a chart without any is empty."""
    nothing = Series("none", "ordinal", (Point(1.0, Interval(math.nan, math.nan, math.nan), "none"),))
    one = Series("one", "ordinal", (Point(1.0, Interval(0.5, 0.4, 0.6), "one"),))
    chart = cost_chart([nothing, one], {"majority": math.nan}, HEADLINES["mcc"], "cost")
    assert [node.text for node in parsed(chart).iter() if node.tag == "title"] == [
        "one: 0.500 (0.400 to 0.600)"
    ]
    assert "nan" not in chart
    assert cost_chart([nothing], {}, HEADLINES["mcc"], "cost") == ""


@pytest.mark.parametrize(("low", "high"), [(3.1, 3.3), (0.07, 8.0), (0.001, 90_000.0)])
def test_a_cost_axis_has_ticks_that_keep_apart(low: float, high: float) -> None:
    """Costs that hardly differ and costs that span decades both get some ticks, and not too many."""
    point = Interval(0.5, 0.4, 0.6)
    series = [Series(str(x), "classification", (Point(x, point, str(x)),)) for x in (low, high)]
    chart = cost_chart(series, {}, HEADLINES["accuracy"], "cost", " s")
    ticks = [
        node.text for node in parsed(chart).iter() if node.tag == "text" and str(node.text).endswith(" s")
    ]
    assert 2 <= len(ticks) <= 9


def test_a_group_stands_out_in_its_labels_colours() -> None:
    """Classes are drawn in the page's label colours, and no colour is left as it stood in the file."""
    labels = class_labels(["bad", "good"]).labels
    points = np.random.default_rng(5).normal(size=(40, 2)).astype(np.float32)
    label = np.arange(40) % 2
    chart = group_map(points, label, np.arange(40) < 10, labels, "a map")
    paths = re.findall(r'd="([^"]*)"[^>]*stroke: var\(--([^)]*)', chart)
    assert {colour: path.count("M") for path, colour in paths} == {"rule": 30, "label-0": 5, "label-1": 5}
    assert not re.search(r": #[0-9a-f]{6}", chart)
