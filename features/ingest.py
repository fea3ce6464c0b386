"""From a declared source to a corpus: every row is either used or written down with the reason it is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from features.cleaning import clean_text
from features.corpus import Corpus
from features.encoded import Text
from features.errors import InputError
from features.labels import MISSING, LabelMap
from features.splits import SPLITS, LeakAudit, assign_splits, audit_leaks, hold_out, sample_rows
from features.tables import RawRow, Table, TableFormat

_EXCERPT = 200  # characters of a rejected row that are kept for people to recognise it


@dataclass(frozen=True)
class Columns:
    """Which column plays which role; names from the header, or "0", "1", ... where there is none.

    split_names: spelling in the split column to `train`, `validation` or `test`.
    reject_unknown: labels that are not declared reject their row instead of stopping the run.
    """

    text: str
    label: str
    pair: str | None = None
    group: str | None = None
    split: str | None = None
    split_names: Mapping[str, str] = field(default_factory=lambda: {name: name for name in SPLITS})
    reject_unknown: bool = False
    form: TableFormat = field(default_factory=TableFormat)


@dataclass(frozen=True)
class SplitPlan:
    """Sizes are shares (floats below 1) or numbers of texts; with `by_group`, of groups.

    seed: chooses which texts go where.
    by_group: whole groups are held out, to measure on movies never seen; rows without one stand alone.
    rows: keep a seeded sample of that many rows.
    """

    test: float | int = 0.2
    validation: float | int = 0.1
    seed: int = 13
    by_group: bool = False
    rows: int | None = None


class Reject(NamedTuple):
    """A row that is not used: file, record number, first line, reason, and the start of its fields."""

    file: str
    number: int
    line: int
    reason: str
    excerpt: str


class _Row(NamedTuple):
    text: Text
    label: int
    group: str | None
    split: int | None
    number: int


@dataclass(frozen=True)
class Ingested:
    """What came of a source: the corpus, the rejected rows, and the audit of its split."""

    corpus: Corpus
    rejects: tuple[Reject, ...]
    audit: LeakAudit
    read: int


def ingest(
    name: str,
    files: Mapping[str | None, Path],
    columns: Columns,
    label_map: LabelMap,
    plan: SplitPlan,
    language: str,
) -> Ingested:
    """Read, clean, split and audit.

    Args:
        name: the corpus, as in `params.yaml`.
        files: one file under None, or a file a split under `train`, `validation`, `test`.
        columns: which column plays which role.
        label_map: how the label column becomes label values.
        plan: sizes and seed of the split.
        language: `en` or `zh`.

    Raises:
        InputError: a missing file or column, an unknown label (unless rejected), or no usable row.
    """
    rows: list[_Row] = []
    rejects: list[Reject] = []
    unknown: Counter[str] = Counter()
    for split, path in files.items():
        for item in _read(path, columns, label_map, split, unknown):
            if isinstance(item, Reject):
                rejects.append(item)
            else:
                rows.append(item)
    if unknown and not columns.reject_unknown:
        shown = ", ".join(f"{spelling!r} ({count} rows)" for spelling, count in unknown.most_common(5))
        raise InputError(
            f"{len(unknown)} unknown labels in column {columns.label!r} of {_names(files)}: {shown}; "
            f"expected {', '.join(sorted(label_map.codes))}; declare them under `labels:` "
            f"or set `columns.unknown: reject`"
        )
    if not rows:
        reasons = Counter(reject.reason for reject in rejects).most_common(3)
        raise InputError(
            f"{_names(files)} has no usable row ({len(rejects)} rejected: "
            f"{'; '.join(f'{reason}, {count}' for reason, count in reasons) or 'it holds a header only'}); "
            f"check `columns:` and `labels:` of corpus {name!r}"
        )
    read = len(rows) + len(rejects)
    if plan.rows is not None:
        rows = [rows[i] for i in sample_rows([_key(row) for row in rows], plan.rows, plan.seed)]
    corpus, audit = _assemble(name, rows, label_map, plan, language)
    return Ingested(corpus, tuple(rejects), audit, read)


def _read(
    path: Path, columns: Columns, label_map: LabelMap, split: str | None, unknown: Counter[str]
) -> Iterator[_Row | Reject]:
    table = Table(path, columns.form)
    places = {
        role: table.position(column, role)
        for role in ("text", "label", "pair", "group", "split")
        if (column := getattr(columns, role)) is not None
    }
    for raw in table.rows():
        parsed = _parse(raw, table, places, columns, label_map, split)
        if isinstance(parsed, _Row):
            yield parsed
            continue
        if parsed.startswith("unknown label"):
            unknown[raw.fields[places["label"]].strip()[:40]] += 1
        excerpt = table.separator.join(raw.fields)[:_EXCERPT]
        yield Reject(path.name, raw.number, raw.line, parsed, excerpt)


def _parse(
    raw: RawRow,
    table: Table,
    places: Mapping[str, int],
    columns: Columns,
    label_map: LabelMap,
    split: str | None,
) -> _Row | str:
    """The row, or the reason it is rejected."""
    if len(raw.fields) != len(table.columns):
        return f"{len(raw.fields)} fields, expected {len(table.columns)}"
    fields = {role: raw.fields[place] for role, place in places.items()}
    if fields["label"].strip() == columns.label and columns.form.header:
        return "the header again"
    text = clean_text(fields["text"])
    if not text:
        return "empty text"
    label = label_map.read(fields["label"])
    if label is None:
        return _label_reason(fields["label"].strip())
    code = SPLITS.index(split) if split is not None else None
    if "split" in fields:
        named = columns.split_names.get(fields["split"].strip())
        if named is None:
            return f"unknown split {fields['split'].strip()[:40]!r}"
        code = SPLITS.index(named)
    pair = clean_text(fields["pair"]) if "pair" in fields else None
    group = clean_text(fields.get("group", "")) or None
    return _Row(Text(text, pair), label, group, code, raw.number)


def _label_reason(spelling: str) -> str:
    return "no label" if spelling.lower() in MISSING else f"unknown label {spelling[:40]!r}"


def _assemble(
    name: str, rows: list[_Row], label_map: LabelMap, plan: SplitPlan, language: str
) -> tuple[Corpus, LeakAudit]:
    keys = [_key(row) for row in rows]
    labels = [row.label for row in rows]
    codes, audit = _split(rows, keys, labels, plan)
    texts: dict[Text, int] = {}
    groups: dict[str, int] = {}
    text = [texts.setdefault(row.text, len(texts)) for row in rows]
    group = [-1 if row.group is None else groups.setdefault(row.group, len(groups)) for row in rows]
    corpus = Corpus(
        name=name,
        language=language,
        labels=label_map.labels,
        texts=tuple(texts),
        text=np.array(text, dtype=np.int64),
        label=np.array(labels, dtype=np.int64),
        split=codes,
        number=np.array([row.number for row in rows], dtype=np.int64),
        groups=tuple(groups),
        group=np.array(group, dtype=np.int32),
    )
    return corpus, audit


def _split(
    rows: list[_Row], keys: list[str], labels: list[int], plan: SplitPlan
) -> tuple[np.ndarray[tuple[int], np.dtype[np.int8]], LeakAudit]:
    if rows[0].split is None:
        units = [row.group or key for row, key in zip(rows, keys, strict=True)] if plan.by_group else keys
        codes = assign_splits(units, labels, test=plan.test, validation=plan.validation, seed=plan.seed)
        return audit_leaks(keys, codes)
    given = np.array([row.split for row in rows], dtype=np.int8)
    codes, audit = audit_leaks(keys, given)
    if SPLITS.index("validation") not in codes:
        codes = hold_out(keys, labels, codes, validation=plan.validation, seed=plan.seed)
    return codes, audit


def _key(row: _Row) -> str:
    text, pair = row.text
    return text if pair is None else f"{text}\x00{pair}"


def _names(files: Mapping[str | None, Path]) -> str:
    return ", ".join(str(path) for path in files.values())
