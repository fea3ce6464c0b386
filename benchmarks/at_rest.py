"""Token embeddings at rest in 8 bits against 16: bytes, fidelity, reading, and what heads make of them.

    python -m benchmarks.at_rest [--csv FILE --column NAME --label NAME] [--rows 10000] [--encoder FOLDER]

Encodes the corpus in either form and compares the two stores. Heads see the same split, seeds and batches
in either form. A head on pooled vectors answers alike from both, since these are computed before tokens are
rounded; it stands in the table to show it. The bundled sample is the default.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import tempfile
import time
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from features.corpus.corpus import Corpus
from features.corpus.ingest import SplitPlan, ingest
from features.corpus.labels import class_labels
from features.corpus.rows import Columns
from features.encoder.encoder import Encoder, EncoderSpec
from features.store.cost import readable_bytes
from features.store.extraction import ExtractionSummary, extract
from features.store.reading import FeatureStore, TokenReader
from heads.parts.base import HeadShape, build_head, head_class
from heads.tasks import build_task
from pipeline.evaluation.scoring import predict
from pipeline.project.params import TrainingParams
from pipeline.training.data import HeadData, Selection
from pipeline.training.training import fit_head

FORMS = ("float16", "int8")
_RARE = 0.01  # labels that fewer rows than this share have are not trained on
_BATCH, _BATCHES = 64, 20


class Trained(NamedTuple):
    """A head's test accuracy, and its predictions (n,)."""

    accuracy: float
    predicted: npt.NDArray[np.int64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--csv", type=Path, default=Path("data/sample/douban.csv"))
    parser.add_argument("--column", default="Comment")
    parser.add_argument("--label", default="Star")
    parser.add_argument("--labels", nargs="+", default=[], help="those to learn; all that are not rare")
    parser.add_argument("--rows", type=int, default=10_000, help="the first so many of the file")
    parser.add_argument("--encoder", default="encoders/mini-zh")
    parser.add_argument("--max-length", type=int, default=128)
    parser.add_argument("--heads", nargs="+", default=["linear", "self_attentive"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[13, 14, 15])
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        corpus = read_corpus(given, folder)
        stores = {}
        for form in FORMS:
            summary, stores[form] = encode(corpus, given.encoder, given.max_length, form, folder)
            print(
                f"{form:8} {readable_bytes(summary.bytes):>9}, {summary.bytes / summary.tokens:.0f} a token"
            )
        print_fidelity(stores)
        print_reading(stores, given.rounds)
        settings = TrainingParams(epochs=given.epochs)
        for head in given.heads:
            print_accuracy(corpus, stores, head, given.seeds, settings)


def read_corpus(given: argparse.Namespace, folder: Path) -> Corpus:
    """The first rows of a file, split by the hash of their texts."""
    with given.csv.open(encoding="utf-8-sig", newline="") as source:
        first = islice(csv.DictReader(source), given.rows)
        rows = [(row[given.column], row[given.label]) for row in first]
    with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as target:
        csv.writer(target).writerows([("text", "label"), *rows])
    counts = Counter(value for _, value in rows)
    frequent = sorted(value for value, n in counts.items() if n >= _RARE * len(rows))
    common = class_labels(given.labels or frequent)
    columns = Columns(text="text", label="label", reject_unknown=True)
    read = ingest("at-rest", {None: folder / "rows.csv"}, columns, common, SplitPlan(), "en", folder=folder)
    read.corpus.save(folder / "corpus.h5")
    corpus = Corpus.load(folder / "corpus.h5")
    sizes = ", ".join(f"{split} {len(corpus.rows(split)):,}" for split in ("train", "validation", "test"))
    print(f"{given.csv.name}: {len(corpus):,} rows ({sizes}), labels {', '.join(common.labels.names)}")
    return corpus


def encode(
    corpus: Corpus, model: str, max_length: int, form: str, folder: Path
) -> tuple[ExtractionSummary, FeatureStore]:
    """The corpus in one form."""
    encoder = Encoder.load(EncoderSpec(model, None, max_length, at_rest=form))
    out = folder / form
    summary = extract(
        corpus.texts, corpus.text, encoder, folder / "store", out, lambda line: print(" ", line)
    )
    return summary, FeatureStore.open(out, encoder.manifest)


def readers(stores: dict[str, FeatureStore]) -> list[TokenReader]:
    return [stores[form].tokens(stores[form].manifest.layers[-1]) for form in FORMS]


def print_fidelity(stores: dict[str, FeatureStore]) -> None:
    cosines = []
    full, short = readers(stores)
    texts = np.arange(len(stores[FORMS[0]].lengths))
    for start in range(0, len(texts), 512):
        a, b = (
            reader.gather(texts[start : start + 512]).tokens.astype(np.float64) for reader in (full, short)
        )
        norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
        cosines.append((a * b).sum(axis=1) / norms)
    every = np.concatenate(cosines)
    mean, lowest = every.mean(), every.min()
    print(f"cosine of int8 with float16 over {len(every):,} tokens: mean {mean:.6f}, lowest {lowest:.6f}")


def print_reading(stores: dict[str, FeatureStore], rounds: int) -> None:
    """Random batches, in turns; processor time, since both read from memory that is already mapped."""
    random = np.random.default_rng(13)
    times: dict[str, list[float]] = {form: [] for form in FORMS}
    for number in range(rounds + 1):
        plan = [random.integers(0, len(stores[FORMS[0]].lengths), _BATCH) for _ in range(_BATCHES)]
        for form, reader in zip(FORMS, readers(stores), strict=True):
            began = time.process_time()
            for texts in plan:
                reader.gather(texts)
            if number:  # the first round warms up
                times[form].append((time.process_time() - began) / _BATCHES)
    full, short = (statistics.median(times[form]) for form in FORMS)
    print(
        f"random batches of {_BATCH} texts: float16 {full * 1e3:.2f} ms, int8 {short * 1e3:.2f} ms, "
        f"{short / full:.2f} times as long"
    )


def print_accuracy(
    corpus: Corpus, stores: dict[str, FeatureStore], head: str, seeds: list[int], settings: TrainingParams
) -> None:
    found = {form: [train(corpus, stores[form], head, seed, settings) for seed in seeds] for form in FORMS}
    means = {form: statistics.mean(fit.accuracy for fit in found[form]) for form in FORMS}
    pairs = zip(*(found[form] for form in FORMS), strict=True)
    same = statistics.mean(float((a.predicted == b.predicted).mean()) for a, b in pairs)
    for form in FORMS:
        each = ", ".join(f"{fit.accuracy:.4f}" for fit in found[form])
        print(f"{head}, {form}: test accuracy {means[form]:.4f} ({each})")
    difference = 100 * (means["int8"] - means["float16"])
    print(f"{head}: int8 {difference:+.2f} points, {same:.1%} of the answers are the same")


def train(corpus: Corpus, store: FeatureStore, name: str, seed: int, settings: TrainingParams) -> Trained:
    """Train a head as the train stage does and answer the test split."""
    selection = Selection(head_class(name).needs, store.manifest.layers, "mean")
    data = HeadData(corpus, store, selection)
    labels, rows = corpus.labels, {split: corpus.rows(split) for split in ("train", "validation", "test")}
    torch.manual_seed(seed)
    task = build_task("classify", labels.low, labels.size, labels.ordered, {})
    task.fit_loss(data.labels(rows["train"]))
    head = build_head(name, HeadShape(data.dim, data.layers, task.out_dim), {}, None, task.output_layer())
    fit_head(head, task, data, rows["train"], rows["validation"], settings, seed)
    answers = predict(head, task, data, rows["test"])
    return Trained(float((answers.predicted == answers.actual).mean()), answers.predicted)


if __name__ == "__main__":
    main()
