"""The files of a source, read through once: rows to be used, rejected rows, and rows that were not wanted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from features.errors import InputError
from features.labels import LabelMap
from features.preparing.collecting import Collector, Rows
from features.preparing.columns import Columns
from features.preparing.rejects import Reject, Rejects
from features.preparing.rows import Row, RowParser
from features.preparing.spool import Spool
from features.preparing.tables import Block, Table
from features.preparing.wanted import ONLY, nothing_wanted

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
    """Read all files; see `features.preparing.ingest.ingest`.

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
