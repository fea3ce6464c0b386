"""The case of one group (a movie): its own figures, confusion, ratings, words and place on the map."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.corpus import Corpus
from features.errors import InputError
from pipeline.measuring.headlines import headline_interval
from pipeline.measuring.intervals import Interval
from pipeline.measuring.metrics import measure
from pipeline.measuring.predictions import Predictions, constant_predictions
from pipeline.report.case.map import CaseMap, case_map
from pipeline.report.case.words import CaseWords, case_words
from pipeline.report.gather import CorpusResults
from pipeline.report.panels import Panel, Side, panels_of
from pipeline.report.table import Cell, Column, kind_of, metric_columns, run_cell

_SHOWN = ("accuracy", "±1", "±1 raw", "MAE", "QWK", "macro F1", "MCC")


@dataclass(frozen=True)
class CaseLine:
    """One run or baseline on the group's test rows; the interval is of the headline figure, first seed."""

    name: str
    kind: str
    about: str
    cells: tuple[Cell, ...]
    interval: Interval


@dataclass(frozen=True)
class Case:
    """All that is said of one group.

    rows: its rows by split. mean: its mean rating in test and that of all test rows; NaN for classes.
    """

    name: str
    rows: dict[str, int]
    mean: float
    mean_of_all: float
    columns: tuple[Column, ...]
    lines: tuple[CaseLine, ...]
    panels: tuple[Panel, ...]
    words: CaseWords
    map: CaseMap


def group_case(results: CorpusResults) -> Case | None:
    """The case that `case:` names; None where it names none.

    Raises:
        InputError: the corpus has no such group, or the group has no test row.
    """
    name, corpus = results.params.case, results.corpus
    if name is None:
        return None
    code = _code(name, corpus)
    rows = {
        split: int((corpus.group[corpus.rows(split)] == code).sum())
        for split in ("train", "validation", "test")
    }
    if not rows["test"]:
        raise InputError(
            f"corpora.{corpus.name}.case is {name!r}, which has no row in the test split; name another group"
        )
    test = corpus.rows("test")
    here = test[corpus.group[test] == code]
    sides = [Side(run.name, kind_of(run.params.task), run.evaluation.decoding, part(run.predictions, here))
             for run in results.runs]  # fmt: skip
    columns = tuple(column for column in metric_columns(results) if column.title in _SHOWN)
    return Case(
        name=name,
        rows=rows,
        mean=float(corpus.label[here].mean()) if results.ordered else float("nan"),
        mean_of_all=float(corpus.label[test].mean()) if results.ordered else float("nan"),
        columns=columns,
        lines=(*_run_lines(results, here, columns), *_baseline_lines(results, here, code, columns)),
        panels=panels_of(sides, corpus.labels),
        words=case_words(results, code),
        map=case_map(results, code),
    )


def part(predictions: Predictions, rows: npt.NDArray[np.int64]) -> Predictions:
    """The predictions of some of the rows, in the order of the predictions."""
    return predictions.take(np.flatnonzero(np.isin(predictions.rows, rows)))


def _code(name: str, corpus: Corpus) -> int:
    if name in corpus.groups:
        return corpus.groups.index(name)
    near = difflib.get_close_matches(name, corpus.groups, 3, 0.4) or list(corpus.groups[:5])
    raise InputError(
        f"corpora.{corpus.name}.case is {name!r}, which is none of its {len(corpus.groups)} groups; "
        f"there are {', '.join(near)}{', ...' if len(near) < len(corpus.groups) else ''}"
    )


def _run_lines(
    results: CorpusResults, here: npt.NDArray[np.int64], columns: tuple[Column, ...]
) -> list[CaseLine]:
    lines = []
    for run in results.runs:
        seeds = [part(predictions, here) for predictions in run.by_seed]
        metrics = [measure(item, ordered=results.ordered) for item in seeds]
        lines.append(
            CaseLine(
                run.name,
                kind_of(run.params.task),
                f"mean of {len(seeds)} seeds" if len(seeds) > 1 else run.params.head,
                tuple(run_cell(column, metrics) for column in columns),
                headline_interval(seeds[0], results.headline),
            )
        )
    return lines


def _baseline_lines(
    results: CorpusResults, here: npt.NDArray[np.int64], code: int, columns: tuple[Column, ...]
) -> list[CaseLine]:
    """The corpus's baselines on these rows and the constant that knows the group, equal constants once."""
    sides = [
        (item.baseline.name, item.baseline.description, part(item.predictions, here))
        for item in results.baselines
    ]
    corpus, labels = results.corpus, results.corpus.labels
    train = corpus.rows("train")
    own = corpus.label[train[corpus.group[train] == code]]
    if len(own):
        most = int(np.bincount(own - labels.low, minlength=labels.size).argmax()) + labels.low
        about = f"always {labels.name(most)} (most frequent in this group's training rows)"
        constant = constant_predictions(here, corpus.label[here], most, labels.low, labels.size)
        sides.append(("group majority", about, constant))
    different: dict[bytes, tuple[str, str, Predictions]] = {}
    for side in sides:
        different.setdefault(side[2].value.tobytes(), side)
    return [
        CaseLine(
            name,
            "baseline",
            about,
            tuple(run_cell(column, [measure(item, ordered=results.ordered)]) for column in columns),
            headline_interval(item, results.headline),
        )
        for name, about, item in different.values()
    ]
