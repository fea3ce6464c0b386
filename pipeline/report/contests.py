"""The best run against every other run and every baseline, row by row."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.evaluation.headlines import headline_difference
from pipeline.evaluation.intervals import Comparison, Interval, Verdict, compare, holm, verdict
from pipeline.evaluation.predictions import Predictions
from pipeline.report.results import CorpusResults, RunResults


@dataclass(frozen=True)
class Contest:
    """The best run against one other.

    p: McNemar's, adjusted by Holm for all contests of the corpus.
    headline: difference in the corpus's headline figure, where that is not accuracy.
    """

    other: str
    about: str
    comparison: Comparison
    p: float
    verdict: Verdict
    headline: Interval | None


def contests(results: CorpusResults, best: RunResults | None) -> tuple[Contest, ...]:
    """One contest for each other run, then for each baseline; none without a run."""
    if best is None:
        return ()
    others = rivals(results, best)
    found = [compare(best.predictions, other, ordered=results.ordered) for _, _, other in others]
    adjusted = holm([item.p for item in found])
    return tuple(
        Contest(name, about, item, p, verdict(item.difference.value, p), _lead(results, best, other))
        for (name, about, other), item, p in zip(others, found, adjusted, strict=True)
    )


def _lead(results: CorpusResults, best: RunResults, other: Predictions) -> Interval | None:
    if results.params.headline == "accuracy":
        return None
    return headline_difference(best.predictions, other, results.headline)


def rivals(results: CorpusResults, best: RunResults) -> list[tuple[str, str, Predictions]]:
    """Name, description and predictions of all others; constants that are the same answer come once."""
    runs = [(run.name, run.params.head, run.predictions) for run in results.runs if run.name != best.name]
    baselines: dict[bytes, tuple[str, str, Predictions]] = {}
    for item in results.baselines:
        constant = item.predictions.predicted[:1].tobytes() if item.baseline.seconds == 0 else b"learns"
        baselines.setdefault(constant, (item.baseline.name, item.baseline.description, item.predictions))
    return [*runs, *baselines.values()]
