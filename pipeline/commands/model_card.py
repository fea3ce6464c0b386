"""The model card: what the exported model is for, how good it is, and how to run it without this project."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from features.corpus.labels import Labels
from pipeline.commands.export import Check
from pipeline.evaluation.metrics import Metrics
from pipeline.evaluation.results import Evaluation

USAGE = """\
import json
import numpy as np
import onnxruntime
from tokenizers import Tokenizer

tokenizer, model = Tokenizer.from_file("tokenizer.json"), onnxruntime.InferenceSession("model.onnx")
pieces = tokenizer.encode_batch({texts})
fields = {{"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}}
inputs = {{i.name: np.array([getattr(p, fields[i.name]) for p in pieces]) for i in model.get_inputs()}}
answer = dict(zip([o.name for o in model.get_outputs()], model.run(None, inputs), strict=True))
labels = json.load(open("config.json", encoding="utf-8"))["labels"]
print([labels[str(k)] for k in answer["predicted"]], answer.get("probabilities", answer["value"]))
"""
_TEXTS = {"en": '["a dull film", "a moving film"]', "zh": '["很好看", "浪费时间"]'}
_PAIRS = {"en": '[("a title", "the text under it")]', "zh": '[("标题", "正文")]'}
_OUTPUTS = {
    "predicted": "(B,) int64: the label's value; `labels` in `config.json` names it. Temperature, "
    "thresholds, rounding and the ordinal rules are inside the graph",
    "value": "(B,) float32: the expected label, sum of k p(k), or a regressor's raw output; for ratings only",
    "probabilities": "(B, C) float32: one a label in ascending order, calibrated on the validation split",
    "scores": "(B, S) float32: what the head gave before decoding",
    "attention": "(B, R, L) float32: where each of R hops looked among L pieces; 0 at padding",
}


@dataclass(frozen=True)
class Subject:
    """What a card is about.

    model, revision: the encoder. folder: where it lies. language: of the texts. paired: whether they have
        a second part. baselines: names in words and test figures.
    """

    evaluation: Evaluation
    baselines: tuple[tuple[str, Metrics], ...]
    labels: Labels
    model: str
    revision: str | None
    folder: Path
    max_length: int
    language: str
    paired: bool
    outputs: tuple[str, ...]
    check: Check


def model_card(subject: Subject) -> str:
    """The card as Markdown."""
    return "\n".join(line.rstrip() for line in _lines(subject)).rstrip() + "\n"


def usage(language: str, paired: bool) -> str:
    """The program of the card; it runs in the exported folder."""
    return USAGE.format(texts=(_PAIRS if paired else _TEXTS)[language])


def _lines(subject: Subject) -> Iterator[str]:
    run, labels = subject.evaluation, subject.labels
    kind = "ratings" if labels.ordered else "classes"
    revision = f" at `{subject.revision}`" if subject.revision else ""
    yield from (f"# {run.run}", "")
    yield (
        f"A frozen encoder, `{subject.model}`{revision}, with the head `{run.head}` "
        f"({run.head_parameters:,} parameters) trained to `{run.task}` the corpus `{run.corpus}`; "
        f"labels by `{run.decoding}`. One ONNX graph from piece ids to labels."
    )
    yield from ("", "## Labels", "", f"{labels.size} {kind}: {_escaped(', '.join(labels.names))}", "")
    yield from ("## Figures on the test split", "")
    yield from _table(subject)
    yield ""
    yield "The split was read once, after training; temperature and thresholds come from validation rows."
    yield f"The exported model in ONNX Runtime against these predictions: {subject.check}."
    yield from ("", "## Use", "", "`pip install onnxruntime tokenizers`, then in this folder:", "")
    yield from ("```python", *usage(subject.language, subject.paired).splitlines(), "```", "")
    given = "A text and its pair, in that order" if subject.paired else "One text"
    yield (
        f"{given}, cut at {subject.max_length} pieces. `tokenizer.json` cleans, cuts and pads as in "
        f"training; ids from elsewhere must be padded at their end."
    )
    yield from ("", "| output | |", "|---|---|")
    yield from (f"| `{name}` | {_OUTPUTS[name]} |" for name in subject.outputs)
    yield from ("", "## Licence and limits", "", _licence(subject), "")
    yield (
        "The figures hold for texts like those of the corpus. Attention says where the head looked, not "
        "why it decided."
    )


def _table(subject: Subject) -> Iterator[str]:
    ordered = subject.labels.ordered
    titles = ("accuracy", "macro F1", "MCC", *(("±1", "MAE") if ordered else ()))
    yield f"| | {' | '.join(titles)} |"
    yield "|---" * (len(titles) + 1) + "|"
    for name, metrics in ((f"**{subject.evaluation.run}**", subject.evaluation.metrics), *subject.baselines):
        figures = [f"{metrics.accuracy:.1%}", f"{metrics.f1_macro:.3f}", f"{metrics.mcc:.3f}"]
        if metrics.rating is not None:
            figures += [f"{metrics.rating.adjacent_accuracy:.1%}", f"{metrics.rating.mae:.3f}"]
        yield f"| {_escaped(name)} | {' | '.join(figures)} |"
    yield ""
    yield f"{subject.evaluation.metrics.n:,} rows."


def _licence(subject: Subject) -> str:
    found = None
    card = subject.folder / "README.md"
    if card.is_file():
        found = re.search(r"^license:\s*(\S+)", card.read_text("utf-8", errors="replace"), re.MULTILINE)
    said = f"whose card says `{found[1]}`" if found else "whose licence stands where it came from"
    return (
        f"The graph holds the weights of `{subject.model}`, {said}, and a head trained on "
        f"`{subject.evaluation.corpus}`. Both licences bind what you do with it; look at them "
        f"before you pass it on."
    )


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
