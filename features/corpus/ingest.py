"""From a declared source to a corpus: every row is either used or written down with the reason it is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from features.corpus.collecting import Collector, Reject, Rejects, Rows, Spool
from features.corpus.corpus import Corpus
from features.corpus.labels import LabelMap
from features.corpus.rows import ONLY, Columns, Row, RowParser, nothing_wanted
from features.corpus.splits import (
    SPLITS,
    TRAIN,
    LeakAudit,
    assign_splits,
    audit_leaks,
    hold_out,
    sample_rows,
)
from features.corpus.tables import Block, Table
from features.errors import InputError

Files = Mapping[str | None, Path]
Progress = Callable[[int], None]

_EXCERPT = 200  # characters of a rejected row that are kept for people to recognise it


@dataclass(frozen=True, eq=False)
class Reading:
    """What a source holds.

    rows: those that can be used. rejects: those that cannot. left_out: number of those that were not wanted,
    by the setting that says so.
    """

    rows: Rows
    rejects: Rejects
    left_out: Mapping[str, int]


@dataclass
class _Seen:
    left_out: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    values: dict[str, Counter[str]] = field(default_factory=dict)
    wanted: int = 0


def read_source(
    name: str,
    files: Files,
    columns: Columns,
    label_map: LabelMap,
    folder: Path | None,
    progress: Progress,
) -> Reading:
    """Read all files; see `features.corpus.ingest.ingest`.

    Raises:
        InputError: a missing file or column, an unknown label (unless rejected), or no usable row.
    """
    seen = _Seen()
    parsers = _parsers(files, columns, label_map, seen)
    with Collector(columns.pair is not None, folder) as collector, Spool(folder) as rejects:
        done = 0
        for table, parser in parsers:
            for block in table.blocks():
                numbers, rows, bad = _sorted(block, table, parser, seen)
                collector.add(numbers, rows)
                rejects.add(bad)
                progress(done + block.read)
            done += table.path.stat().st_size
            seen.wanted += parser.wanted.passed
            for column, counts in parser.wanted.values.items():
                seen.values.setdefault(column, Counter()).update(counts)
        _check(name, files, columns, label_map, seen, len(collector))
        return Reading(collector.rows(), Rejects(rejects.strings()), dict(seen.left_out))


def _parsers(
    files: Files, columns: Columns, label_map: LabelMap, seen: _Seen
) -> list[tuple[Table, RowParser]]:
    """All files are opened before the first is read through."""
    tables = [(split, Table(path, columns.form)) for split, path in files.items()]
    return [(table, RowParser(table, columns, label_map, split, seen.unknown)) for split, table in tables]


def _sorted(
    block: Block, table: Table, parser: RowParser, seen: _Seen
) -> tuple[Sequence[int], Sequence[Row], Sequence[bytes]]:
    numbers: list[int] = []
    rows: list[Row] = []
    rejects: list[bytes] = []
    filtered = parser.wanted.any
    for number, (line, fields) in enumerate(block.records, start=block.number):
        if filtered and (refusal := parser.refusal(fields)):
            seen.left_out[refusal] += 1
            continue
        parsed = parser.parse(fields)
        if isinstance(parsed, Row):
            numbers.append(number)
            rows.append(parsed)
            continue
        seen.reasons[parsed] += 1
        excerpt = table.separator.join(fields)[:_EXCERPT]
        rejects.append(Reject(table.path.name, number, line, parsed, excerpt).encoded())
    return numbers, rows, rejects


def _check(name: str, files: Files, columns: Columns, label_map: LabelMap, seen: _Seen, usable: int) -> None:
    where = ", ".join(map(str, files.values()))
    if seen.unknown and not columns.reject_unknown:
        shown = ", ".join(f"{spelling!r} ({count} rows)" for spelling, count in seen.unknown.most_common(5))
        raise InputError(
            f"{len(seen.unknown)} unknown labels in column {columns.label!r} of {where}: {shown}; "
            f"expected {', '.join(sorted(label_map.codes))}; declare them under `labels:` "
            f"or set `columns.unknown: reject`"
        )
    if usable:
        return
    if seen.left_out[ONLY] and not seen.wanted:
        raise nothing_wanted(where, columns.only, seen.values)
    reasons = "; ".join(f"{reason}, {count}" for reason, count in seen.reasons.most_common(3))
    raise InputError(
        f"{where} has no usable row ({seen.reasons.total()} rejected: "
        f"{reasons or 'it holds a header only'}); check `columns:` and `labels:` of corpus {name!r}"
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
