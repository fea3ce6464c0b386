"""Stage: what answers without an encoder reach on a corpus, so that every figure has something beside it.

Three constants fitted on the training labels (the majority class; for ratings also the median and the rating
with the most neighbours), and TF-IDF with logistic regression, its strength chosen on validation.
"""

from __future__ import annotations

import time
from copy import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from pipeline.project.stage import log, run_stage
from features.corpus.corpus import Corpus
from pipeline.evaluation.metrics import Metrics, measure
from pipeline.evaluation.predictions import Predictions, constant_predictions
from pipeline.project import layout
from pipeline.project.files import read_result, write_result

_STRENGTHS = (1.0, 4.0)  # inverse regularisation C of the logistic regression
_RARE = 2  # a run of words must stand in so many training texts to count, once there are enough of them


@dataclass(frozen=True)
class Baseline:
    """A baseline's name, what it is in words, its test figures, and how long fitting took in seconds."""

    name: str
    description: str
    metrics: Metrics
    seconds: float


@dataclass(frozen=True)
class Baselines:
    """What the stage leaves: the baselines of the corpus with that digest."""

    corpus: str
    baselines: tuple[Baseline, ...]


def read_baselines(folder: Path, corpus: Corpus) -> tuple[Baseline, ...]:
    """The baselines of a corpus; InputError where they are missing, damaged, or of another version of it."""
    return read_result(folder / "baselines.json", Baselines, corpus.digest).baselines


def main(name: str) -> None:
    """Measure the baselines of one corpus into `layout.baselines_folder(name)`."""
    corpus = Corpus.load(layout.corpus_folder(name) / "corpus.h5")
    folder = layout.baselines_folder(name)
    labels, rows = corpus.labels, corpus.rows("test")
    actual = corpus.label[rows]
    found = {
        key: (
            constant_predictions(rows, actual, label, labels.low, labels.size),
            description,
            0.0,
        )
        for key, (description, label) in constant_labels(corpus).items()
    }
    started = time.perf_counter()
    found["tfidf"] = (*tfidf_predictions(corpus), time.perf_counter() - started)
    baselines = []
    for key, (predictions, description, seconds) in found.items():
        predictions.save(folder / f"{key}.h5")
        metrics = measure(predictions, ordered=labels.ordered)
        baselines.append(Baseline(key, description, metrics, seconds))
        log.info("%s: %s, accuracy %.4f", name, description, metrics.accuracy)
    write_result(folder / "baselines.json", Baselines(corpus.digest, tuple(baselines)))


def constant_labels(corpus: Corpus) -> dict[str, tuple[str, int]]:
    """Constant answers fitted on train: name to (description, label value)."""
    labels, train = corpus.labels, corpus.label[corpus.rows("train")]
    counts = np.bincount(train - labels.low, minlength=labels.size)
    majority = int(counts.argmax()) + labels.low
    constants = {"majority": (f"always {labels.name(majority)} (most frequent)", majority)}
    if labels.ordered:
        median = int(np.median(train))
        near = np.convolve(counts, np.ones(3), mode="same")
        widest = int(near.argmax()) + labels.low
        constants["median"] = (f"always {labels.name(median)} (median)", median)
        constants["adjacent"] = (f"always {labels.name(widest)} (most neighbours)", widest)
    return constants


def tfidf_predictions(corpus: Corpus) -> tuple[Predictions, str]:
    """Test predictions of TF-IDF + logistic regression, and what it is in words.

    Words and word pairs for English, runs of 1 to 3 characters for Chinese. The vectoriser sees training
    texts only; of two strengths of regularisation the better on validation is taken.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    chinese = corpus.language == "zh"
    vectoriser = TfidfVectorizer(
        analyzer="char" if chinese else "word",
        ngram_range=(1, 3) if chinese else (1, 2),
        min_df=_RARE if len(corpus) > 1000 else 1,
        sublinear_tf=True,
        dtype=np.float32,  # and so the solver: three quarters of the time
    )
    rows = {split: corpus.rows(split) for split in ("train", "validation", "test")}
    train = vectoriser.fit_transform(corpus.row_texts(rows["train"]))
    others = {split: vectoriser.transform(corpus.row_texts(rows[split])) for split in ("validation", "test")}
    actual = {split: corpus.label[rows[split]] for split in rows}
    # Each fit starts where the one before ended.
    start = LogisticRegression(max_iter=500, warm_start=True)
    models = [
        copy(start.set_params(C=strength).fit(train, actual["train"]))
        for strength in tqdm(_STRENGTHS, desc=f"TF-IDF of {corpus.name}", unit="fit")
    ]
    model = max(models, key=lambda model: model.score(others["validation"], actual["validation"]))
    low, size = corpus.labels.low, corpus.labels.size
    probabilities = np.zeros((len(rows["test"]), size))  # of all labels, also those not in the training split
    probabilities[:, model.classes_ - low] = model.predict_proba(others["test"])
    predicted, value = probabilities.argmax(axis=1) + low, probabilities @ np.arange(low, low + size)
    predictions = Predictions(rows["test"], actual["test"], predicted, value, probabilities, low, size)
    kind = "characters 1-3" if chinese else "words 1-2"
    return predictions, f"TF-IDF ({kind}) + logistic regression, C={model.C:g}"


if __name__ == "__main__":
    run_stage(main, "corpus", __doc__)
