"""Reading and splitting a table the plain way: Python objects, dictionaries and loops, nothing clever.

What `features.corpus.ingest` does in columns of numbers and files has to give the same.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from features.corpus.ingest import Columns, SplitPlan
from features.corpus.labels import MISSING, LabelMap

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class PlainRow:
    text: str
    pair: str | None
    label: int
    group: str | None
    split: str | None
    number: int

    @property
    def key(self) -> str:
        return self.text if self.pair is None else f"{self.text}\x00{self.pair}"


@dataclass
class PlainCorpus:
    """Rows with their splits; rejects as (number, line, reason); rows left out by setting."""

    rows: list[tuple[PlainRow, str]] = field(default_factory=list)
    rejects: list[tuple[int, int, str]] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    leaked: int = 0
    moved: int = 0


def plain_ingest(path: Path, columns: Columns, label_map: LabelMap, plan: SplitPlan) -> PlainCorpus:
    """A quoted CSV with a header as a corpus."""
    corpus = PlainCorpus()
    rows = list(_rows(path, columns, label_map, corpus))
    if plan.rows is not None and plan.rows < len(rows):
        order = sorted(range(len(rows)), key=lambda i: (number_of(plan.seed, "sample", rows[i].key), i))
        corpus.left_out["split.rows"] = len(rows) - plan.rows
        rows = [rows[i] for i in sorted(order[: plan.rows])]
    given = rows[0].split is not None
    if given:
        wanted = [row.split or "" for row in rows]
    else:
        units = [row.group or row.key if plan.by_group else row.key for row in rows]
        wanted = _assign(units, [row.label for row in rows], plan)
    splits = _without_leaks(rows, wanted, corpus)
    if plan.repeats == "drop":
        corpus.left_out["split.repeats"], corpus.moved = corpus.moved, 0
        kept = [i for i in range(len(rows)) if splits[i] == wanted[i]]
        rows, splits = [rows[i] for i in kept], [splits[i] for i in kept]
    if given and "validation" not in splits:
        train = [i for i, split in enumerate(splits) if split == "train"]
        inner = SplitPlan(test=0, validation=plan.validation, seed=plan.seed)
        taken = _assign([rows[i].key for i in train], [rows[i].label for i in train], inner)
        for i, split in zip(train, taken, strict=True):
            splits[i] = split
    corpus.rows = list(zip(rows, splits, strict=True))
    return corpus


def number_of(seed: int, salt: str, text: str) -> float:
    digest = hashlib.blake2b(f"{seed}\x00{salt}\x00{text}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def plain_clean(raw: str) -> str:
    """Every pattern on every text."""
    text = re.sub(r"<br\s*/?>", " ", raw, flags=re.IGNORECASE)
    invisible = "[\u0000-\u0008\u000e-\u001f\u007f\u200b\u2060\ufeff\ufffe\ufff9-\ufffb\ud800-\udfff]"
    return re.sub(r"\s+", " ", re.sub(invisible, "", text)).strip()


def _rows(path: Path, columns: Columns, label_map: LabelMap, corpus: PlainCorpus) -> Iterator[PlainRow]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        header = next(reader)
        number, line, seen = 0, reader.line_num, set[str]()
        for fields in reader:
            first, line = line + 1, reader.line_num
            if not fields:
                continue
            number += 1
            row = dict(zip(header, fields, strict=False))
            if len(fields) != len(header):
                corpus.rejects.append((number, first, f"{len(fields)} fields, expected {len(header)}"))
            elif row[columns.label].strip() == columns.label:
                corpus.rejects.append((number, first, "the header again"))
            elif setting := _unwanted(row, columns, seen):
                corpus.left_out[setting] += 1
            elif reason := _wrong(row, columns, label_map):
                corpus.rejects.append((number, first, reason))
            else:
                yield _row(row, columns, label_map, number)


def _row(row: dict[str, str], columns: Columns, label_map: LabelMap, number: int) -> PlainRow:
    return PlainRow(
        text=plain_clean(row[columns.text]),
        pair=plain_clean(row[columns.pair]) if columns.pair else None,
        label=label_map.codes[row[columns.label].strip()],
        group=(plain_clean(row[columns.group]) or None) if columns.group else None,
        split=columns.split_names[row[columns.split].strip()] if columns.split else None,
        number=number,
    )


def _unwanted(row: dict[str, str], columns: Columns, seen: set[str]) -> str | None:
    if any(plain_clean(row[column]) not in values for column, values in columns.only.items()):
        return "columns.only"
    if columns.first_of and (value := plain_clean(row[columns.first_of])):
        if value in seen:
            return "columns.first_of"
        seen.add(value)
    return None


def _wrong(row: dict[str, str], columns: Columns, label_map: LabelMap) -> str | None:
    label = row[columns.label].strip()
    if not plain_clean(row[columns.text]):
        return "empty text"
    if label not in label_map.codes:
        return "no label" if label.lower() in MISSING else f"unknown label {label[:40]!r}"
    if columns.split and (split := row[columns.split].strip()) not in columns.split_names:
        return f"unknown split {split[:40]!r}"
    return None


def _assign(units: Sequence[str], labels: Sequence[int], plan: SplitPlan) -> list[str]:
    votes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for unit, label in zip(units, labels, strict=True):
        votes[unit][str(label)] += 1
    strata: defaultdict[str, list[str]] = defaultdict(list)
    for unit, counter in votes.items():
        strata[min(counter, key=lambda name: (-counter[name], name))].append(unit)
    sizes = {label: len(members) for label, members in strata.items()}
    tests = _quotas(sizes, plan.test, sizes)
    quotas = (tests, _quotas(sizes, plan.validation, {label: sizes[label] - tests[label] for label in sizes}))
    split_of = {}
    for label, members in strata.items():
        test, validation = (quota[label] for quota in quotas)
        ranked = sorted(members, key=lambda unit: (number_of(plan.seed, "split", unit), unit))
        for rank, unit in enumerate(ranked):
            split_of[unit] = SPLITS[2 if rank < test else 1 if rank < test + validation else 0]
    return [split_of[unit] for unit in units]


def _quotas(sizes: dict[str, int], size: float | int, room: dict[str, int]) -> dict[str, int]:
    total = sum(sizes.values())
    count = round(size * total) if isinstance(size, float) else size
    exact = {label: count * members / total for label, members in sizes.items()}
    quota = {label: int(share) for label, share in exact.items()}
    while sum(quota.values()) < count:
        free = [label for label in quota if quota[label] < room[label]]
        quota[min(free, key=lambda label: (quota[label] - exact[label], label))] += 1
    return quota


def _without_leaks(rows: Sequence[PlainRow], wanted: Sequence[str], corpus: PlainCorpus) -> list[str]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for row, split in zip(rows, wanted, strict=True):
        found[row.key].add(split)
    corpus.leaked = sum(len(splits) > 1 for splits in found.values())
    splits = [max(found[row.key], key=SPLITS.index) for row in rows]
    corpus.moved = sum(a != b for a, b in zip(splits, wanted, strict=True))
    return splits
