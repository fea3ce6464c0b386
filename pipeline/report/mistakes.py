"""Test texts worth reading: the most confident mistakes, and what two predictions disagree on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.predictions import Predictions
from pipeline.report.contests import rivals
from pipeline.report.gather import CorpusResults, RunResults
from pipeline.report.rendering import excerpt

_SHOWN = 8
_LENGTH = 420


@dataclass(frozen=True)
class Example:
    """One test text: its labels in words, and the other side's prediction where two are compared."""

    row: int
    text: str
    group: str
    true: str
    predicted: str
    other: str
    confidence: float
    value: float


@dataclass(frozen=True)
class Mistakes:
    """The wrong rows of a run: how many of n, and the most telling."""

    run: str
    wrong: int
    n: int
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class Part:
    """Rows that two predictions treat in one way."""

    title: str
    about: str
    count: int
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class Change:
    """What changes from another's predictions to the best run's."""

    other: str
    parts: tuple[Part, ...]


def mistakes(results: CorpusResults) -> tuple[Mistakes, ...]:
    """Each run's mistakes: on ratings those that miss most, on classes those it was surest of."""
    found = []
    for run in results.runs:
        predictions = run.predictions
        wrong = np.flatnonzero(predictions.predicted != predictions.actual)
        chosen = _most_telling(results, predictions, wrong)
        examples = tuple(_example(results, predictions, i) for i in chosen)
        found.append(Mistakes(run.name, len(wrong), len(predictions), examples))
    return tuple(found)


def changes(results: CorpusResults, best: RunResults | None) -> tuple[Change, ...]:
    """From each other run, and from the baseline that reads the text, to the best run."""
    if best is None:
        return ()
    names = {run.name for run in results.runs} | {"tfidf"}
    return tuple(
        _change(results, best.predictions, other, name)
        for name, _, other in rivals(results, best)
        if name in names
    )


def _change(results: CorpusResults, best: Predictions, other: Predictions, name: str) -> Change:
    right, was_right = best.predicted == best.actual, other.predicted == other.actual
    parts = (
        ("fixed", "wrong there, right here", right & ~was_right),
        ("broken", "right there, wrong here", ~right & was_right),
        ("both wrong", "neither is right", ~right & ~was_right),
    )
    return Change(
        name,
        tuple(
            Part(
                title,
                about,
                int(chosen.sum()),
                tuple(
                    _example(results, best, i, other)
                    for i in _most_telling(results, best, np.flatnonzero(chosen))
                ),
            )
            for title, about, chosen in parts
        ),
    )


def _most_telling(
    results: CorpusResults, predictions: Predictions, chosen: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    confidence = predictions.confidence()[chosen]
    miss = np.abs(predictions.value - predictions.actual)[chosen]
    order = np.lexsort((chosen, -confidence, -miss) if results.ordered else (chosen, -confidence))
    return chosen[order[:_SHOWN]]


def _example(
    results: CorpusResults, predictions: Predictions, i: int, other: Predictions | None = None
) -> Example:
    corpus, row = results.corpus, int(predictions.rows[i])
    group = int(corpus.group[row]) if corpus.groups else -1
    return Example(
        row=row,
        text=excerpt(corpus.row_texts([row])[0], _LENGTH),
        group=corpus.groups[group] if group >= 0 else "",
        true=corpus.labels.name(int(predictions.actual[i])),
        predicted=corpus.labels.name(int(predictions.predicted[i])),
        other=corpus.labels.name(int(other.predicted[i])) if other is not None else "",
        confidence=float(predictions.confidence()[i]),
        value=float(predictions.value[i]),
    )
