"""What a run reads: its corpus, the cache of that corpus, and the layers and pooling it names."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from features.corpus import Corpus
from features.errors import InputError
from features.storing.reading import FeatureStore
from pipeline import layout
from pipeline.loading.data import HeadData, Selection
from pipeline.settings.params import RunParams
from pipeline.writing import read_json

ENCODER_FILE = "encoder.json"


def open_data(corpus: Corpus, run: RunParams, needs: frozenset[str]) -> HeadData:
    """Batches for a run's head from the cached corpus.

    Raises:
        InputError: the cache is missing or damaged, or does not hold what the run asks for.
    """
    folder = layout.cache_folder(run.corpus)
    store = FeatureStore.open(folder)
    selection = Selection(needs, run_layers(run, store.manifest.layers), run.pooling)
    if "tokens" in needs and store.manifest.tokens == "none":
        raise InputError(
            f"head {run.head!r} reads tokens, but corpora.{run.corpus}.encode.tokens is false, so none are "
            f"cached; set it to true or choose a head on pooled vectors"
        )
    return HeadData(corpus, store, selection, torch.device("cuda" if torch.cuda.is_available() else "cpu"))


def run_layers(run: RunParams, cached: tuple[int, ...]) -> tuple[int, ...]:
    """Absolute numbers of the layers a run reads, ascending; the topmost cached one where it names none."""
    if run.layers is None:
        return cached[-1:]
    total = int(read_json(layout.cache_folder(run.corpus) / ENCODER_FILE)["layers_total"])
    return absolute_layers(run.layers, total)


def absolute_layers(layers: Sequence[int], total: int) -> tuple[int, ...]:
    """Layers as `hidden_states` counts them (0 embeddings to `total`), from numbers that may be negative.

    >>> absolute_layers([-1, 4], 6)
    (4, 6)
    """
    return tuple(sorted({layer if layer >= 0 else total + 1 + layer for layer in layers}))
