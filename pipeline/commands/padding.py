"""Benchmark: what padding costs on a corpus, for each encoder: static, dynamic, sorted and packed.

    python -m pipeline padding CORPUS [--encoders NAME ...] [--texts 1000] [--batch-size 32] [--rounds 3]

As a stage it runs for the corpora under `padding:` in `params.yaml`, with what is said there; options on the
command line override that.

A sample of the prepared corpus goes through every encoder named in `params.yaml`, batched four ways by one
engine: padded to `max_length`; to the longest of each batch, in random order; the same after sorting by
length; and packed without padding, as the extract stage does it. A linear head is trained on the vectors of
each. Run time, samples/s, steps/s and the share of useful tokens stand beside the head's figures on training
rows held out for that (test rows are `evaluate`'s alone) and the proof that the vectors are equal. Writes
JSON, CSV and a page into `out/padding/CORPUS`.

No two readings of a clock are equal, so no other stage depends on this one.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from tqdm import tqdm

from pipeline.project.stage import guard, log
from features.corpus.corpus import Corpus
from features.corpus.labels import Labels
from features.corpus.splits import SPLITS
from features.corpus.texts import Text
from features.encoder.encoder import Encoder, EncoderSpec
from features.encoder.padding import STRATEGIES, compare_padding
from features.errors import InputError
from features.store.cost import describe_machine
from heads.parts.base import HeadInput, HeadShape, build_head
from heads.parts.options import HeadError
from heads.tasks import build_task
from pipeline.commands.padding_results import (
    EncoderFacts,
    HeadFigures,
    PaddingLine,
    PaddingReport,
    write_report,
)
from pipeline.evaluation.metrics import measure
from pipeline.evaluation.scoring import decode
from pipeline.project import layout
from pipeline.project.params import PaddingParams, Params, TrainingParams, load_params
from pipeline.training.data import HeadBatch, HeadData, Selection
from pipeline.training.training import fit_head, score

_HELD_OUT = 0.2  # of the texts of training rows


@dataclass(frozen=True)
class Sample:
    """Some rows of a corpus.

    texts: n texts, in random order, as static and dynamic padding meet them.
    label: (n,) int64 label values.
    rows: `train`, `validation` and `held_out` to (k,) int64 positions in `texts`; held out are texts of
        training rows that the head does not learn from.
    labels: what the label values mean.
    """

    texts: tuple[Text, ...]
    label: npt.NDArray[np.int64]
    rows: dict[str, npt.NDArray[np.int64]]
    labels: Labels


def draw_sample(corpus: Corpus, count: int, seed: int) -> Sample:
    """Up to `count` training and validation rows, each split with its share, drawn and ordered at random.

    Raises:
        InputError: a part is empty, or would be.
    """
    members = {split: corpus.rows(split) for split in ("train", "validation")}
    share = min(1.0, count / max(1, sum(map(len, members.values()))))
    generator = np.random.default_rng(seed)
    chosen = {
        split: generator.permutation(rows)[: round(len(rows) * share)] for split, rows in members.items()
    }
    texts = np.unique(corpus.text[chosen["train"]])
    held = generator.permutation(texts)[: round(len(texts) * _HELD_OUT)]
    order = generator.permutation(np.concatenate(list(chosen.values())))
    learning = corpus.split[order] == SPLITS.index("train")
    held_out = learning & np.isin(corpus.text[order], held)
    parts = {"train": learning & ~held_out, "validation": ~learning, "held_out": held_out}
    for part, found in parts.items():
        if not found.any():
            raise InputError(
                f"a sample of {count} of the {len(corpus)} rows of {corpus.name!r} holds no "
                f"{part.replace('_', '-')} row, and the head needs some; give a larger --texts or another "
                f"split"
            )
    return Sample(
        texts=tuple(corpus.texts[int(text)] for text in corpus.text[order]),
        label=corpus.label[order],
        rows={part: np.flatnonzero(found).astype(np.int64) for part, found in parts.items()},
        labels=corpus.labels,
    )


class SampleData(HeadData):
    """Batches of pooled vectors that stand in memory, not in a store; rows are positions in the sample."""

    def __init__(self, sample: Sample, vectors: npt.NDArray[np.float32]) -> None:
        """Vectors are (n, D) float32, in the order of the sample's texts."""
        self.selection = Selection(frozenset({"pooled"}), (0,), "mean")
        self._vectors = torch.from_numpy(np.ascontiguousarray(vectors))[:, None]
        self._label = torch.from_numpy(sample.label)

    @property
    def dim(self) -> int:
        """Width D of every vector."""
        return self._vectors.shape[-1]

    @property
    def layers(self) -> int:
        """The one layer that was pooled."""
        return 1

    def pooled(self, rows: npt.NDArray[np.int64]) -> Tensor:
        """Vectors of rows, (k, 1, D) float32."""
        return self._vectors[torch.from_numpy(rows)]

    def labels(self, rows: npt.NDArray[np.int64]) -> Tensor:
        """Label values of rows, (k,) int64."""
        return self._label[torch.from_numpy(rows)]

    def batches(
        self,
        rows: npt.NDArray[np.int64],
        size: int,
        generator: np.random.Generator | None = None,
        dtype: torch.dtype = torch.float16,
    ) -> Iterator[HeadBatch]:
        """Batches of at most `size` rows: shuffled with a generator, in the order given without one."""
        order = rows if generator is None else generator.permutation(rows)
        for start in range(0, len(order), size):
            chosen = order[start : start + size]
            yield HeadBatch(self.input(chosen), self.labels(chosen), chosen)

    def input(self, rows: npt.NDArray[np.int64]) -> HeadInput:
        """What the head reads of rows."""
        return HeadInput(pooled=self.pooled(rows))


