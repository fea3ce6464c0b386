"""What training costs, against the usual way to do the same: ratios in interleaved rounds.

    python -m benchmarks.train linear    [--rows 50000] [--dim 768] [--rounds 5]
    python -m benchmarks.train attention [--texts 1500] [--dim 768] [--rounds 5] [--folder DIR]

`linear`: the probe's minimum against scikit-learn's `LogisticRegression` (lbfgs, default tolerance), same
features, same objective, to the same loss. `attention`: one epoch of the self-attentive head against a torch
`DataLoader` over an h5py file. Each prints processor time and wall-clock time after one untimed round; on a
machine that others use as well only the first says much.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

Loss = Callable[[], float]
Train = Callable[[], Loss]


class Cost(NamedTuple):
    """Seconds of one round, and the loss it ended with."""

    cpu: float
    wall: float
    loss: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="what", required=True)
    linear = commands.add_parser("linear")
    linear.add_argument("--rows", type=int, default=50_000)
    attention = commands.add_parser("attention")
    attention.add_argument("--texts", type=int, default=1500, help="of about 230 tokens, as reviews are")
    attention.add_argument("--folder", type=Path, default=None, help="where to write; a temporary folder")
    for command in (linear, attention):
        command.add_argument("--dim", type=int, default=768)
        command.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    if given.what == "linear":
        from benchmarks.linear_probe import compare

        compare(given.rows, given.dim, given.rounds)
    else:
        from benchmarks.attention_epoch import compare_epochs

        compare_epochs(given.texts, given.dim, given.rounds, given.folder)


def take_turns(ways: dict[str, Train], rounds: int) -> dict[str, list[Cost]]:
    """Each way once a round, in an order that turns; the loss is asked for when the clock has stopped."""
    for train in ways.values():
        train()  # imports, files and memory are there afterwards
    costs: dict[str, list[Cost]] = {name: [] for name in ways}
    names = list(ways)
    for turn in range(rounds):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            cpu, wall = time.process_time(), time.perf_counter()
            loss = ways[name]()
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            costs[name].append(Cost(cpu, wall, loss()))
    return costs


def report(costs: dict[str, list[Cost]], ours: str) -> None:
    """One line a way: median seconds, and the median over rounds of its time as a multiple of ours."""
    for name, found in costs.items():
        cpu, wall = (statistics.median(getattr(cost, clock) for cost in found) for clock in ("cpu", "wall"))
        ratios = {
            clock: statistics.median(
                getattr(theirs, clock) / getattr(own, clock)
                for theirs, own in zip(found, costs[ours], strict=True)
            )
            for clock in ("cpu", "wall")
        }
        loss = statistics.median(cost.loss for cost in found)
        clocks = f"cpu {cpu:7.3f} s ({ratios['cpu']:5.2f}x)  wall {wall:7.3f} s ({ratios['wall']:5.2f}x)"
        print(f"  {name:40} {clocks}  loss {loss:.6f}", flush=True)


if __name__ == "__main__":
    main()
