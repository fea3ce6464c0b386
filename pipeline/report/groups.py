"""One movie, one source at a time: figures by group, the constant baseline beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.evaluation.predictions import Predictions
from pipeline.report.rendering import number, percent
from pipeline.report.results import CorpusResults

_Figure = Callable[[Predictions, npt.NDArray[np.bool_]], float]


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
    figures: list[tuple[str, str, _Figure, Callable[[float], str], bool]] = [
        ("accuracy", "share predicted exactly", _accuracy, percent, True)
    ]
    if results.ordered:
        figures += [
            ("±1", "share of whole ratings that miss by at most one", _adjacent, percent, True),
            ("MAE", "mean absolute error of the value, in ratings", _error, number, False),
        ]
    return tuple(
        GroupTable(title, about, tuple(name for name, _ in sides), _lines(results, sides, figure), write, up)
        for title, about, figure, write, up in figures
    )


def _lines(
    results: CorpusResults, sides: list[tuple[str, Predictions]], figure: _Figure
) -> tuple[GroupLine, ...]:
    corpus = results.corpus
    rows = sides[0][1].rows
    groups = corpus.group[rows]
    found = []
    for code in np.unique(groups[groups >= 0]):
        here = groups == code
        mean = float(corpus.label[rows[here]].mean()) if results.ordered else float("nan")
        figures = tuple(figure(predictions, here) for _, predictions in sides)
        found.append(GroupLine(corpus.groups[code], int(here.sum()), mean, figures))
    return tuple(sorted(found, key=lambda line: (-line.n, line.name)))


def _accuracy(predictions: Predictions, here: npt.NDArray[np.bool_]) -> float:
    return float((predictions.actual == predictions.predicted)[here].mean())


def _adjacent(predictions: Predictions, here: npt.NDArray[np.bool_]) -> float:
    return float((np.abs(predictions.actual - predictions.predicted) <= 1)[here].mean())


def _error(predictions: Predictions, here: npt.NDArray[np.bool_]) -> float:
    return float(np.abs(predictions.value - predictions.actual)[here].mean())
