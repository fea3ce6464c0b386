"""Extractions with the fake encoder, each checked to the last vector."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from features.corpus.texts import Text
from features.store.extraction import Engine, ExtractionSummary, Progress, extract
from features.store.identity import Manifest
from features.store.reading import FeatureStore
from features.store.shards import dequantise, quantise
from tests.features.fake_encoder import FakeEncoder, expected


def texts_of(count: int) -> list[Text]:
    """Distinct texts of differing lengths."""
    return [Text(f"text {number} " + "word " * (number % 9)) for number in range(count)]


def as_kept(manifest: Manifest, tokens: npt.NDArray[np.float16]) -> npt.NDArray[np.float16]:
    """Tokens as they come back from a store of a manifest."""
    return dequantise(*quantise(tokens)) if manifest.tokens == "int8" else tokens


def assert_holds(folder: Path, texts: list[Text], encoder: FakeEncoder) -> None:
    """Every vector of a published corpus is the one that the encoder gives for its text."""
    wanted = expected(encoder.manifest, texts)
    with FeatureStore.open(folder, encoder.manifest) as store:
        np.testing.assert_array_equal(store.lengths, wanted.lengths)
        for number, name in enumerate(encoder.manifest.vectors):
            np.testing.assert_array_equal(store.pooled(name), wanted.pooled[:, number])
        everything = np.arange(len(texts))
        for number, layer in enumerate(encoder.manifest.layers if wanted.tokens else ()):
            np.testing.assert_array_equal(
                store.tokens(layer).gather(everything).tokens,
                as_kept(encoder.manifest, wanted.tokens[number]),
            )


class Run(NamedTuple):
    """One extraction: what it returned, what it said, what it encoded."""

    summary: ExtractionSummary
    lines: list[str]
    encoded: list[Text]


def run(
    root: Path,
    texts: list[Text],
    *,
    out: str = "out",
    encoder: FakeEncoder | None = None,
    progress: Progress = lambda done, total, note: None,
    shard_bytes: int = 4000,
    engine: Engine | None = None,
) -> Run:
    """Extract texts with a store and an output under `root`."""
    encoder = encoder or FakeEncoder()
    encoder.encoded.clear()
    lines: list[str] = []
    summary = extract(
        texts,
        np.arange(len(texts)),
        encoder,
        root / "store",
        root / out,
        lines.append,
        progress,
        shard_bytes=shard_bytes,
        engine=engine,
    )
    assert_holds(root / out, texts, encoder)
    return Run(summary, lines, list(encoder.encoded))
