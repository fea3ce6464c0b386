"""A corpus of made-up ratings with cached vectors in which the rating can be seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from features.corpus.corpus import Corpus
from features.corpus.labels import rating_labels
from features.corpus.splits import assign_splits
from features.corpus.texts import Text
from features.store.extraction import extract
from features.store.reading import FeatureStore
from features.store.shards import EncodedBatch
from pipeline.training.data import HeadData, Selection
from tests.features.fake_encoder import FakeEncoder
from tests.features.units import units

WORDS = ("poor", "fair", "good")


class RatingEncoder(FakeEncoder):
    """The fake encoder, with the rating of a text written into one dimension of every vector."""

    def encode(self, texts: Sequence[Text]) -> Iterator[EncodedBatch]:
        """Batches whose dimension 3 is the rating and whose other dimensions are noise."""
        noise = np.random.default_rng(7)
        for batch in super().encode(texts):
            ratings = np.array([rating_of(texts[i].text) for i in batch.index], np.float32)
            pooled = noise.normal(size=batch.pooled.shape).astype(np.float32)
            pooled[:, :, 3] = ratings[:, None] * 4
            tokens = tuple(noise.normal(size=layer.shape).astype(np.float16) for layer in batch.tokens)
            for layer in tokens:
                layer[:, 3] = np.repeat(ratings * 4, batch.lengths)
            yield EncodedBatch(
                batch.index, batch.lengths, pooled, tokens, batch.piece_ids, batch.char_spans, batch.segments
            )


def rating_of(text: str) -> int:
    """The rating of a made-up text."""
    return 1 + next(i for i, word in enumerate(WORDS) if word in text)


def make_corpus(count: int = 120) -> Corpus:
    """`count` texts rated 1-3, a third each, in two groups."""
    texts = tuple(Text(f"{WORDS[i % 3]} film {'indeed ' * (i % 5)}{i}") for i in range(count))
    labels = np.array([rating_of(text.text) for text in texts], np.int64)
    return Corpus(
        name="demo",
        language="en",
        labels=rating_labels(1, 3).labels,
        texts=texts,
        text=np.arange(count),
        label=labels,
        split=assign_splits(
            *units([text.text for text in texts], seed=1), labels, test=0.25, validation=0.25
        ),
        number=np.arange(1, count + 1),
        groups=("one", "two"),
        group=(np.arange(count) % 2).astype(np.int32),
    )


def make_data(folder: Path, needs: frozenset[str], layers: tuple[int, ...] = (2,)) -> tuple[Corpus, HeadData]:
    """The corpus, and its batches for a head with such needs."""
    corpus = make_corpus()
    extract(corpus.texts, corpus.text, RatingEncoder(), folder / "store", folder / "cache", lambda line: None)
    store = FeatureStore.open(folder / "cache")
    return corpus, HeadData(corpus, store, Selection(needs, layers, "mean"))
