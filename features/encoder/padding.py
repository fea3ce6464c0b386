"""What padding costs: the usual ways to batch texts of different lengths, beside packing, on one engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from features.corpus.texts import Text
from features.encoder import packing
from features.encoder.device import token_budget
from features.encoder.encoder import Encoder
from features.encoder.forward import States
from features.encoder.layers import PACKED, use_attention
from features.encoder.tokenizer import Tokenized
from features.store.shards import EncodedBatch

Strategy = Literal["static", "dynamic", "sorted", "packed"]
STRATEGIES: tuple[Strategy, ...] = ("static", "dynamic", "sorted", "packed")


class Planned(NamedTuple):
    """One batch of a plan.

    texts: (B,) int64, positions of its texts.
    width: pieces each is padded to; 0 where nothing is padded.
    computed: tokens that the forward pass computes, padding included.
    """

    texts: npt.NDArray[np.int64]
    width: int
    computed: int


@dataclass(frozen=True)
class PaddingCost:
    """What a strategy cost over a corpus, medians over rounds.

    strategy: how texts were batched.
    seconds: run time of the forward passes and the way to the host, without tokenising.
    samples: texts per second.
    steps: batches per second.
    useful: share of the computed tokens that were real.
    largest_difference: largest absolute difference between a pooled vector's number and the packed run's.
    lowest_cosine: lowest cosine between a pooled vector and the packed run's.
    """

    strategy: Strategy
    seconds: float
    samples: float
    steps: float
    useful: float
    largest_difference: float
    lowest_cosine: float


class PaddingRun(NamedTuple):
    """A strategy's cost, and its pooled vectors (N, V, D) float32 in the order of the texts."""

    cost: PaddingCost
    pooled: npt.NDArray[np.float32]


def plan_batches(
    strategy: Strategy,
    lengths: npt.NDArray[np.int32],
    *,
    max_length: int,
    batch_size: int = 32,
    budget: int = 8192,
) -> list[Planned]:
    """Divide texts into batches.

    Args:
        strategy: `static` pads every text to `max_length`; `dynamic` to the longest of its batch, in the
            order given; `sorted` does so after sorting by length; `packed` sorts and pads nothing.
        lengths: (N,) int32 pieces of each text.
        max_length: pieces a text is truncated to.
        batch_size: texts of a padded batch.
        budget: tokens of a packed batch.

    Returns:
        Batches that hold each text once.
    """
    order = np.arange(len(lengths), dtype=np.int64)
    if strategy in ("sorted", "packed"):
        order = np.argsort(-lengths, kind="stable").astype(np.int64)
    plan: list[Planned] = []
    while len(order):
        count = packing.fill(lengths[order], budget) if strategy == "packed" else batch_size
        texts, order = order[:count], order[count:]
        width = {"static": max_length, "packed": 0}.get(strategy, int(lengths[texts].max()))
        plan.append(Planned(texts, width, width * len(texts) or int(lengths[texts].sum())))
    return plan


