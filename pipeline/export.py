"""`python -m pipeline.export RUN`: encoder and head as one ONNX model, checked against the test split."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.errors import InputError
from pipeline import layout
from pipeline.stage import guard, log

if TYPE_CHECKING:
    from pipeline.exporting.checking import Check
    from pipeline.inference.loading import Parts

_ROWS = 2000
_CONFIG, _CARD = "config.json", "README.md"


def main(arguments: Sequence[str] | None = None) -> None:
    """Export one run of `params.yaml`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", help="name of a trained and evaluated run in params.yaml")
    parser.add_argument("--out", type=Path, help="folder to write (default: out/exports/RUN)")
    parser.add_argument(
        "--rows", type=int, default=_ROWS, help=f"most test rows to compare (default: {_ROWS}; 0: all)"
    )
    given = parser.parse_args(arguments)
    if given.rows < 0:
        parser.error("--rows is a number of rows, or 0 for all")
    guard(lambda: _export(given.run, given.out or layout.OUT / "exports" / given.run, given.rows))


def _export(name: str, folder: Path, rows: int) -> None:
    from pipeline.exporting.onnx_file import check_installed

    check_installed()
    if folder.is_dir() and any(folder.iterdir()) and not (folder / _CONFIG).is_file():
        raise InputError(f"{folder} holds other files; give an empty or a new folder as --out")
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        check = _write(name, partial, rows)
        shutil.rmtree(folder, ignore_errors=True)
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    log.info("%s: %s", folder, check)


def _write(name: str, folder: Path, rows: int) -> Check:
    """Write and check everything in `folder`."""
    from features.corpus import Corpus
    from pipeline.exporting.card import model_card
    from pipeline.exporting.checking import LABELS, MEAN, check_export
    from pipeline.exporting.graph import TextModel
    from pipeline.exporting.onnx_file import write_onnx
    from pipeline.exporting.runtime import MODEL, TOKENIZER, ExportedModel
    from pipeline.exporting.tokenizer_file import write_tokenizer
    from pipeline.inference.loading import load_parts
    from pipeline.measuring.predictions import Predictions
    from pipeline.settings.params import PARAMS, load_params
    from pipeline.writing import write_json

    parts = load_parts(name, PARAMS)
    run = load_params().run(name)
    stored = Predictions.load(layout.evaluation_folder(name) / f"predictions-{run.seeds[0]}.h5")
    corpus = Corpus.load(layout.corpus_folder(run.corpus) / "corpus.h5")
    log.info("%s: drawing the graph", name)
    inputs, outputs = write_onnx(TextModel(parts), folder / MODEL)
    write_tokenizer(parts.encoder.folder, parts.encoder.spec.max_length, folder / TOKENIZER)
    log.info("%s: running it over the test split", name)
    check = check_export(ExportedModel(folder), corpus, stored, rows)
    if not check.passed:
        raise InputError(
            f"the exported model does not say what run {name!r} said: {check}; allowed are "
            f"{LABELS:.0%} of other labels and a mean of {MEAN}: run `dvc repro` so that head and stored "
            f"predictions are of one training"
        )
    write_json(folder / _CONFIG, _config(name, parts, inputs, outputs, check))
    (folder / _CARD).write_text(model_card(_subject(name, parts, outputs, check)), "utf-8")
    return check


def _config(
    name: str, parts: Parts, inputs: tuple[str, ...], outputs: tuple[str, ...], check: Check
) -> dict[str, Any]:
    """What a program may want to know."""
    return {
        "run": name,
        "head": parts.config.head,
        "task": parts.config.task,
        "ordered": parts.labels.ordered,
        "labels": {str(value): parts.labels.name(value) for value in parts.labels.values},
        "encoder": parts.encoder.spec.model,
        "revision": parts.encoder.spec.revision,
        "layers": parts.config.layers,
        "max_length": parts.encoder.spec.max_length,
        "paired": parts.paired,
        "inputs": inputs,
        "outputs": outputs,
        "check": check,
    }


def _subject(name: str, parts: Parts, outputs: tuple[str, ...], check: Check) -> Any:
    from pipeline.exporting.card import Subject
    from pipeline.measuring.results import read_evaluation, read_metrics
    from pipeline.writing import read_json

    evaluation = read_evaluation(layout.evaluation_folder(name) / "evaluation.json")
    path = layout.baselines_folder(evaluation.corpus) / "baselines.json"
    baselines = read_json(path) if path.is_file() else ()
    return Subject(
        evaluation=evaluation,
        baselines=tuple((item["description"], read_metrics(item["metrics"])) for item in baselines),
        labels=parts.labels,
        model=parts.encoder.spec.model,
        revision=parts.encoder.spec.revision,
        folder=parts.encoder.folder,
        max_length=parts.encoder.spec.max_length,
        language=parts.language,
        paired=parts.paired,
        outputs=outputs,
        check=check,
    )


if __name__ == "__main__":
    main()
