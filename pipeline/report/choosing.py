"""Which run stands for a corpus, chosen without a look at the test split."""

from __future__ import annotations

import math

from pipeline.report.gather import CorpusResults, RunResults
from pipeline.report.seeds import over_seeds


def best_run(results: CorpusResults) -> RunResults | None:
    """The run with the highest headline figure on validation, mean over seeds; the first of equals.

    Losses of different tasks cannot be compared, the headline figure can; and a choice on test figures would
    make the winner's figure too good.
    """
    return max(results.runs, key=lambda run: _on_validation(run, results), default=None)


def _on_validation(run: RunResults, results: CorpusResults) -> float:
    figures = [results.headline.read(seed.validation) for seed in run.evaluation.seeds]
    mean = over_seeds(figures).mean
    return -math.inf if math.isnan(mean) else mean
