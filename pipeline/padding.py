"""Benchmark: what padding costs on a corpus, for each encoder: static, dynamic, sorted and packed.

    python -m pipeline.padding CORPUS [--encoders NAME ...] [--texts 1000] [--batch-size 32] [--rounds 3]

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
from collections.abc import Sequence
from typing import Any

import torch
from tqdm import tqdm

from features.corpus import Corpus
from features.encoding.encoder import EncoderSpec, FrozenEncoder
from features.encoding.padding import STRATEGIES, compare_padding
from features.errors import InputError
from heads.base import HeadShape, build_head
from heads.tasks import build_task
from pipeline import layout
from pipeline.batching.page import write_report
from pipeline.batching.results import EncoderFacts, HeadFigures, PaddingLine, PaddingReport
from pipeline.batching.sample import Sample, SampleData, draw_sample
from pipeline.extracting.encode_cost import describe_machine
from pipeline.learning.scoring import decode
from pipeline.learning.training import fit_head, score
from pipeline.measuring.metrics import measure
from pipeline.settings.params import PaddingParams, Params, TrainingParams, load_params
from pipeline.stage import guard, log

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
    guard(lambda: run(given.pop("corpus"), given))


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


def _load(params: Params, name: str, max_length: int) -> FrozenEncoder:
    encoder = params.encoders[name]
    return FrozenEncoder.load(EncoderSpec(encoder.model, encoder.revision, max_length))


def _facts(name: str, encoder: FrozenEncoder, sample: Sample) -> EncoderFacts:
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
    name: str, encoder: FrozenEncoder, sample: Sample, training: TrainingParams, settings: PaddingParams
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


if __name__ == "__main__":
    main()
