"""How long a cluster takes for a corpus, with slow actors and lost ones; nothing is encoded.

    python -m benchmarks.simulate_schedule [--actors 1000] [--texts 100000000] [--rate 2281] ...

Chunks are cut by the very function of `features.cluster.engine`. Rates are drawn from a log-normal
distribution; a share of the actors is several times slower; an actor may be lost at any moment and is back
after a while, without the chunk it had. The ideal is all work divided by the sum of all rates. The rate is an
input: measure yours with the extract stage, which prints it.
"""

from __future__ import annotations

import argparse
import heapq
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from features.cluster.engine import UNKNOWN, chunk_tokens

_BYTES_PER_TOKEN = 768 * 2 + 4 + 8 + 1  # a layer of BERT-base in float16, piece id, characters, segment
_SHARD_BYTES = 64 * 2**20
_SHARD_TOKENS = _SHARD_BYTES // _BYTES_PER_TOKEN
_BACK = 60.0  # seconds until a lost actor has loaded its encoder again

Cut = Callable[[int, float, int], int]
"""Tokens of the next chunk, of tokens left, the actor's rate over the mean, and the number of actors."""


@dataclass(frozen=True)
class Cluster:
    """Actors: tokens a second of each, and the mean seconds after which one is lost."""

    rates: np.ndarray
    life: float


@dataclass(frozen=True)
class Outcome:
    """Seconds until the last text, chunks handed out, actors lost, and tokens that were encoded twice."""

    seconds: float
    chunks: int
    lost: int
    wasted: int


def guided_cut(left: int, rate: float, actors: int) -> int:
    """What the driver does."""
    return chunk_tokens(left, rate / actors, _SHARD_TOKENS)


def shard_cut(left: int, rate: float, actors: int) -> int:
    """A shard at a time, whoever asks."""
    return _SHARD_TOKENS


def even_cut(total: int) -> Cut:
    """The corpus in as many parts as there are actors, cut once."""
    return lambda left, rate, actors: -(-total // actors)


def simulate(tokens: int, cluster: Cluster, cut: Cut, random: np.random.Generator) -> Outcome:
    """Actors take a chunk whenever they are free; a loss gives the chunk back."""
    actors = len(cluster.rates)
    free = [(0.0, actor) for actor in range(actors)]
    heapq.heapify(free)
    left, end, chunks, lost, wasted = tokens, 0.0, 0, 0, 0
    known = np.full(actors, UNKNOWN)
    mean = float(cluster.rates.mean())
    waiting: list[tuple[float, int]] = []  # lost chunks and when that shows
    while left or waiting:
        now, actor = heapq.heappop(free)
        while waiting and (waiting[0][0] <= now or not left):
            shown, size = heapq.heappop(waiting)
            now, left = max(now, shown), left + size
        size = min(left, cut(left, known[actor], actors))
        left -= size
        chunks += 1
        needed = size / cluster.rates[actor]
        life = random.exponential(cluster.life)
        if life < needed:
            lost += 1
            wasted += round(life * cluster.rates[actor])
            heapq.heappush(waiting, (now + life, size))
            heapq.heappush(free, (now + life + _BACK, actor))
            continue
        known[actor] = cluster.rates[actor] / mean
        end = max(end, now + needed)
        heapq.heappush(free, (now + needed, actor))
    return Outcome(end, chunks, lost, wasted)


def draw(args: argparse.Namespace, random: np.random.Generator) -> Cluster:
    """Actors as the arguments describe them."""
    rates = args.rate * np.exp(random.normal(0.0, args.spread, args.actors))
    slow = random.permutation(args.actors)[: round(args.stragglers * args.actors)]
    rates[slow] /= args.slowdown
    return Cluster(rates, args.hours_to_loss * 3600 if args.hours_to_loss else np.inf)


def main() -> None:
    """Print a table of three ways to cut the same work."""
    args = _arguments()
    tokens = round(args.texts * args.pieces)
    print(
        f"{args.texts:,} texts of {args.pieces} pieces, {args.actors:,} actors at {args.rate:,.0f} pieces/s "
        f"(spread {args.spread:.0%}), {args.stragglers:.1%} of them {args.slowdown:g} times slower, "
        f"one loss in {args.hours_to_loss:g} actor-hours; seed {args.seed}\n"
    )
    print("| how work is cut | hours | over ideal | chunks | losses | encoded twice |")
    print("|---|---|---|---|---|---|")
    ways = {
        "even parts, once": even_cut(tokens),
        "a shard at a time": shard_cut,
        "as the driver does": guided_cut,
    }
    for name, cut in ways.items():
        random = np.random.default_rng(args.seed)
        cluster = draw(args, random)
        ideal = tokens / cluster.rates.sum()
        found = simulate(tokens, cluster, cut, random)
        print(
            f"| {name} | {found.seconds / 3600:.2f} | {found.seconds / ideal - 1:.1%} | {found.chunks:,} "
            f"| {found.lost:,} | {found.wasted / tokens:.2%} |"
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--texts", type=int, default=100_000_000)
    parser.add_argument("--pieces", type=float, default=40.2, help="tokens of a text, on average")
    parser.add_argument("--actors", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=2281.0, help="tokens a second of an actor")
    parser.add_argument("--spread", type=float, default=0.15, help="standard deviation of the log of rates")
    parser.add_argument("--stragglers", type=float, default=0.02, help="share of actors that are slow")
    parser.add_argument("--slowdown", type=float, default=5.0)
    parser.add_argument("--hours-to-loss", type=float, default=20.0, help="actor-hours; 0 for no losses")
    parser.add_argument("--seed", type=int, default=13)
    return parser.parse_args()


if __name__ == "__main__":
    main()
