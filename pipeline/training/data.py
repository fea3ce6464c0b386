"""From the cache to head tensors: what a run reads, in memory or streamed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from features.corpus.corpus import Corpus
from features.errors import InputError
from features.store.reading import FeatureStore
from heads.parts.base import HeadInput
from pipeline.project import layout
from pipeline.project.files import read_result
from pipeline.project.origin import CachedEncoder, open_cache
from pipeline.project.params import RunParams
from pipeline.training.batches import Gather, Indices, TokenBuffer, batches_of, buffers_of, one_ahead, pad

VARIABLE = "ENCODE_ONCE_MEMORY"
_SHARE = 0.5  # of what is free: the head, its gradients and the rest of the machine need some as well
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def token_memory() -> int:
    """Bytes that tokens may take: ENCODE_ONCE_MEMORY (such as 8GB), else half of what is free now.

    Memory that only caches files counts as free; a container's own limit counts where it is lower.

    Raises:
        InputError: the variable is set and is no size.
    """
    given = os.environ.get(VARIABLE, "")
    if not given:
        return int(_SHARE * min(_free(), _free_in_container()))
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)B?", given.strip().upper())
    if match is None or (size := int(float(match[1]) * _UNITS[match[2]])) < 1:
        raise InputError(
            f"{VARIABLE} is {given!r}; expected a size such as 500MB or 8GB: set it so, or unset it"
        )
    return size


def _free() -> int:
    try:
        table = Path("/proc/meminfo").read_text("ascii")
    except OSError:  # not Linux
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    found = re.search(r"^MemAvailable:\s+(\d+) kB", table, re.MULTILINE)
    return int(found[1]) * 1024 if found else os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")


def _free_in_container(folder: Path = Path("/sys/fs/cgroup")) -> float:
    """What a control group (version 2) still allows; infinite where there is none or it sets no limit."""
    try:
        limit = (folder / "memory.max").read_text("ascii").strip()
        used = int((folder / "memory.current").read_text("ascii"))
        cached = re.search(r"^file (\d+)", (folder / "memory.stat").read_text("ascii"), re.MULTILINE)
    except (OSError, ValueError):
        return float("inf")
    if not limit.isdigit():
        return float("inf")
    return max(0, int(limit) - used + (int(cached[1]) if cached else 0))


# The one place where stored arrays become head tensors.
#
# Shapes: B rows of a batch, K layers (ascending), L tokens of the longest text of the batch, D width.

_BUFFERS = 3  # in memory at once: one in use, one being filled, one on its way out


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
    """Batches for one head, from the rows of a corpus and their cached embeddings, on `device`."""

    device = torch.device("cpu")

    def __init__(
        self, corpus: Corpus, store: FeatureStore, selection: Selection, device: torch.device | None = None
    ) -> None:
        self.corpus = corpus
        self.store = store
        self.selection = selection
        self.device = device or self.device
        self._pooled = self._load_pooled() if "pooled" in selection.needs else None

    @property
    def dim(self) -> int:
        """Width D of every vector."""
        return self.store.manifest.dim

    @property
    def layers(self) -> int:
        """Number of layers K that the head sees."""
        return len(self.selection.vectors) if self._pooled is not None else len(self.selection.layers)

    def pooled(self, rows: Indices) -> Tensor | None:
        """Pooled vectors of rows, (n, K, D) float32; None where the head does not read them."""
        if self._pooled is None:
            return None
        return torch.from_numpy(self._pooled[self.store.rows[rows]]).to(self.device)

    def token_sample(self, rows: Indices, count: int, seed: int) -> Tensor | None:
        """Real tokens of up to `count` of the rows, (T', K, D) float16; None where tokens are not read."""
        if "tokens" not in self.selection.needs:
            return None
        chosen = np.random.default_rng(seed).permutation(rows)[:count]
        fitting = np.cumsum(self._lengths(chosen), dtype=np.int64) <= token_memory() // (
            2 * self._token_bytes
        )
        chosen = np.sort(chosen[: max(1, fitting.sum())])
        sample = torch.stack([packed for packed, _ in self._gather(chosen)], dim=1)
        self.store.release()
        return sample.to(self.device)

    def labels(self, rows: Indices) -> Tensor:
        """Label values of rows, (n,) int64."""
        return torch.from_numpy(self.corpus.label[rows]).to(self.device)

    def batches(
        self,
        rows: Indices,
        size: int,
        generator: np.random.Generator | None = None,
        dtype: torch.dtype = torch.float16,
    ) -> Iterator[HeadBatch]:
        """Batches of at most `size` rows: shuffled with a generator, in order of length without one.

        Tokens that fit into memory (`pipeline.training.data`) are read at random; of more than that, a
        buffer of blocks is read at a time and batches are drawn from it (`order.buffers_of`). They come as
        `dtype`.
        """
        if "tokens" not in self.selection.needs:
            for chosen in batches_of(self._lengths(rows), size, generator):
                yield self._batch(rows[chosen], self._gather, dtype)
            return
        for held, gather in self._sources(rows, generator):
            plan = (held[chosen] for chosen in batches_of(self._lengths(held), size, generator))
            yield from one_ahead(partial(self._batch, gather=gather, dtype=dtype), plan)

    def input(self, rows: Indices) -> HeadInput:
        """What the head reads of rows, padded to the longest of them."""
        return self._batch(rows, self._gather, torch.float16).input

    def _batch(self, rows: Indices, gather: Gather, dtype: torch.dtype) -> HeadBatch:
        read = HeadInput(pooled=self.pooled(rows))
        if "tokens" in self.selection.needs:
            tokens, mask = pad(gather(rows), dtype)
            read = read._replace(tokens=tokens.to(self.device), mask=mask.to(self.device))
        return HeadBatch(read, self.labels(rows), rows)

    def _sources(
        self, rows: Indices, generator: np.random.Generator | None
    ) -> Iterator[tuple[Indices, Gather]]:
        """Rows that are taken together, and where their tokens come from."""
        lengths = self._lengths(rows)
        room = token_memory() // self._token_bytes
        if lengths.sum(dtype=np.int64) <= room:
            yield rows, self._gather
            return
        places = self.store.places[self.store.rows[rows]]
        plan = (
            [rows[block] for block in blocks]
            for blocks in buffers_of(places, lengths, max(1, room // _BUFFERS), generator)
        )
        for buffer in one_ahead(self._read, plan):
            yield buffer.rows, buffer.gather

    def _read(self, blocks: list[Indices]) -> TokenBuffer:
        """Blocks in memory; the store's pages are let go of after each."""
        buffer = TokenBuffer(blocks, self._lengths, len(self.selection.layers), self.dim)
        for block in blocks:
            buffer.add(block, self._gather(block))
            self.store.release()
        return buffer

    @property
    def _token_bytes(self) -> int:
        return 2 * self.dim * len(self.selection.layers)

    def _lengths(self, rows: Indices) -> npt.NDArray[np.int32]:
        return self.store.lengths[self.store.rows[rows]]

    def _load_pooled(self) -> npt.NDArray[np.float32]:
        return np.stack([self.store.pooled(name) for name in self.selection.vectors], axis=1)

    def _gather(self, rows: Indices) -> list[tuple[Tensor, Tensor]]:
        """For each layer the rows' tokens end to end, (T, D) float16, and their lengths (B,) int64."""
        texts = self.store.rows[rows]
        result = []
        for layer in self.selection.layers:
            packed, lengths = self.store.tokens(layer).gather(texts)
            result.append((torch.from_numpy(packed), torch.from_numpy(lengths.astype(np.int64))))
        return result


def open_data(corpus: Corpus, run: RunParams, needs: frozenset[str]) -> HeadData:
    """Batches for a run's head from the cached corpus.

    Raises:
        InputError: the cache is missing, damaged or of another corpus, or lacks what the run asks for.
    """
    store = open_cache(run.corpus, corpus)
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
    encoder = read_result(layout.encoder_file(run.corpus), CachedEncoder)
    return absolute_layers(run.layers, encoder.layers_total)


def absolute_layers(layers: Sequence[int], total: int) -> tuple[int, ...]:
    """Layers as `hidden_states` counts them (0 embeddings to `total`), from numbers that may be negative.

    >>> absolute_layers([-1, 4], 6)
    (4, 6)
    """
    return tuple(sorted({layer if layer >= 0 else total + 1 + layer for layer in layers}))
