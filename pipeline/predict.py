"""`python -m pipeline.predict RUN TEXT`: what a trained run says about texts that are not in its corpus."""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.stage import guard, log

if TYPE_CHECKING:
    from pipeline.inference import Predictor

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
    guard(lambda: _run(given))


def _run(given: argparse.Namespace) -> None:
    with _without_collecting():
        from pipeline.inference import Predictor

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
    from features.encoded import Text
    from features.preparing.cleaning import clean_text
    from pipeline.inference.records import EMPTY, as_record, no_record
    from pipeline.inference.terminal import printable, render

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
    from features.preparing.tables import TableFormat
    from pipeline.inference.table import TableJob, predict_table

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


if __name__ == "__main__":
    main()