_MEAN = 1  # of the pooled vectors `cls` and `mean`


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", help="name of a corpus in params.yaml, prepared")
    parser.add_argument("--encoders", nargs="+", metavar="NAME", help="of params.yaml; the corpus's own")
    parser.add_argument("--texts", type=_positive, help="rows of the sample, 1000")
    parser.add_argument("--batch-size", type=_positive, help="texts of a padded batch, 32")
    parser.add_argument("--rounds", type=_positive, help="timed runs, 3")
    parser.add_argument("--seed", type=int, help="of the sample and the head, 13")
    given = {name: value for name, value in vars(parser.parse_args(arguments)).items() if value is not None}
    guard(lambda: run(given.pop("corpus"), given), (InputError, HeadError))


def run(corpus: str, given: dict[str, Any]) -> None:
    """Compare encoders and strategies over a sample into `layout.padding_folder(corpus)`.

    Args:
        corpus: its name in `params.yaml`.
        given: fields of `PaddingParams` that override what stands under `padding:` there.
    """
    params = load_params()
    declared = params.padding.get(corpus, PaddingParams())
    settings = declared.model_copy(update=given)
    max_length = params.corpus(corpus).encode.max_length
    names = list(dict.fromkeys(settings.encoders or [params.corpus(corpus).encode.encoder]))
    for name in names:
        if name not in params.encoders:
            raise InputError(
                f"there is no encoder {name!r} in params.yaml; it has {', '.join(params.encoders)}"
            )
    sample = draw_sample(
        Corpus.load(layout.corpus_folder(corpus) / "corpus.h5"), settings.texts, settings.seed
    )
    facts: list[EncoderFacts] = []
    lines: list[PaddingLine] = []
    for name in names:
        encoder = _load(params, name, max_length)
        facts.append(_facts(name, encoder, sample))
        lines += _measure(name, encoder, sample, params.training, settings)
    report = PaddingReport(
        corpus=corpus,
        texts=len(sample.texts),
        **{split: len(rows) for split, rows in sample.rows.items()},
        max_length=max_length,
        batch_size=settings.batch_size,
        rounds=settings.rounds,
        seed=settings.seed,
        encoders=tuple(facts),
        lines=tuple(lines),
    )
    folder = layout.padding_folder(corpus)
    write_report(folder, report)
    log.info("%s: %s", corpus, folder / "padding.html")


def _load(params: Params, name: str, max_length: int) -> Encoder:
    encoder = params.encoders[name]
    return Encoder.load(EncoderSpec(encoder.model, encoder.revision, max_length))


def _facts(name: str, encoder: Encoder, sample: Sample) -> EncoderFacts:
    tokens = int(encoder.tokenize(sample.texts).lengths.sum())
    return EncoderFacts(
        name=name,
        model=encoder.spec.model,
        architecture=json.loads((encoder.folder / "config.json").read_text("utf-8"))["model_type"],
        parameters=encoder.parameters,
        layers=encoder.layers_total,
        dim=encoder.dim,
        machine=describe_machine(str(encoder.device)),
        precision=encoder.precision,
        tokens=tokens,
        mean_length=tokens / len(sample.texts),
    )


def _measure(
    name: str, encoder: Encoder, sample: Sample, training: TrainingParams, settings: PaddingParams
) -> list[PaddingLine]:
    total = len(STRATEGIES) * (settings.rounds + 1) * len(sample.texts)
    with tqdm(total=total, desc=f"padding with {name}", unit="text") as bar:
        runs = compare_padding(
            encoder,
            sample.texts,
            batch_size=settings.batch_size,
            rounds=settings.rounds,
            progress=bar.update,
        )
    lines = []
    for cost, pooled in runs:
        head = train_head(sample, SampleData(sample, pooled[:, _MEAN]), training, settings.seed)
        lines.append(PaddingLine(name, cost, head))
        log.info(
            "%s, %s: %.1f samples/s, %.0f %% useful, lowest cosine %.6f, accuracy %.4f",
            name, cost.strategy, cost.samples, 100 * cost.useful, cost.lowest_cosine, head.accuracy,
        )  # fmt: skip
    return lines


def train_head(sample: Sample, data: SampleData, settings: TrainingParams, seed: int) -> HeadFigures:
    """Train the linear head on the sample's training rows, and judge it by its held-out rows."""
    labels, rows = sample.labels, sample.rows
    torch.manual_seed(seed)
    task = build_task("classify", labels.low, labels.size, labels.ordered, {})
    task.fit_loss(data.labels(rows["train"]))
    head = build_head("linear", HeadShape(data.dim, 1, task.out_dim), {}, output=task.output_layer())
    fit = fit_head(head, task, data, rows["train"], rows["validation"], settings, seed)
    scores = score(head, data, rows["held_out"])
    found = measure(decode(task, scores, data, rows["held_out"]), ordered=labels.ordered)
    return HeadFigures(
        accuracy=found.accuracy,
        precision=found.precision_macro,
        recall=found.recall_macro,
        f1=found.f1_macro,
        loss=float(task.loss(scores, data.labels(rows["held_out"]))),
        seconds=fit.seconds,
    )


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number
