"""The one place where stored arrays become head tensors.

Shapes: B rows of a batch, K layers (ascending), L tokens of the longest text of the batch, D width.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from features.corpus import Corpus
from features.errors import InputError
from features.reading import FeatureStore
from heads.base import HeadInput

_BUCKET = 50  # batches whose rows are sorted by length together: little padding, yet well mixed


class HeadBatch(NamedTuple):
    """One batch: what the head reads, label values (B,) int64, corpus rows (B,) int64."""

    input: HeadInput
    labels: Tensor
    rows: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Selection:
    """What a run reads of the store.

    needs: of `pooled` and `tokens`, what its head asks for; nothing else is read.
    layers: cached layers, ascending. pooling: `mean`, `cls` or `pooler`.
    """

    needs: frozenset[str]
    layers: tuple[int, ...]
    pooling: str

    @property
    def vectors(self) -> tuple[str, ...]:
        """Names of the pooled vectors in the store, one a layer; the pooler stands above all layers."""
        if self.pooling == "pooler":
            return ("pooler",)
        return tuple(f"{self.pooling}@{layer}" for layer in self.layers)


class HeadData:
    """Batches for one head, from the rows of a corpus and their cached embeddings."""

    def __init__(
        self, corpus: Corpus, store: FeatureStore, selection: Selection, device: torch.device | None = None
    ) -> None:
        if len(store.rows) != len(corpus):
            raise InputError(
                f"the cache holds {len(store.rows)} rows and corpus {corpus.name!r} {len(corpus)}; "
                f"run `dvc repro` so that both are of one version"
            )
        self.corpus = corpus
        self.store = store
        self.selection = selection
        self._device = device or torch.device("cpu")
        self._pooled = self._load_pooled() if "pooled" in selection.needs else None

    @property
    def dim(self) -> int:
        """Width D of every vector."""
        return self.store.manifest.dim

    @property
    def layers(self) -> int:
        """Number of layers K that the head sees."""
        return len(self.selection.vectors) if self._pooled is not None else len(self.selection.layers)

    def pooled(self, rows: npt.NDArray[np.int64]) -> Tensor | None:
        """Pooled vectors of rows, (n, K, D) float32; None where the head does not read them."""
        if self._pooled is None:
            return None
        return torch.from_numpy(self._pooled[self.store.rows[rows]]).to(self._device)

    def token_sample(self, rows: npt.NDArray[np.int64], count: int, seed: int) -> Tensor | None:
        """Real tokens of up to `count` of the rows, (T', K, D) float16; None where tokens are not read."""
        if "tokens" not in self.selection.needs:
            return None
        chosen = np.sort(np.random.default_rng(seed).permutation(rows)[:count])
        return torch.stack([packed for packed, _ in self._gather(chosen)], dim=1).to(self._device)

    def labels(self, rows: npt.NDArray[np.int64]) -> Tensor:
        """Label values of rows, (n,) int64."""
        return torch.from_numpy(self.corpus.label[rows]).to(self._device)

    def batches(
        self, rows: npt.NDArray[np.int64], size: int, generator: np.random.Generator | None = None
    ) -> Iterator[HeadBatch]:
        """Batches of `size` rows: shuffled with a generator, in order of length without one."""
        for chosen in self._plan(rows, size, generator):
            yield HeadBatch(self.input(chosen), self.labels(chosen), chosen)

    def input(self, rows: npt.NDArray[np.int64]) -> HeadInput:
        """What the head reads of rows, padded to the longest of them."""
        pooled = self.pooled(rows)
        if "tokens" not in self.selection.needs:
            return HeadInput(pooled=pooled)
        gathered = self._gather(rows)
        lengths = gathered[0][1]
        mask = torch.arange(int(lengths.max())) < lengths[:, None]
        tokens = torch.zeros(len(rows), len(gathered), *mask.shape[1:], self.dim, dtype=torch.float16)
        for layer, (packed, _) in enumerate(gathered):
            tokens[:, layer][mask] = packed
        return HeadInput(pooled, tokens.to(self._device), mask.to(self._device))

    def _load_pooled(self) -> npt.NDArray[np.float32]:
        return np.stack([self.store.pooled(name) for name in self.selection.vectors], axis=1)

    def _gather(self, rows: npt.NDArray[np.int64]) -> list[tuple[Tensor, Tensor]]:
        """For each layer the rows' tokens end to end, (T, D) float16, and their lengths (B,) int64."""
        texts = self.store.rows[rows]
        result = []
        for layer in self.selection.layers:
            packed, lengths = self.store.tokens(layer).gather(texts)
            result.append((torch.from_numpy(packed), torch.from_numpy(lengths.astype(np.int64))))
        return result

    def _plan(
        self, rows: npt.NDArray[np.int64], size: int, generator: np.random.Generator | None
    ) -> Sequence[npt.NDArray[np.int64]]:
        lengths = self.store.lengths[self.store.rows[rows]]
        if generator is None:
            order = np.argsort(lengths, kind="stable")
            return [rows[order[i : i + size]] for i in range(0, len(rows), size)]
        order = generator.permutation(len(rows))
        batches = []
        for start in range(0, len(order), size * _BUCKET):
            bucket = order[start : start + size * _BUCKET]
            bucket = bucket[np.argsort(lengths[bucket], kind="stable")]
            batches += [rows[bucket[i : i + size]] for i in range(0, len(bucket), size)]
        return [batches[i] for i in generator.permutation(len(batches))]
