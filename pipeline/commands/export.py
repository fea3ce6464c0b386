"""Whether the exported model says what the run said: over test rows, against what `evaluate` stored.

The two never agree to the last digit. The stored answers come from vectors that were computed with products
in the device's own precision and kept in float16; the exported model computes in float32 throughout.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from features.corpus.corpus import Corpus
from features.corpus.texts import Text
from features.errors import InputError
from heads.parts.options import HeadError
from pipeline.evaluation.predictions import Predictions
from pipeline.project import layout
from pipeline.project.stage import guard, log

MODEL, TOKENIZER = "model.onnx", "tokenizer.json"
_FIELDS = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
_BATCH = 32


@dataclass(frozen=True)
class Answers:
    """What the exported model says about n texts.

    predicted: (n,) int64 label values.
    value: (n,) float32, the expected label, or a regressor's raw output.
    probabilities: (n, C) float32, or None from a regressor.
    """

    predicted: npt.NDArray[np.int64]
    value: npt.NDArray[np.float32]
    probabilities: npt.NDArray[np.float32] | None


class ExportedModel:
    """The two files, opened: `model.onnx` and `tokenizer.json`."""

    def __init__(self, folder: Path) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        self._session: Any = onnxruntime.InferenceSession(folder / MODEL, providers=["CPUExecutionProvider"])
        self._tokenizer: Any = Tokenizer.from_file(str(folder / TOKENIZER))
        self._inputs = [item.name for item in self._session.get_inputs()]
        self._outputs = [item.name for item in self._session.get_outputs()]

    def run(self, texts: Sequence[Text]) -> dict[str, npt.NDArray[Any]]:
        """Every output for one batch of texts, by name."""
        given = [text.text if text.pair is None else (text.text, text.pair) for text in texts]
        pieces = self._tokenizer.encode_batch(given)
        inputs = {name: np.array([getattr(one, _FIELDS[name]) for one in pieces]) for name in self._inputs}
        return dict(zip(self._outputs, self._session.run(None, inputs), strict=True))

    def predict(self, texts: Sequence[Text]) -> Answers:
        """Answers for texts, in their order; texts of like length are run together."""
        order = np.argsort([len(text.joined) for text in texts], kind="stable")
        batches = [order[first : first + _BATCH] for first in range(0, len(order), _BATCH)]
        found = [self.run([texts[i] for i in batch]) for batch in batches]
        back = np.argsort(order, kind="stable")

        def joined(name: str) -> npt.NDArray[Any]:
            return np.concatenate([part[name] for part in found])[back]

        return Answers(
            joined("predicted"),
            joined("value"),
            joined("probabilities") if "probabilities" in self._outputs else None,
        )


LABELS = 0.01  # share of the rows that may get another label, as near ties do; one row always may
MEAN = 0.01  # mean difference allowed: of a probability, or of a regressor's value in labels


@dataclass(frozen=True)
class Check:
    """How the exported model compares with the stored predictions.

    rows: test rows compared. of: test rows there are.
    different: rows with another label.
    largest, mean: over rows, of the largest difference of a probability; of the value for a regressor.
    what: which of the two.
    """

    rows: int
    of: int
    different: int
    largest: float
    mean: float
    what: str

    @property
    def equal(self) -> float:
        """Share of the rows with the same label."""
        return 1 - self.different / self.rows

    @property
    def passed(self) -> bool:
        """Whether both differences are within what is allowed."""
        return self.different <= max(1, LABELS * self.rows) and self.mean <= MEAN

    def __str__(self) -> str:
        """One line for people."""
        return (
            f"{self.rows:,} of {self.of:,} test rows: {self.equal:.2%} with the same label; "
            f"difference of {self.what}: largest {self.largest:.4f}, mean {self.mean:.5f}"
        )


def check_export(model: ExportedModel, corpus: Corpus, stored: Predictions, limit: int) -> Check:
    """Run the exported model over test rows.

    Args:
        model: the exported model.
        corpus: where the texts are.
        stored: predictions of the run's test rows.
        limit: most rows to compare, evenly spaced over all; 0 for all.

    Raises:
        InputError: the corpus is another than the one that was evaluated, or there are no rows.
    """
    if len(stored) == 0 or stored.rows.max() >= len(corpus):
        raise InputError("the stored predictions are not of this corpus; run `dvc repro`")
    count = min(limit or len(stored), len(stored))
    chosen = np.unique(np.linspace(0, len(stored) - 1, count).round().astype(np.int64))
    texts: list[Text] = [corpus.texts[i] for i in corpus.text[stored.rows[chosen]]]
    return compare(model.predict(texts), stored, chosen)


def compare(found: Answers, stored: Predictions, chosen: npt.NDArray[np.int64]) -> Check:
    """Compare answers with those stored for the rows `chosen` (positions in `stored`)."""
    if found.probabilities is None or stored.probabilities is None:
        what, differences = "the value", np.abs(found.value - stored.value[chosen])
    else:
        what = "a probability"
        differences = np.abs(found.probabilities - stored.probabilities[chosen]).max(axis=1)
    different: Any = (found.predicted != stored.predicted[chosen]).sum()
    return Check(
        rows=len(chosen),
        of=len(stored),
        different=int(different),
        largest=float(differences.max()),
        mean=float(differences.mean()),
        what=what,
    )


if TYPE_CHECKING:
    from pipeline.commands.export import Check
    from pipeline.commands.predictor import Parts

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
    guard(
        lambda: _export(given.run, given.out or layout.OUT / "exports" / given.run, given.rows),
        (InputError, HeadError),
    )


def _export(name: str, folder: Path, rows: int) -> None:
    from pipeline.commands.onnx_graph import check_installed

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
    from features.corpus.corpus import Corpus
    from pipeline.commands.export import LABELS, MEAN, MODEL, TOKENIZER, ExportedModel, check_export
    from pipeline.commands.model_card import model_card
    from pipeline.commands.onnx_graph import TextModel, write_onnx, write_tokenizer
    from pipeline.commands.predictor import load_parts
    from pipeline.evaluation.predictions import Predictions
    from pipeline.project.files import write_json
    from pipeline.project.params import PARAMS, load_params

    parts = load_parts(name, PARAMS)
    params = load_params()
    run = params.run(name)
    stored = Predictions.load(params.folder(name).evaluation / f"predictions-{run.seeds[0]}.h5")
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
    (folder / _CARD).write_text(model_card(_subject(params.folder(name), parts, outputs, check)), "utf-8")
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


def _subject(folder: layout.RunFolder, parts: Parts, outputs: tuple[str, ...], check: Check) -> Any:
    from pipeline.baselines import Baselines
    from pipeline.commands.model_card import Subject
    from pipeline.evaluation.results import Evaluation
    from pipeline.project.files import read_result

    evaluation = read_result(folder.evaluation / "evaluation.json", Evaluation)
    path = layout.baselines_folder(evaluation.corpus) / "baselines.json"
    baselines = read_result(path, Baselines).baselines if path.is_file() else ()
    return Subject(
        evaluation=evaluation,
        baselines=tuple((item.description, item.metrics) for item in baselines),
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
