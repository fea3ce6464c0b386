"""One movie, one source at a time: figures by group, the constant baseline beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.metrics import Metrics, measure
from pipeline.evaluation.predictions import Predictions
from pipeline.report.results import CorpusResults
from pipeline.report.tables import metric_columns


@dataclass(frozen=True)
class GroupLine:
    """One group: its test rows, their mean rating (NaN without order), and a figure for each column."""

    name: str
    n: int
    mean: float
    figures: tuple[float, ...]


@dataclass(frozen=True)
class GroupTable:
    """One figure by group; `columns` are the runs and then the baselines."""

    title: str
    about: str
    columns: tuple[str, ...]
    lines: tuple[GroupLine, ...]
    write: Callable[[float], str]
    higher: bool


def group_tables(results: CorpusResults) -> tuple[GroupTable, ...]:
    """A table for each figure, most rows first; none where the corpus has no groups."""
    corpus = results.corpus
    if not corpus.groups or not results.runs:
        return ()
    sides = [(run.name, run.predictions) for run in results.runs]
    sides += [
        (item.baseline.name, item.predictions)
        for item in results.baselines
        if item.baseline.name in ("tfidf", "majority")
    ]
    names, groups = tuple(name for name, _ in sides), _measured(results, [side for _, side in sides])
    return tuple(
        GroupTable(
            title=column.title,
            about=column.about,
            columns=names,
            lines=tuple(
                GroupLine(name, metrics[0].n, mean, tuple(column.read(each) for each in metrics))
                for name, mean, metrics in groups
            ),
            write=column.write,
            higher=column.higher,
        )
        for column in metric_columns(results)
        if column.title in ("accuracy", "±1", "MAE")
    )


def _measured(
    results: CorpusResults, sides: Sequence[Predictions]
) -> list[tuple[str, float, tuple[Metrics, ...]]]:
    """Name, mean rating and each side's figures of every group, most rows first."""
    corpus, rows = results.corpus, sides[0].rows
    groups = corpus.group[rows]
    found = []
    for code in np.unique(groups[groups >= 0]):
        here = np.flatnonzero(groups == code)
        mean = float(corpus.label[rows[here]].mean()) if results.ordered else float("nan")
        metrics = tuple(measure(side.take(here), ordered=results.ordered) for side in sides)
        found.append((corpus.groups[code], mean, metrics))
    return sorted(found, key=lambda group: (-group[2][0].n, group[0]))
