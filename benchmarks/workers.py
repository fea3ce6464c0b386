"""Starting engines in processes of their own and asking them to work, one at a time."""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.fidelity import Fidelity, compare


class Worker:
    """An engine in its own process."""

    def __init__(self, name: str, python: str, arguments: list[str]) -> None:
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 (closed by `close`)
        command = [python, "-W", "ignore", "-m", "benchmarks.worker", name, *arguments]
        self.name = name
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True
        )
        self.started = bool(self._process.stdout and self._process.stdout.readline())

    def ask(self, command: str) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(command, file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} stopped: {self.last_words()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def last_words(self) -> str:
        """The last line that the process wrote to standard error."""
        self._process.wait()
        self._errors.seek(0)
        return (self._errors.read().strip().splitlines() or ["no message"])[-1]

    def close(self) -> None:
        """End the process."""
        self._process.communicate()
        self._errors.close()


class Measured(NamedTuple):
    """What the rounds gave.

    seconds: of each engine, one number a round.
    half, float32: the machine's fastest products in FLOP/s, the best of all rounds.
    """

    seconds: dict[str, list[float]]
    half: float
    float32: float


def start(pythons: dict[str, str], arguments: list[str]) -> list[Worker]:
    """Start the engines named; one that cannot start is left out, and said so."""
    workers: list[Worker] = []
    for name, python in pythons.items():
        worker = Worker(name, python, arguments)
        if worker.started:
            workers.append(worker)
        else:
            print(f"left out: {name} ({worker.last_words()})", flush=True)
            worker.close()
    return workers


def take_turns(workers: list[Worker], rounds: int, after: Callable[[Measured], None]) -> Measured:
    """Each engine encodes all texts once a round, in an order that turns from round to round.

    `after` is told all that is known at the end of each round.
    """
    seconds: dict[str, list[float]] = {worker.name: [] for worker in workers}
    peaks: list[dict[str, float]] = []
    for turn in range(rounds):
        peaks.append(workers[0].ask("peak"))
        shift = turn % len(workers)
        for worker in workers[shift:] + workers[:shift]:
            seconds[worker.name].append(worker.ask("run")["seconds"])
        times = ", ".join(f"{name} {times[-1]:.1f} s" for name, times in seconds.items())
        print(f"round {turn + 1} of {rounds}: {times}", flush=True)
        half, single = (max(peak[name] for peak in peaks) for name in ("half", "float32"))
        measured = Measured(seconds, half, single)
        after(measured)
    return measured


def measure_fidelity(
    workers: list[Worker], python: str, arguments: list[str], count: int, room: Path
) -> dict[str, Fidelity]:
    """Cosines of each engine's first texts with plain float32; this also warms the engines up."""
    alone = Worker("alone", python, arguments)
    alone.ask(f"vectors {count} {room / 'alone.npz'}")
    alone.close()
    found: dict[str, Fidelity] = {}
    for number, worker in enumerate(workers):
        path = room / f"{number}.npz"
        if worker.ask(f"vectors {count} {path}")["written"]:
            found[worker.name] = compare(path, room / "alone.npz")
    return found


def median_ratio(theirs: list[float], ours: list[float]) -> float:
    """Median over rounds of how many times as long they took as we did in the same round."""
    return statistics.median(a / b for a, b in zip(theirs, ours, strict=True))
