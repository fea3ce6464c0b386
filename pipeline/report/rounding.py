"""What each way of turning a value into a rating does to the figures."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.measuring.metrics import Metrics
from pipeline.report.gather import CorpusResults
from pipeline.report.table import kind_of, mean_metrics


@dataclass(frozen=True)
class Decoding:
    """A run decoded one way; `shown` marks the one that all other figures and pictures are of."""

    run: str
    kind: str
    how: str
    shown: bool
    metrics: Metrics


def decodings(results: CorpusResults) -> tuple[Decoding, ...]:
    """All decodings of all runs on ratings, the shown one of each run first."""
    if not results.ordered:
        return ()
    found = []
    for run in results.runs:
        evaluation, kind = run.evaluation, kind_of(run.params.task)
        shown = mean_metrics([seed.metrics for seed in evaluation.seeds])
        found.append(Decoding(run.name, kind, evaluation.decoding, True, shown))
        for how in evaluation.seeds[0].decodings:
            mean = mean_metrics([seed.decodings[how] for seed in evaluation.seeds])
            found.append(Decoding(run.name, kind, how, False, mean))
    return tuple(found)
