"""Where two sides disagree: what one predicts against what the other predicts."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from pipeline.report.gather import CorpusResults

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
