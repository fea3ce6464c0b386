"""The pages: what each section needs is worked out in its own module, and the templates lay it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline import layout
from pipeline.intervals import Interval, accuracy_interval
from pipeline.params import Params
from pipeline.report.agreement import agreements
from pipeline.report.choosing import best_run
from pipeline.report.clouds import clouds
from pipeline.report.contests import Contest, contests
from pipeline.report.cost import cost_plot
from pipeline.report.curves import curves
from pipeline.report.gather import CorpusResults, RunResults
from pipeline.report.groups import group_tables
from pipeline.report.maps import map_data
from pipeline.report.mistakes import changes, mistakes
from pipeline.report.panels import opening_pair, panels
from pipeline.report.provenance import commands, corpus_yaml, digests, times, versions, written_at
from pipeline.report.rendering import render
from pipeline.report.rounding import decodings
from pipeline.report.shading import shaded_texts
from pipeline.report.table import metric_columns, runs_table
from pipeline.style import label_colours

_SCRIPTS = ("theme.js", "sort.js", "choose.js", "agree.js", "attention.js", "drawing.js", "map.js")


@dataclass(frozen=True)
class Front:
    """What the front page says of one corpus; `interval` is of the best run's test accuracy."""

    results: CorpusResults
    best: str | None
    interval: Interval | None
    contests: tuple[Contest, ...]
    written: str


def corpus_page(results: CorpusResults, params: Params) -> tuple[str, Front]:
    """A corpus's page, and what the front page says of it."""
    labels, best = results.corpus.labels, best_run(results)
    front = Front(
        results=results,
        best=best.name if best else None,
        interval=accuracy_interval(best.predictions) if best else None,
        contests=contests(results, best),
        written=_written(results),
    )
    page = render(
        "corpus.html",
        _SCRIPTS,
        results=results,
        current=results.name,
        corpora=tuple(params.corpora),
        labels=labels,
        unit="rating" if labels.ordered else "class",
        colours=zip(label_colours(labels), label_colours(labels, dark=True), strict=True),
        front=front,
        yaml=corpus_yaml(results, params),
        **_sections(results, best),
    )
    return page, front


def _sections(results: CorpusResults, best: RunResults | None) -> dict[str, Any]:
    """What the templates of the sections read, by the names they use."""
    labels = results.corpus.labels
    return {
        "summary": results.summary,
        "columns": metric_columns(ordered=labels.ordered),
        "lines": runs_table(results),
        "cost": cost_plot(results),
        "curves": curves(results),
        "panels": panels(results),
        "pair": opening_pair(results, best.name if best else None),
        "agreement": agreements(results),
        "decodings": decodings(results),
        "groups": group_tables(results),
        "map": map_data(results),
        "attention": {run.name: shaded_texts(run, labels) for run in results.runs},
        "deletions": {run.name: run.heatmaps.deletion for run in results.runs},
        "clouds": clouds(results.words),
        "mistakes": mistakes(results),
        "changes": changes(results, best),
        "commands": commands(results),
        "digests": digests(results),
        "times": times(results),
        "versions": versions(results),
    }


def front_page(fronts: Sequence[Front], params: Params) -> str:
    """The page that lists the corpora."""
    return render("index.html", ("theme.js", "sort.js"), fronts=fronts, corpora=tuple(params.corpora))


def _written(results: CorpusResults) -> str:
    files = [layout.evaluation_folder(run.name) / "evaluation.json" for run in results.runs]
    return written_at([layout.extraction_file(results.name), *files])
