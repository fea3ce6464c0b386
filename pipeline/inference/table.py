"""A table in, the same table with predictions out: every row comes back, in its order."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from features.encoded import Text
from features.errors import InputError
from features.preparing.cleaning import clean_text
from features.preparing.tables import RawRow, Table, TableFormat
from pipeline.inference.predictor import Predictor
from pipeline.inference.records import EMPTY, as_fields, column_names, no_fields

_CHUNK = 4096  # rows in memory


@dataclass(frozen=True)
class TableJob:
    """What to predict, and where the answers go.

    source, output: two different files. text, pair: columns. form: how the source is written.
    prefix: put before the names of the added columns.
    """

    source: Path
    output: Path
    text: str
    pair: str | None = None
    form: TableFormat = field(default_factory=TableFormat)
    prefix: str = ""


@dataclass(frozen=True)
class TableSummary:
    """Rows of the table, and how many of them have no prediction, for the reason in their last column."""

    rows: int
    without: int


def predict_table(predictor: Predictor, job: TableJob, *, quiet: bool = False) -> TableSummary:
    """Write the source's columns and the prediction's into `output`, whole or not at all.

    Raises:
        InputError: a file or column is missing, source and output are one file, or a column would be twice
            in the output.
    """
    from tqdm import tqdm

    if job.output.resolve() == job.source.resolve():
        raise InputError(f"the output {job.output} is the table itself; expected another file: rename it")
    table = Table(job.source, job.form)
    places = [table.position(job.text, "text")]
    if job.pair is not None:
        places.append(table.position(job.pair, "pair"))
    with_shares = gives_probabilities(predictor)
    added = column_names(predictor.labels, with_shares, job.prefix)
    if twice := sorted(set(added) & set(table.columns)):
        raise InputError(
            f"{job.source} has a column {twice[0]!r} already; set another prefix with --prefix, e.g. "
            f"--prefix {predictor.run}-"
        )
    # Reading the whole table first costs little beside encoding, and finds a broken file before any work.
    total = sum(1 for _ in table.rows())
    partial = job.output.with_name(job.output.name + ".partial")
    rows = without = 0
    with (
        partial.open("w", encoding="utf-8-sig", newline="") as file,
        tqdm(total=total, desc=predictor.run, unit="row", disable=quiet) as bar,
    ):
        writer = csv.writer(file, delimiter="\t" if job.output.suffix.lower() == ".tsv" else ",")
        writer.writerow([*table.columns, *added])
        for chunk in _chunks(table.rows()):
            for row, fields in _answers(predictor, chunk, table, places, with_shares):
                writer.writerow([*row, *fields])
                rows, without = rows + 1, without + bool(fields[-1])
            bar.update(len(chunk))
    partial.replace(job.output)
    return TableSummary(rows, without)


def gives_probabilities(predictor: Predictor) -> bool:
    """Whether a run's predictions come with probabilities, asked of the run itself."""
    text = Text("?", "?" if predictor.paired else None)
    return predictor.predict([text])[0].probabilities is not None


def _answers(
    predictor: Predictor, chunk: Sequence[RawRow], table: Table, places: Sequence[int], with_shares: bool
) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Each row as wide as the table's header, with the fields to add."""
    width = len(table.columns)
    reasons = [_reason(row, width, places) for row in chunk]
    texts = [
        Text(row.fields[places[0]], row.fields[places[1]] if len(places) > 1 else None)
        for row, reason in zip(chunk, reasons, strict=True)
        if not reason
    ]
    predictions = iter(predictor.predict(texts))
    for row, reason in zip(chunk, reasons, strict=True):
        fields = _fitted(row.fields, width, table.separator)
        if reason:
            yield fields, no_fields(predictor.labels, with_shares, reason)
        else:
            yield fields, as_fields(next(predictions), predictor.labels)


def _reason(row: RawRow, width: int, places: Sequence[int]) -> str:
    if len(row.fields) != width:
        return f"{len(row.fields)} fields, expected {width}"
    return "" if clean_text(row.fields[places[0]]) else EMPTY


def _fitted(fields: tuple[str, ...], width: int, separator: str) -> tuple[str, ...]:
    """As many fields as there are columns: none is lost, what is too much stays together in the last one."""
    if len(fields) > width:
        return (*fields[: width - 1], separator.join(fields[width - 1 :]))
    return (*fields, *[""] * (width - len(fields)))


def _chunks(rows: Iterator[RawRow]) -> Iterator[list[RawRow]]:
    while chunk := list(islice(rows, _CHUNK)):
        yield chunk
