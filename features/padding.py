"""What padding costs: the usual ways to batch texts of different lengths, beside packing, on one engine."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from features.device import token_budget
from features.encoded import EncodedBatch, Text
from features.encoder import FrozenEncoder
from features.packing import fill

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
    """One run of a strategy over a corpus.

    strategy: how texts were batched.
    seconds: run time of the forward passes and the way to the host, without tokenising.
    samples: texts per second.
    steps: batches per second.
    useful: share of the computed tokens that were real.
    lowest_cosine: lowest cosine between a pooled vector and the packed run's; 1 for the packed run itself.
    """

    strategy: Strategy
    seconds: float
    samples: float
    steps: float
    useful: float
    lowest_cosine: float


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
        count = fill(lengths[order], budget) if strategy == "packed" else batch_size
        texts, order = order[:count], order[count:]
        width = {"static": max_length, "packed": 0}.get(strategy, int(lengths[texts].max()))
        plan.append(Planned(texts, width, width * len(texts) or int(lengths[texts].sum())))
    return plan


def encode_padded(
    encoder: FrozenEncoder, texts: Sequence[Text], strategy: Strategy, *, batch_size: int = 32
) -> Iterator[EncodedBatch]:
    """Encode texts by a strategy; what comes out differs from `FrozenEncoder.encode` by rounding alone.

    Tokenises everything at once: made to compare strategies on some thousand texts, not to fill a cache.
    """
    pieces = encoder.tokenize(texts)
    budget = token_budget(encoder.device, encoder.dim)
    for batch in plan_batches(
        strategy, pieces.lengths, max_length=encoder.spec.max_length, batch_size=batch_size, budget=budget
    ):
        some = pieces.take(batch.texts)
        forward = encoder.forward
        states = forward.padded(some, batch.width) if batch.width else forward.packed(some)
        yield states.to_batch(batch.texts, some)


def compare_padding(
    encoder: FrozenEncoder, texts: Sequence[Text], *, batch_size: int = 32, rounds: int = 3
) -> tuple[PaddingCost, ...]:
    """Run every strategy over the same texts, in turns, and keep the median time of each.

    The first, untimed turn warms up and compares the vectors.
    """
    lengths = encoder.tokenize(texts).lengths
    vectors = {name: _pooled(encoder, texts, name, batch_size) for name in STRATEGIES}
    seconds: dict[Strategy, list[float]] = {name: [] for name in STRATEGIES}
    for _ in range(rounds):
        for name in STRATEGIES:
            started = time.perf_counter()
            for _batch in encode_padded(encoder, texts, name, batch_size=batch_size):
                pass
            seconds[name].append(time.perf_counter() - started)
    budget = token_budget(encoder.device, encoder.dim)
    costs: list[PaddingCost] = []
    for name in STRATEGIES:
        plan = plan_batches(
            name, lengths, max_length=encoder.spec.max_length, batch_size=batch_size, budget=budget
        )
        median = float(np.median(seconds[name]))
        costs.append(
            PaddingCost(
                strategy=name,
                seconds=median,
                samples=len(texts) / median,
                steps=len(plan) / median,
                useful=float(lengths.sum() / sum(batch.computed for batch in plan)),
                lowest_cosine=_lowest_cosine(vectors[name], vectors["packed"]),
            )
        )
    return tuple(costs)


def _pooled(
    encoder: FrozenEncoder, texts: Sequence[Text], strategy: Strategy, batch_size: int
) -> npt.NDArray[np.float32]:
    batches = list(encode_padded(encoder, texts, strategy, batch_size=batch_size))
    pooled = np.concatenate([batch.pooled for batch in batches])
    order = np.concatenate([batch.index for batch in batches])
    restored = np.empty_like(pooled)
    restored[order] = pooled
    return restored


def _lowest_cosine(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return float(((a * b).sum(-1) / lengths).min())
