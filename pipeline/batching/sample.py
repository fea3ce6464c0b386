"""A sample of a corpus that keeps the shares of its splits, and its vectors as a head reads them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from features.corpus import Corpus
from features.encoded import Text
from features.errors import InputError
from features.labels import Labels
from features.preparing.splits import SPLITS
from heads.base import HeadInput
from pipeline.loading.data import HeadBatch, HeadData, Selection


@dataclass(frozen=True)
class Sample:
    """Some rows of a corpus.

    texts: n texts, in random order, as static and dynamic padding meet them.
    label: (n,) int64 label values.
    rows: split to (k,) int64 positions in `texts`.
    labels: what the label values mean.
    """

    texts: tuple[Text, ...]
    label: npt.NDArray[np.int64]
    rows: dict[str, npt.NDArray[np.int64]]
    labels: Labels


def draw_sample(corpus: Corpus, count: int, seed: int) -> Sample:
    """Up to `count` rows, each split with its share, drawn and ordered at random.

    Raises:
        InputError: a split is empty, or would be.
    """
    share = min(1.0, count / max(1, len(corpus)))
    generator = np.random.default_rng(seed)
    chosen = []
    for split in SPLITS:
        members = corpus.rows(split)
        size = round(len(members) * share)
        if size == 0:
            raise InputError(
                f"a sample of {count} of the {len(corpus)} rows of {corpus.name!r} holds no {split} row (the "
                f"corpus has {len(members)}), and the head needs some; give a larger --texts or another split"
            )
        chosen.append(generator.permutation(members)[:size])
    order = generator.permutation(np.concatenate(chosen))
    codes = corpus.split[order]
    return Sample(
        texts=tuple(corpus.texts[int(text)] for text in corpus.text[order]),
        label=corpus.label[order],
        rows={split: np.flatnonzero(codes == code).astype(np.int64) for code, split in enumerate(SPLITS)},
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
