"""`python -m pipeline predict RUN TEXT`: what a trained run says about texts outside its corpus."""

from __future__ import annotations

import argparse
import csv
import gc
import json
import os
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from features.corpus.labels import Labels
from features.corpus.rows import clean_text
from features.corpus.tables import RawRow, Table, TableFormat
from features.corpus.texts import Text
from features.errors import InputError
from heads.parts.options import HeadError
from pipeline.commands.predictor import Prediction, Predictor
from pipeline.evaluation.attention import WordAttention
from pipeline.project.stage import guard, log

EMPTY = "empty text"


def column_names(labels: Labels, probabilities: bool, prefix: str = "") -> tuple[str, ...]:
    """The columns that a prediction adds to a table; `value` for ratings only, where it means something.

    >>> column_names(Labels(("bad", "good"), 0, ordered=False), True)
    ('predicted', 'confidence', 'p(bad)', 'p(good)', 'reason')
    """
    value = ("value",) if labels.ordered else ()
    shares = tuple(f"p({name})" for name in labels.names) if probabilities else ()
    return tuple(f"{prefix}{name}" for name in ("predicted", *value, "confidence", *shares, "reason"))


def as_fields(prediction: Prediction, labels: Labels) -> tuple[str, ...]:
    """The fields under `column_names`; the reason is empty."""
    value = (f"{prediction.value:.6g}",) if labels.ordered else ()
    shares = tuple(f"{share:.6f}" for share in prediction.probabilities or ())
    return (prediction.label, *value, f"{prediction.confidence:.6f}", *shares, "")


def no_fields(labels: Labels, probabilities: bool, reason: str) -> tuple[str, ...]:
    """The fields of a row that could not be predicted, with the reason."""
    return (*[""] * (len(column_names(labels, probabilities)) - 1), reason)


def as_record(prediction: Prediction, labels: Labels) -> dict[str, Any]:
    """What one JSON line holds: text, prediction, and where the head attends its words in their order."""
    record: dict[str, Any] = {"text": prediction.text, "predicted": prediction.label}
    if labels.ordered:
        record["value"] = prediction.value
    record["confidence"] = prediction.confidence
    record["truncated"] = prediction.truncated
    if prediction.probabilities is not None:
        record["probabilities"] = dict(zip(labels.names, prediction.probabilities, strict=True))
    if (seen := prediction.attention) is not None:
        record["attention"] = [
            {"word": prediction.text[word.start : word.end], "start": word.start, "weight": float(weight)}
            for word, weight in zip(seen.words, seen.mean, strict=True)
        ]
    return record


def no_record(text: str, reason: str) -> dict[str, Any]:
    """What a JSON line holds for a text that could not be predicted."""
    return {"text": text, "predicted": None, "reason": reason}


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


_BAR = 30  # cells of a full bar
_TOP = 8  # words named in the list of those most looked at
_JOINERS = "\u200c\u200d"  # invisible, harmless, and part of many emoji
# Seven backgrounds of the 256-colour palette from almost nothing to strong, each with a readable foreground.
_SHADES = ((254, 16), (225, 16), (219, 16), (213, 16), (207, 16), (201, 16), (164, 231))


def render(prediction: Prediction, labels: Labels, colour: bool) -> str:
    """A few lines: the answer, a bar a label, and for attentive heads where the head looked.

    Args:
        prediction: what to show.
        labels: what its values mean.
        colour: whether ANSI colours are wanted; without them no escape sequence is written.
    """
    lines = list(_answer(prediction, labels, colour))
    if prediction.probabilities is not None:
        lines += _bars(prediction, labels)
    if prediction.attention is not None and len(prediction.attention.words):
        lines += _looked_at(prediction.text, prediction.attention, colour)
    if prediction.truncated:
        lines.append("  the text is longer than what the encoder reads; its end does not count")
    return "\n".join(lines)


def printable(text: str) -> str:
    """The text without what could move a terminal's cursor, change its colours or turn its direction."""
    return "".join(
        character if character.isprintable() or character in _JOINERS else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )


def _answer(prediction: Prediction, labels: Labels, colour: bool) -> Iterator[str]:
    name = printable(prediction.label)
    shown = f"\x1b[1m{name}\x1b[0m" if colour else name
    if not labels.ordered:
        yield f"{shown}  ({prediction.confidence:.1%})"
    elif prediction.probabilities is None:
        yield f"{shown}  (value {prediction.value:.2f})"
    else:
        yield f"{shown}  ({prediction.confidence:.1%}, expected {prediction.value:.2f})"


def _bars(prediction: Prediction, labels: Labels) -> Iterator[str]:
    names = [printable(name) for name in labels.names]
    width = max(map(_cells, names))
    for name, share in zip(names, prediction.probabilities or (), strict=True):
        bar = "█" * round(share * _BAR)
        yield f"  {name}{' ' * (width - _cells(name))}  {share:6.1%} {bar}".rstrip()


