"""Where each stage puts what it makes, and nothing else: the one place that knows the folders."""

from __future__ import annotations

import os
from pathlib import Path

OUT = Path("out")
REPORTS = Path("reports")


def store() -> Path:
    """The shards of all encoders; outside DVC's outputs, and movable to a larger disk."""
    return Path(os.environ.get("ENCODE_ONCE_STORE", "store"))


def corpus_folder(corpus: str) -> Path:
    """`corpus.h5`, `rejects.csv` and `summary.json` of a prepared corpus."""
    return OUT / "corpora" / corpus


def cache_folder(corpus: str) -> Path:
    """The encoded corpus: `index.h5` and the shards it names."""
    return OUT / "cache" / corpus


def encoder_file(corpus: str) -> Path:
    """What stages need to know of an encoder without loading it: its layers, parameters and name."""
    return cache_folder(corpus) / "encoder.json"


def baselines_folder(corpus: str) -> Path:
    """`baselines.json` and the test predictions of each baseline."""
    return OUT / "baselines" / corpus


def tsne_folder(corpus: str) -> Path:
    """Coordinates and figure."""
    return OUT / "tsne" / corpus


def words_folder(corpus: str) -> Path:
    """Word lists and figure."""
    return OUT / "words" / corpus


def extraction_file(corpus: str) -> Path:
    """How long encoding took; kept out of the cache folder, whose bytes depend on the vectors alone."""
    return OUT / "extraction" / f"{corpus}.json"


def encode_cost_file(corpus: str) -> Path:
    """What encoding really cost; it outlives later runs that found every text in the store."""
    return OUT / "encoding" / f"{corpus}.json"


def fidelity_file(corpus: str) -> Path:
    """What a masked-LM head made of the cached tokens."""
    return OUT / "fidelity" / f"{corpus}.json"


def head_folder(run: str, seed: int | None = None) -> Path:
    """The trained heads of a run, a folder a seed."""
    folder = OUT / "runs" / run / "heads"
    return folder if seed is None else folder / f"seed-{seed}"


def curves_folder(run: str) -> Path:
    """Loss curves of the first seed, as dvclive writes them."""
    return OUT / "runs" / run / "curves"


def training_file(run: str) -> Path:
    """Epochs, seconds and steps a second; apart from the weights, since no two trainings take equal time."""
    return OUT / "runs" / run / "training.json"


def metrics_file(run: str) -> Path:
    """The few test figures that `dvc metrics` and `dvc exp` show."""
    return OUT / "runs" / run / "metrics.json"


def evaluation_folder(run: str) -> Path:
    """Test predictions, all figures and pictures of a run."""
    return OUT / "runs" / run / "evaluation"


def attention_folder(run: str) -> Path:
    """Heatmaps of a run."""
    return OUT / "runs" / run / "attention"


def pairs_file(run: str) -> Path:
    """Actual and predicted label of every test row, for DVC's confusion matrix."""
    return OUT / "runs" / run / "confusion.json"


def padding_folder(corpus: str) -> Path:
    """What each way of batching cost, measured on request: `padding.json`, `.csv` and `.html`."""
    return OUT / "padding" / corpus
