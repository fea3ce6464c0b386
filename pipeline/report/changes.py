"""What changes from one prediction to another: rows that are fixed, broken, and wrong in both, for any two.

The page holds each text once and, for each ordered pair, the numbers of a few telling rows; a script lays
them out. So twenty runs with 380 pairs stay as light as their texts.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, permutations
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from features.corpus.corpus import Corpus
from pipeline.evaluation.predictions import Predictions
from pipeline.report.learning import LearningCurve
from pipeline.report.rendering import excerpt
from pipeline.report.results import CorpusResults, RunResults

Counts = list[list[int]]


def agreements(results: CorpusResults) -> dict[str, Counts]:
    """For each two of the panels' sides, under `a|b`, C x C rows: a's prediction down, b's across."""
    sides = {run.name: run.predictions for run in results.runs}
    sides |= {
        item.baseline.name: item.predictions for item in results.baselines if item.baseline.name == "tfidf"
    }
    size, low = results.corpus.labels.size, results.corpus.labels.low
    found = {}
    for a, b in combinations(sides, 2):
        pair = (sides[a].predicted - low) * size + sides[b].predicted - low
        found[f"{a}|{b}"] = np.bincount(pair, minlength=size * size).reshape(size, size).tolist()
    return found


_SHOWN = 8
LENGTH = 420  # characters shown of a text


@dataclass(frozen=True)
class Example:
    """One test text with its labels in words."""

    row: int
    text: str
    group: str
    true: str
    predicted: str
    confidence: float
    value: float


@dataclass(frozen=True)
class Mistakes:
    """The wrong rows of a run: how many of n, and the most telling."""

    run: str
    wrong: int
    n: int
    examples: tuple[Example, ...]


def mistakes(results: CorpusResults) -> tuple[Mistakes, ...]:
    """Each run's mistakes: on ratings those that miss most, on classes those it was surest of."""
    found = []
    for run in results.runs:
        predictions = run.predictions
        wrong = np.flatnonzero(predictions.predicted != predictions.actual)
        chosen = most_telling(results, predictions, wrong)
        examples = tuple(_example(results, predictions, i) for i in chosen)
        found.append(Mistakes(run.name, len(wrong), len(predictions), examples))
    return tuple(found)


def group_name(corpus: Corpus, row: int) -> str:
    """The row's group; empty where it has none."""
    code = int(corpus.group[row]) if corpus.groups else -1
    return corpus.groups[code] if code >= 0 else ""


def most_telling(
    results: CorpusResults, predictions: Predictions, chosen: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Of the chosen positions, the few that miss most (ratings) or are surest (classes)."""
    confidence = predictions.confidence()[chosen]
    miss = np.abs(predictions.value - predictions.actual)[chosen]
    order = np.lexsort((chosen, -confidence, -miss) if results.ordered else (chosen, -confidence))
    return chosen[order[:_SHOWN]]


def _example(results: CorpusResults, predictions: Predictions, i: int) -> Example:
    corpus, row = results.corpus, int(predictions.rows[i])
    return Example(
        row=row,
        text=excerpt(corpus.row_texts([row])[0], LENGTH),
        group=group_name(corpus, row),
        true=corpus.labels.name(int(predictions.actual[i])),
        predicted=corpus.labels.name(int(predictions.predicted[i])),
        confidence=float(predictions.confidence()[i]),
        value=float(predictions.value[i]),
    )


PARTS = (
    ("Fixed", "wrong there, right here"),
    ("Broken", "right there, wrong here"),
    ("Both wrong", "neither is right"),
)


class Said(TypedDict):
    """What one side says of some rows, by row number: label, confidence in percent, value."""

    label: dict[int, str]
    confidence: dict[int, int]
    value: dict[int, float]


class Changes(TypedDict):
    """What the script reads.

    pairs: under `from|to`, for each of `PARTS` the number of rows and the numbers of those shown.
    texts: by row number, the text, its group and its true label. said: what each side says of those rows.
    """

    ordered: bool
    parts: list[list[str]]
    pairs: dict[str, list[tuple[int, list[int]]]]
    texts: dict[int, tuple[str, str, str]]
    said: dict[str, Said]


def change_names(results: CorpusResults) -> tuple[str, ...]:
    """The sides that can be compared: all runs, and the baseline that reads the text."""
    return tuple(_sides(results))


def changes(results: CorpusResults) -> Changes:
    """The rows of every two sides."""
    sides = _sides(results)
    pairs = {f"{a}|{b}": _pair(results, sides[a], sides[b]) for a, b in permutations(sides, 2)}
    shown: dict[str, set[int]] = {name: set() for name in sides}
    for key, parts in pairs.items():
        rows = {row for _, chosen in parts for row in chosen}
        for name in key.split("|"):
            shown[name] |= rows
    corpus = results.corpus
    first = next(iter(sides.values()))
    place = {int(row): i for i, row in enumerate(first.rows)}
    return {
        "ordered": results.ordered,
        "parts": [list(part) for part in PARTS],
        "pairs": pairs,
        "texts": {
            row: (
                excerpt(corpus.row_texts([row])[0], LENGTH),
                group_name(corpus, row),
                corpus.labels.name(int(first.actual[place[row]])),
            )
            for row in sorted(set().union(*shown.values()))
        },
        "said": {name: _said(results, sides[name], sorted(rows), place) for name, rows in shown.items()},
    }


def opening_change(
    results: CorpusResults, best: RunResults | None, curves: tuple[LearningCurve, ...]
) -> tuple[str, str]:
    """From and to, as shown first: to the best run, from the size below it where it ends a learning curve."""
    names = change_names(results)
    if best is None or len(names) < 2:
        return names[0], names[-1]
    for curve in curves:
        runs = [size.run for size in curve.sizes]
        if best.name in runs[1:]:
            return runs[runs.index(best.name) - 1], best.name
    return next(name for name in names if name != best.name), best.name


def _sides(results: CorpusResults) -> dict[str, Predictions]:
    sides = {run.name: run.predictions for run in results.runs}
    return sides | {
        item.baseline.name: item.predictions for item in results.baselines if item.baseline.name == "tfidf"
    }


def _pair(results: CorpusResults, a: Predictions, b: Predictions) -> list[tuple[int, list[int]]]:
    was, now = a.predicted == a.actual, b.predicted == b.actual
    parts = []
    for chosen in (~was & now, was & ~now, ~was & ~now):
        telling = most_telling(results, b, np.flatnonzero(chosen))
        parts.append((int(chosen.sum()), [int(row) for row in b.rows[telling]]))
    return parts


def _said(results: CorpusResults, side: Predictions, rows: list[int], place: dict[int, int]) -> Said:
    at, labels = [place[row] for row in rows], results.corpus.labels
    confidence = np.rint(side.confidence()[at] * 100).astype(int).tolist()
    return {
        "label": {row: labels.name(int(side.predicted[i])) for row, i in zip(rows, at, strict=True)},
        "confidence": dict(zip(rows, confidence, strict=True)),
        "value": {row: round(float(side.value[i]), 2) for row, i in zip(rows, at, strict=True)},
    }
