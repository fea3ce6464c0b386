"""The report's charts: SVG out of matplotlib, in the colours of the page."""

from __future__ import annotations

import io
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from markupsafe import Markup

from pipeline.evaluation.calibration import Calibrated, calibration
from pipeline.evaluation.intervals import Interval
from pipeline.evaluation.metrics import HEADLINES
from pipeline.evaluation.predictions import Predictions
from pipeline.plots.figures import plot_reliability
from pipeline.report.charts import Point, Series, cost_chart, loss_chart, reliability_chart, spread
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
