"""The pages: what each section needs is worked out in its own module, and the templates lay it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.evaluation.headlines import headline_interval
from pipeline.evaluation.intervals import Interval
from pipeline.plots.style import label_colours
from pipeline.project import layout
from pipeline.project.params import Params
from pipeline.report.case import group_case
from pipeline.report.changes import agreements, change_names, changes, mistakes, opening_change
from pipeline.report.charts import cost_plot, curves
from pipeline.report.contests import Contest, contests
from pipeline.report.encoders import encoder_groups
from pipeline.report.groups import group_tables
from pipeline.report.learning import learning_curves, learning_plot
from pipeline.report.maps import map_data
from pipeline.report.panels import opening_pair, panels
from pipeline.report.provenance import commands, corpus_yaml, digests, times, versions, written_at
from pipeline.report.reliability import reliabilities, without_probabilities
from pipeline.report.rendering import render
from pipeline.report.results import CorpusResults, RunResults
from pipeline.report.tables import (
    Column,
    Line,
    Over,
    best_run,
    brief_table,
    decodings,
    metric_columns,
    over_seeds,
    runs_table,
)
from pipeline.report.words import clouds, shaded_texts

_SCRIPTS = (
    "theme.js",
    "sort.js",
    "choose.js",
    "agree.js",
    "changes.js",
    "attention.js",
    "drawing.js",
    "map.js",
)


@dataclass(frozen=True)
class Front:
    """What the front page says of one corpus.

    interval, figure: the best run's headline figure on test: of the first seed, and over seeds.
    columns, lines: the few figures that stand on the front page, of the best run and the baselines.
    """

    results: CorpusResults
    best: str | None
    interval: Interval | None
    figure: Over | None
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    contests: tuple[Contest, ...]
    written: str


def corpus_page(results: CorpusResults, params: Params) -> tuple[str, Front]:
    """A corpus's page, and what the front page says of it."""
    labels, best = results.corpus.labels, best_run(results)
    front = _front(results, best)
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
        headline=results.headline,
        yaml=corpus_yaml(results, params),
        **_sections(results, best),
    )
    return page, front


def _front(results: CorpusResults, best: RunResults | None) -> Front:
    columns, lines = brief_table(results, best)
    headline = results.headline
    return Front(
        results=results,
        best=best.name if best else None,
        interval=headline_interval(best.predictions, headline) if best else None,
        figure=over_seeds([headline.read(seed.metrics) for seed in best.evaluation.seeds]) if best else None,
        columns=columns,
        lines=lines,
        contests=contests(results, best),
        written=_written(results),
    )


def _sections(results: CorpusResults, best: RunResults | None) -> dict[str, Any]:
    """What the templates of the sections read, by the names they use."""
    labels, learning = results.corpus.labels, learning_curves(results)
    return {
        "summary": results.summary,
        "columns": metric_columns(results),
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
        "changes": changes(results),
        "change_names": change_names(results),
        "change": opening_change(results, best, learning),
        "learning": learning,
        "learning_plot": learning_plot(results, learning),
        "reliabilities": reliabilities(results),
        "without_probabilities": without_probabilities(results),
        "case": group_case(results),
        "commands": commands(results),
        "digests": digests(results),
        "times": times(results),
        "versions": versions(results),
    }


def front_page(fronts: Sequence[Front], params: Params) -> str:
    """The page that lists the corpora."""
    return render(
        "index.html",
        ("theme.js", "sort.js"),
        fronts=fronts,
        corpora=tuple(params.corpora),
        encoders=encoder_groups([front.results for front in fronts]),
    )


def _written(results: CorpusResults) -> str:
    files = [run.folder.evaluation / "evaluation.json" for run in results.runs]
    return written_at([layout.extraction_file(results.name), *files])
