"""Which run stands for a corpus, chosen without a look at the test split."""

from __future__ import annotations

from pipeline.report.gather import CorpusResults, RunResults


def best_run(results: CorpusResults) -> RunResults | None:
    """The run with the highest validation accuracy at its kept epoch, mean over seeds; the first of equals.

    Losses of different tasks cannot be compared, accuracy can; and a choice on test figures would make the
    winner's figure too good.
    """
    return max(results.runs, key=lambda run: run.validation_accuracy, default=None)
