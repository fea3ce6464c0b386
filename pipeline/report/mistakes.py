"""Test texts worth reading: the most confident mistakes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.corpus import Corpus
from pipeline.measuring.predictions import Predictions
from pipeline.report.gather import CorpusResults
from pipeline.report.rendering import excerpt

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