def _looked_at(text: str, attention: WordAttention, colour: bool) -> Iterator[str]:
    weights = attention.mean
    if colour:
        yield f"  {_shaded(text, attention)}"
    order = np.argsort(-weights, kind="stable")[:_TOP]
    words = ", ".join(
        f"{printable(text[attention.words[i].start : attention.words[i].end])} {weights[i]:.1%}"
        for i in order.tolist()
    )
    yield f"  looked at: {words}; punctuation and marks {attention.rest.mean():.1%}"


def _shaded(text: str, attention: WordAttention) -> str:
    """The text, each word on a ground as deep as its share of the most-looked-at word's attention."""
    weights = attention.mean
    scale = weights / max(float(weights.max()), 1e-12)
    parts, last = [], 0
    for (start, end), share in zip(attention.words, scale.tolist(), strict=True):
        parts.append(printable(text[last:start]))
        ground, ink = _SHADES[min(int(share * len(_SHADES)), len(_SHADES) - 1)]
        parts.append(f"\x1b[48;5;{ground};38;5;{ink}m{printable(text[start:end])}\x1b[0m")
        last = end
    return "".join([*parts, printable(text[last:])])


def _cells(text: str) -> int:
    """Terminal cells of a text: Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


if TYPE_CHECKING:
    from pipeline.commands.predictor import Predictor

_BATCH = 256  # lines of standard input that are predicted together, where nobody sits and types them


def main(arguments: Sequence[str] | None = None) -> None:
    """Predict texts given as arguments, on standard input, or in a table."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if (given.csv is None) == (not given.text):
        parser.error("give texts, `-` for standard input, or --csv FILE")
    if (given.csv is None) != (given.output is None):
        parser.error("--csv FILE and --output FILE go together")
    if given.csv is not None and given.json:
        parser.error("--json is for texts; --csv writes a table")
    if given.text == ["-"] and given.pair is not None:
        parser.error("--pair goes with texts given as arguments, or names a column of --csv")
    guard(lambda: _run(given), (InputError, HeadError))


def _run(given: argparse.Namespace) -> None:
    with _without_collecting():
        from pipeline.commands.predictor import Predictor

        predictor = Predictor.load(given.run)
    if given.csv is not None:
        _table(predictor, given)
    elif given.text == ["-"]:
        lines = (line.rstrip("\r\n") for line in sys.stdin)
        _print(predictor, lines, None, given.json, 1 if sys.stdin.isatty() else _BATCH)
    else:
        _print(predictor, given.text, given.pair, given.json, _BATCH)


def _print(predictor: Predictor, texts: Iterable[str], pair: str | None, as_json: bool, size: int) -> None:
    """Print each text's prediction; one that is empty gets its line too, so that lines can be counted."""
    from features.corpus.rows import clean_text
    from features.corpus.texts import Text
    from pipeline.commands.predict import EMPTY, as_record, no_record, printable, render

    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    several = 0
    for batch in _batches(texts, size):
        usable = [Text(text, pair) for text in batch if clean_text(text)]
        predictions = iter(predictor.predict(usable, attention=True))
        for text in batch:
            found = next(predictions) if clean_text(text) else None
            if as_json:
                record = no_record(text, EMPTY) if found is None else as_record(found, predictor.labels)
                print(json.dumps(record, ensure_ascii=False))
                continue
            if several or size == 1 or len(batch) > 1:
                print(f"{'' if not several else chr(10)}> {printable(clean_text(text))}")
            print(f"no prediction: {EMPTY}" if found is None else render(found, predictor.labels, colour))
            several += 1
        sys.stdout.flush()


def _table(predictor: Predictor, given: argparse.Namespace) -> None:
    from features.corpus.tables import TableFormat
    from pipeline.commands.predict import TableJob, predict_table

    form = TableFormat(given.separator, not given.no_header, None, given.encoding)
    job = TableJob(given.csv, given.output, given.column, given.pair, form, given.prefix)
    summary = predict_table(predictor, job)
    log.info(
        "%s: %d rows, %d of them without a prediction (see the last column)",
        given.output,
        summary.rows,
        summary.without,
    )


def _batches(texts: Iterable[str], size: int) -> Iterator[list[str]]:
    waiting = iter(texts)
    while batch := list(islice(waiting, size)):
        yield batch


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Import and load without the garbage collector, which walks all of it again and again and frees none."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", help="name of a trained run in params.yaml")
    parser.add_argument("text", nargs="*", help="texts, or `-` to read one a line from standard input")
    parser.add_argument("--pair", help="the second text of a pair; with --csv, the column that holds it")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    table = parser.add_argument_group("tables")
    table.add_argument("--csv", type=Path, metavar="FILE", help="a CSV or TSV file to predict")
    table.add_argument("--output", type=Path, metavar="FILE", help="all its columns and the prediction's")
    table.add_argument("--column", default="text", metavar="NAME", help="column of the text (default: text)")
    table.add_argument("--separator", help="one character (default: by the file's name)")
    table.add_argument("--encoding", default="utf-8-sig", help="as Python names it, e.g. gb18030")
    table.add_argument("--no-header", action="store_true", help="columns are then called 0, 1, ...")
    table.add_argument("--prefix", default="", help="put before the names of the added columns")
    return parser