def padded_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    *,
    real: torch.Tensor,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attention as `features.encoder.packing.packed_attention` has it, over texts padded to one length.

    real: (n, L) bool, False for padding, which no token sees.
    """
    q, k, v = packing.projected(module, query, key, value)
    seen = real[:, None, None, :]
    if sliding_window is not None:
        near = packing.window(real.shape[1], sliding_window, real.device)
        seen = (
            seen & near | ~real[:, None, :, None]
        )  # what padding sees does not matter, but must be something
    out = torch.empty_like(q)
    scale = q.shape[-1] ** -0.5 if scaling is None else scaling
    packing.attend(q, k, v, out, packing.Block(0, *real.shape), scale, packing.as_bias(seen, q.dtype))
    return out.unsqueeze(0), None


def _padded(encoder: Encoder, pieces: Tokenized, width: int) -> States:
    """Run texts padded to `width` pieces each, attention masked; what is returned holds no padding."""
    forward, count = encoder.forward, len(pieces.lengths)
    real = np.arange(width) < pieces.lengths[:, None]
    ids = np.full((count, width), encoder.tokenizer.padding, np.int32)
    types = np.zeros((count, width), np.int8)
    ids[real], types[real] = pieces.piece_ids, pieces.type_ids
    with torch.inference_mode():
        mask = torch.from_numpy(real).to(encoder.device)
        padded = forward.hidden(ids.ravel(), types.ravel(), np.full(count, width, np.int32), real=mask)
        hidden = tuple(state[mask.flatten()] for state in padded)
        return forward.pool(hidden, pieces.lengths, packing.blocks_of(pieces.lengths))


@contextmanager
def _attention_for(strategy: Strategy, model: nn.Module) -> Iterator[None]:
    if strategy == "packed":
        yield
        return
    use_attention(model, "encode_once_padded", padded_attention)
    try:
        yield
    finally:
        use_attention(model, PACKED, packing.packed_attention)


def encode_padded(
    encoder: Encoder, pieces: Tokenized, strategy: Strategy, *, batch_size: int = 32
) -> Iterator[EncodedBatch]:
    """Encode tokenised texts by a strategy; differs from `Encoder.encode` by rounding alone.

    Takes everything at once: made to compare strategies on some thousand texts, not to fill a cache.
    """
    budget = token_budget(encoder.device, encoder.dim)
    plan = plan_batches(
        strategy, pieces.lengths, max_length=encoder.spec.max_length, batch_size=batch_size, budget=budget
    )
    forward = encoder.forward
    with _attention_for(strategy, forward.stack.model):
        for batch in plan:
            some = pieces.take(batch.texts)
            states = _padded(encoder, some, batch.width) if batch.width else forward.packed(some)
            yield states.to_batch(batch.texts, some)


def compare_padding(
    encoder: Encoder,
    texts: Sequence[Text],
    *,
    batch_size: int = 32,
    rounds: int = 3,
    progress: Callable[[int], None] = lambda texts: None,
) -> tuple[PaddingRun, ...]:
    """Run every strategy over the same texts, in turns, and keep the median time of each.

    The first, untimed turn warms up and compares the vectors.

    Args:
        encoder: the model; all strategies run its layers with the same code.
        texts: N texts, in the order in which static and dynamic padding batch them.
        batch_size: texts of a padded batch.
        rounds: timed turns.
        progress: called after each batch with the number of its texts, (rounds + 1) x 4 x N in all.
    """
    pieces = encoder.tokenize(texts)
    lengths = pieces.lengths
    vectors = {name: _pooled(encoder, pieces, name, batch_size, progress) for name in STRATEGIES}
    seconds: dict[Strategy, list[float]] = {name: [] for name in STRATEGIES}
    for _ in range(rounds):
        for name in STRATEGIES:
            seconds[name].append(_seconds(encode_padded(encoder, pieces, name, batch_size=batch_size)))
            progress(len(texts))
    budget = token_budget(encoder.device, encoder.dim)
    runs: list[PaddingRun] = []
    for name in STRATEGIES:
        plan = plan_batches(
            name, lengths, max_length=encoder.spec.max_length, batch_size=batch_size, budget=budget
        )
        median = float(np.median(seconds[name]))
        cost = PaddingCost(
            strategy=name,
            seconds=median,
            samples=len(texts) / median,
            steps=len(plan) / median,
            useful=float(lengths.sum() / sum(batch.computed for batch in plan)),
            largest_difference=float(np.abs(vectors[name] - vectors["packed"]).max()),
            lowest_cosine=_lowest_cosine(vectors[name], vectors["packed"]),
        )
        runs.append(PaddingRun(cost, vectors[name]))
    return tuple(runs)


def _seconds(batches: Iterator[EncodedBatch]) -> float:
    started = time.perf_counter()
    for _ in batches:
        pass
    return time.perf_counter() - started


def _pooled(
    encoder: Encoder,
    pieces: Tokenized,
    strategy: Strategy,
    batch_size: int,
    progress: Callable[[int], None],
) -> npt.NDArray[np.float32]:
    batches: list[EncodedBatch] = []
    for batch in encode_padded(encoder, pieces, strategy, batch_size=batch_size):
        batches.append(replace(batch, tokens=()))  # they would fill the memory
        progress(len(batch.index))
    restored = np.empty((len(pieces.lengths), *batches[0].pooled.shape[1:]), np.float32)
    for batch in batches:
        restored[batch.index] = batch.pooled
    return restored


def _lowest_cosine(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
    """Of the last axis, in float64: float32 sums would end above 1."""
    one, other = a.astype(np.float64), b.astype(np.float64)
    lengths = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    return float(((one * other).sum(-1) / lengths).min())
