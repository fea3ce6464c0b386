"""What Ray costs: the same extraction in one process and on a local cluster, in turns.

    python -m benchmarks.ray_overhead [--model encoders/mini-en] [--seconds 60] [--rounds 3]

Each part runs in a process of its own, with a store of its own: the local engine with one thread and with
two; Ray with one actor and with two actors of one thread each on a local cluster that is started and ended
for the run; and one actor on a cluster that stands already (`ray-1-standing`). "At work" leaves out what
happens once: on the local side loading and checking the encoder, on Ray's side until all actors have done so.
CPU time is that of the driver and of the actors' processes while at work; it says what Ray itself costs where
the clock on the wall cannot, on a machine that others use.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from features.cluster.actor import load_proven
from features.cluster.engine import ClusterEngine, Settings
from features.corpus.texts import Text
from features.encoder.device import give_products_to_half
from features.encoder.encoder import Encoder, EncoderSpec
from features.encoder.parity import check_parity, expected_vectors
from features.store.extraction import extract

PARTS = {"local-1": 1, "ray-1-standing": 1, "ray-1": 1, "local-2": 2, "ray-2": 2}
_PEERS = {"ray-1-standing": "local-1", "ray-1": "local-1", "ray-2": "local-2"}


class Timing(NamedTuple):
    """Seconds: everything, at work, and CPU time at work; and pieces encoded."""

    whole: float
    work: float
    cpu: float
    pieces: int


def texts_of(path: Path, column: str, count: int) -> list[Text]:
    """So many texts that differ: those of a column, numbered once they repeat."""
    with path.open(encoding="utf-8", newline="") as file:
        found = [row[column] for row in csv.DictReader(file)]
    return [Text(f"{found[i % len(found)]} {i // len(found)}") for i in range(count)]


def run_part(name: str, args: argparse.Namespace, room: Path) -> Timing:
    """One extraction in this process, timed."""
    texts = texts_of(args.csv, args.column, args.texts)
    spec = EncoderSpec(str(args.model), None, args.max_length)
    rows = np.arange(len(texts))
    started = time.perf_counter()
    many = PARTS[name]
    torch.set_num_threads(many if name.startswith("local") else 1)
    if name.startswith("local"):
        encoder = Encoder.load(spec, device="cpu")
        give_products_to_half(encoder.precision)
        check_parity(encoder)
        ready, cpu = time.perf_counter(), time.process_time()
        done = extract(texts, rows, encoder, room / "store", room / "out", _quiet)
        end = time.perf_counter()
        return Timing(end - started, end - ready, time.process_time() - cpu, done.new_tokens)
    encoder = Encoder.load(spec, device="cpu")
    at: list[tuple[float, float]] = []

    def watch(done: int, total: int, note: str) -> None:
        if note.startswith(f"{many} of {many} actors") and not at:
            at.append((time.perf_counter(), time.process_time()))

    build = partial(timed, partial(load_proven, spec, encoder.manifest, Path.cwd(), 1, {}), room)
    engine = ClusterEngine(build, lambda: expected_vectors(encoder), Settings(actors=many))
    done = extract(texts, rows, encoder, room / "store", room / "out", _quiet, watch, engine=engine)
    end = time.perf_counter()
    actors = sum(float(path.read_text()) for path in room.glob("*.seconds"))
    ready, cpu = at[0]
    return Timing(end - started, end - ready, time.process_time() - cpu + actors, done.new_tokens)


def timed(build: Callable[[Any], Any], folder: Path, expected: Any) -> Any:
    """Make an actor's encoder, which leaves the CPU time of its process since then in a folder."""
    encoder, loaded = build(expected), time.process_time()
    encode, file = encoder.encode, folder / f"{os.getpid()}.seconds"

    def encode_timed(texts: Any) -> Iterator[Any]:
        yield from encode(texts)
        file.write_text(str(time.process_time() - loaded))

    encoder.encode = encode_timed
    return encoder


def measure(name: str, args: argparse.Namespace) -> Timing:
    """One part in a process of its own."""
    given = ["--model", args.model, "--csv", args.csv, "--column", args.column, "--texts", args.texts]
    command = [sys.executable, "-m", "benchmarks.ray_overhead", "--part", name, *map(str, given)]
    with _standing(name.endswith("standing")) as address:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "RAY_ADDRESS": address}
        said = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    return Timing(**json.loads(said.splitlines()[-1]))


@contextmanager
def _standing(wanted: bool) -> Iterator[str]:
    """The address of a cluster on this machine, or nothing."""
    if not wanted:
        yield ""
        return
    import ray

    with ray.init("local", include_dashboard=False, log_to_driver=False, object_store_memory=2**28):
        yield ray.get_runtime_context().gcs_address


def main() -> None:
    """Measure all parts in turns and print their ratios."""
    args = _arguments()
    if args.part:
        with tempfile.TemporaryDirectory() as room:
            print(json.dumps(run_part(args.part, args, Path(room))._asdict()))
        return
    if not args.texts:
        args.texts = 1500
        trial = measure("local-1", args)
        args.texts = max(1, round(args.texts * args.seconds / trial.work))
    found: dict[str, list[Timing]] = {name: [] for name in args.parts}
    for turn in range(args.rounds):
        first = turn % len(found)
        for name in [*found][first:] + [*found][:first]:
            found[name].append(measure(name, args))
            print(f"round {turn + 1}: {name} {found[name][-1].work:.1f} s at work", flush=True)
    pieces = next(iter(found.values()))[0].pieces
    print(f"\n{args.texts:,} texts of {args.csv.name}, {pieces:,} pieces, {args.model}")
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}; median of {args.rounds} rounds\n")
    print("| | start included, s | at work, s | pieces/s at work | CPU at work, s |\n|---|---|---|---|---|")
    for name, times in found.items():
        whole, work, cpu, pieces = (statistics.median(column) for column in zip(*times, strict=True))
        print(f"| {name} | {whole:.1f} | {work:.1f} | {pieces / work:,.0f} | {cpu:.1f} |")
    for ours, theirs in _PEERS.items():
        if ours in found and theirs in found:
            print(_ratios(ours, theirs, found))


def _ratios(ours: str, theirs: str, found: dict[str, list[Timing]]) -> str:
    pairs = list(zip(found[ours], found[theirs], strict=True))
    ratios = [statistics.median(a[i] / b[i] for a, b in pairs) for i in range(3)]
    return "\n{} over {}: {:.3f} with start, {:.3f} at work, {:.3f} of CPU time at work".format(
        ours, theirs, *ratios
    )


def _quiet(line: str) -> None:
    pass


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=Path("encoders/mini-en"))
    parser.add_argument("--csv", type=Path, default=Path("data/sample/imdb.csv"))
    parser.add_argument("--column", default="review")
    parser.add_argument("--max-length", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the job, by the local engine")
    parser.add_argument("--texts", type=int, default=0, help="in place of --seconds")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=tuple(PARTS))
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
