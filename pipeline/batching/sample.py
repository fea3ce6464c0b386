"""A sample of a corpus to learn from and to judge by, and its vectors as a head reads them.

It has no test rows: those are read by `evaluate` alone, once. A part of the training rows takes their place.
"""

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
