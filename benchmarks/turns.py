"""Timing in turns: several ways to do one thing, round by round, so that a machine's drift hits all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

Loss = Callable[[], float]
Train = Callable[[], Loss]


class Cost(NamedTuple):
    """Seconds of one round, and the loss it ended with."""

    cpu: float
    wall: float
    loss: float


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
