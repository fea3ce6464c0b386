"""From a declared source to a corpus: every row is either used or written down with the reason it is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from features.corpus import Corpus
from features.errors import InputError
from features.labels import LabelMap
from features.preparing.collecting import Rows
from features.preparing.columns import Columns
from features.preparing.reading import Files, Progress, read_source
from features.preparing.rejects import Reject, Rejects
from features.preparing.splits import (
    SPLITS,
    TRAIN,
    LeakAudit,
    assign_splits,
    audit_leaks,
    hold_out,
    sample_rows,
)

__all__ = ["Columns", "Ingested", "Reject", "SplitPlan", "ingest"]

ROWS, REPEATS = "split.rows", "split.repeats"


@dataclass(frozen=True)
class SplitPlan:
    """Sizes are shares (floats below 1) or numbers of texts; with `by_group`, of groups.

    seed: chooses which texts go where.
    by_group: whole groups are held out, to measure on movies never seen; rows without one stand alone.
    rows: keep a seeded sample of that many rows.
    repeats: what becomes of rows whose text also stands in a split that must stay cleaner, test before
        validation before train, where splits are given or groups are held out: `move` puts them there,
        `drop` leaves them out, so that test and validation stay as they were given.
    """

    test: float | int = 0.2
    validation: float | int = 0.1
    seed: int = 13
    by_group: bool = False
    rows: int | None = None
    repeats: Literal["move", "drop"] = "move"


@dataclass(frozen=True, eq=False)
class Ingested:
    """What came of a source: the corpus, the rejected rows, and the audit of its split.

    read: rows of the source. left_out: rows that were not asked for, by the setting that says so. Each row
    read is used, rejected or left out.
    """

    corpus: Corpus
    rejects: Rejects
    audit: LeakAudit
    read: int
    left_out: Mapping[str, int]


def ingest(
    name: str,
    files: Files,
    columns: Columns,
    label_map: LabelMap,
    plan: SplitPlan,
    language: str,
    *,
    folder: Path | None = None,
    progress: Progress = lambda done: None,
) -> Ingested:
    """Read, clean, split and audit; memory grows with the number of rows and of groups, not with the texts.

    Args:
        name: the corpus, as in `params.yaml`.
        files: one file under None, or a file a split under `train`, `validation`, `test`.
        columns: which column plays which role.
        label_map: how the label column becomes label values.
        plan: sizes and seed of the split.
        language: `en` or `zh`.
        folder: where texts lie until the corpus is saved, on a disk with room for them; None is the
            system's folder for temporary files, which may be memory.
        progress: called with the bytes of all files read so far.

    Raises:
        InputError: a missing file or column, an unknown label (unless rejected), or no usable row.
    """
    reading = read_source(name, files, columns, label_map, folder, progress)
    rows = reading.rows
    read = len(rows) + len(reading.rejects) + sum(reading.left_out.values())
    left_out = dict(reading.left_out)
    if plan.rows is not None and plan.rows < len(rows):
        left_out[ROWS] = len(rows) - plan.rows
        rows = rows.take(sample_rows(rows.by_text(), plan.rows, plan.seed))
    rows, codes, audit = _split(rows, plan)
    if audit.dropped:
        left_out[REPEATS] = audit.dropped
    corpus = Corpus(
        name=name,
        language=language,
        labels=label_map.labels,
        texts=rows.texts,
        text=rows.text,
        label=rows.label,
        split=codes,
        number=rows.number,
        groups=tuple(rows.groups),
        group=rows.group,
    )
    return Ingested(corpus, reading.rejects, audit, read, left_out)


def _split(rows: Rows, plan: SplitPlan) -> tuple[Rows, npt.NDArray[np.int8], LeakAudit]:
    given = rows.split
    if chosen := bool(given[0] < 0):
        units = rows.by_group() if plan.by_group else rows.by_text()
        given = assign_splits(units, rows.label, test=plan.test, validation=plan.validation, seed=plan.seed)
    codes, audit = audit_leaks(rows.by_text(), given)
    if plan.repeats == "drop" and audit.moved:
        kept = np.flatnonzero(codes == given)
        rows, codes = rows.take(kept), codes[kept]
        audit = LeakAudit(audit.texts, moved=0, dropped=audit.moved)
        if TRAIN not in codes:
            raise InputError(
                f"all {audit.dropped} training rows repeat a text of another split, so that `split.repeats: "
                f"drop` leaves none; expected some of their own: set `split.repeats: move` or another split"
            )
    if not chosen and SPLITS.index("validation") not in codes:
        codes = hold_out(rows.by_text(), rows.label, codes, validation=plan.validation, seed=plan.seed)
    return rows, codes, audit
