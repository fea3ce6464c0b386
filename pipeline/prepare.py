"""Stage: a declared source becomes a corpus with splits; rejected rows are written with their reasons."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from features.ingest import Ingested, ingest
from features.splits import SPLITS
from pipeline import layout
from pipeline.params import load_params
from pipeline.schema import columns, label_map, source_files, split_plan
from pipeline.stage import log, run_stage
from pipeline.writing import write_csv, write_json


@dataclass(frozen=True)
class Summary:
    """What `summary.json` tells of a prepared corpus.

    rows, unique_texts: what is used. read, rejected: rows of the file, and those not used by reason.
    splits: rows a split. labels: rows a label name, for each split. groups: number of groups.
    leaked_texts, moved_rows: texts that stood in more than one given split, and rows moved to mend it.
    conflicting_texts: texts that occur with more than one label.
    """

    rows: int
    unique_texts: int
    read: int
    rejected: dict[str, int]
    splits: dict[str, int]
    labels: dict[str, dict[str, int]]
    groups: int
    leaked_texts: int
    moved_rows: int
    conflicting_texts: int


def main(name: str) -> None:
    """Prepare one corpus of `params.yaml` into `layout.corpus_folder(name)`."""
    params = load_params().corpus(name)
    result = ingest(
        name, source_files(params), columns(params), label_map(params), split_plan(params), params.language
    )
    folder = layout.corpus_folder(name)
    result.corpus.save(folder / "corpus.h5")
    write_csv(folder / "rejects.csv", ("file", "row", "line", "reason", "content"), result.rejects)
    summary = summarise(result)
    write_json(folder / "summary.json", summary)
    log.info(
        "%s: %d of %d rows used (%s), %d rejected%s",
        name,
        summary.rows,
        summary.read,
        ", ".join(f"{split} {count}" for split, count in summary.splits.items()),
        len(result.rejects),
        f": see {folder / 'rejects.csv'}" if result.rejects else "",
    )
    if summary.leaked_texts:
        log.info(
            "%s: %d texts stood in more than one split; %d rows moved so that each stands in one",
            name,
            summary.leaked_texts,
            summary.moved_rows,
        )


def summarise(result: Ingested) -> Summary:
    """The figures of a prepared corpus."""
    corpus = result.corpus
    labels = {
        split: {
            corpus.labels.name(value): int((corpus.label[corpus.rows(split)] == value).sum())
            for value in corpus.labels.values
        }
        for split in SPLITS
    }
    pairs = np.unique(np.stack([corpus.text, corpus.label], axis=1), axis=0)
    return Summary(
        rows=len(corpus),
        unique_texts=len(corpus.texts),
        read=result.read,
        rejected=dict(Counter(reject.reason for reject in result.rejects).most_common()),
        splits={split: len(corpus.rows(split)) for split in SPLITS},
        labels=labels,
        groups=len(corpus.groups),
        leaked_texts=result.audit.texts,
        moved_rows=result.audit.moved,
        conflicting_texts=int((np.bincount(pairs[:, 0]) > 1).sum()),
    )


if __name__ == "__main__":
    run_stage(main, "corpus", __doc__)
