"""How fast texts become vectors, beside the usual ways, as ratios of one interleaved run.

    python -m benchmarks.encode --csv reviews.csv --column review --model FOLDER [--max-length 512]
    python -m benchmarks.encode --csv comments.csv --column Comment --vocabulary vocab.txt --max-length 128

With `--vocabulary` an encoder of BERT-base size with random weights is made: speed does not depend on them.
Every engine has a process of its own and waits while another runs; a ratio is the median over rounds of this
project's rate divided by the peer's rate in the same round. `--peer-python` and `--openvino-python` name the
interpreters that have the peers installed (see requirements.txt); a peer that cannot start is left out and
said so. `--engines` also takes this engine with padding (`encode-once static`, `dynamic`, `sorted`). `--json`
is written after every round, so that an interrupted run keeps the rounds it finished.

On a GPU (`--device cuda`) the half precision is float16 and its peak is that of the GPU. That needs an NVIDIA
GPU, torch built for CUDA here and in the peers' environment, and a GPU that nothing else uses meanwhile.

`--clock cpu --threads 1` counts processor seconds of one thread instead of time on the wall: the only honest
comparison on a machine that others keep busy, where engines that wait for all threads after every product
lose most of their time to waiting.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from benchmarks.corpora import read_column, write_base_encoder
from benchmarks.fidelity import Fidelity
from benchmarks.flops import forward_flops
from benchmarks.workers import Measured, measure_fidelity, median_ratio, start, take_turns
from features.encoder.tokenizer import Tokenizer

OURS = "encode-once"
ENGINES = (
    OURS, "encode-once float32", "encode-once extract", "sentence-transformers", "sentence-transformers half",
    "openvino bf16", "pipeline",
)  # fmt: skip
PADDED = ("encode-once static", "encode-once dynamic", "encode-once sorted")
EXTRACT = "encode-once extract"


class Work(NamedTuple):
    """What every engine has to do: so many texts, pieces and FLOPs, padding not counted."""

    texts: int
    pieces: int
    flops: int


def main() -> None:
    """Measure and print the table."""
    args = _arguments()
    _check_device(args)
    texts = read_column(args.csv, args.column, args.texts)
    with tempfile.TemporaryDirectory() as scratch:
        room = Path(scratch)
        folder = args.model or write_base_encoder(room / "base", args.vocabulary)
        texts_file = room / "texts.json"
        texts_file.write_text(json.dumps(texts), encoding="utf-8")
        pieces = Tokenizer.load(folder, args.max_length).tokenize(texts)
        work = Work(len(texts), int(pieces.lengths.sum()), forward_flops(folder, pieces.lengths.tolist()))
        arguments = [str(folder), str(args.max_length), args.device, str(args.threads)]
        arguments += [args.clock, str(texts_file)]
        workers = start({name: _python(args, name) for name in args.engines}, arguments)
        fidelity = measure_fidelity(workers, sys.executable, arguments, args.fidelity, room)

        def keep(measured: Measured) -> None:
            if args.json:
                _write(args.json, measured, rows_of(measured, fidelity, work), work, args)

        measured = take_turns(workers, args.rounds, keep)
    for worker in workers:
        worker.close()
    print(f"\n{work.texts} texts of {args.csv.name}, {work.pieces} pieces, at most {args.max_length} each;")
    print(f"{args.rounds} rounds; {args.device}, {args.threads} threads, {args.clock} clock; products reach")
    print(f"{measured.half / 1e9:.0f} GFLOP/s in half precision, {measured.float32 / 1e9:.0f} in float32\n")
    print(_table(rows_of(measured, fidelity, work)))
    if {OURS, EXTRACT} <= set(measured.seconds):
        share = median_ratio(measured.seconds[OURS], measured.seconds[EXTRACT])
        print(f"\nThe extract stage, with tokenising, writing and fsync: {share:.2f} of the bare engine.")


def rows_of(measured: Measured, fidelity: dict[str, Fidelity], work: Work) -> list[dict[str, str]]:
    """The table's rows, from the rounds there are."""
    return [_row(name, measured, fidelity.get(name), work) for name in measured.seconds]


def _check_device(args: argparse.Namespace) -> None:
    if args.device != "cuda":
        return
    import torch

    if not torch.cuda.is_available():
        raise SystemExit(
            f"--device cuda needs an NVIDIA GPU and a torch built for CUDA; torch {torch.__version__} here "
            f"sees none: install such a torch here and for --peer-python, or use --device cpu"
        )
    if args.clock == "cpu":
        raise SystemExit("--clock cpu counts processor time, in which a GPU's work is not; use --clock wall")


def _write(
    path: Path, measured: Measured, rows: list[dict[str, str]], work: Work, args: argparse.Namespace
) -> None:
    settings = {name: str(value) for name, value in vars(args).items()}
    done = {**measured._asdict(), "rows": rows, "work": work._asdict(), "settings": settings}
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(done, indent=1), encoding="utf-8")
    partial.replace(path)


def _python(args: argparse.Namespace, name: str) -> str:
    if name.startswith(OURS):
        return sys.executable
    return str(args.openvino_python if name.startswith("openvino") else args.peer_python)


def _row(name: str, measured: Measured, fidelity: Fidelity | None, work: Work) -> dict[str, str]:
    seconds = statistics.median(measured.seconds[name])
    ours = measured.seconds.get(OURS, measured.seconds[name])
    return {
        "engine": name,
        "texts/s": f"{work.texts / seconds:.1f}",
        "pieces/s": f"{work.pieces / seconds:.0f}",
        "GFLOP/s": f"{work.flops / seconds / 1e9:.0f}",
        "share of half-precision peak": f"{work.flops / seconds / measured.half:.0%}",
        "encode-once is faster by": f"{median_ratio(measured.seconds[name], ours):.2f}x",
        "cosine mean / lowest / pooled": " / ".join(f"{x:.6f}" for x in fidelity)
        if fidelity
        else "as encode-once",
    }


def _table(rows: list[dict[str, str]]) -> str:
    head = list(rows[0])
    lines = [head, ["---"] * len(head), *(list(row.values()) for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--csv", type=Path, required=True)
    parser.add_argument("--column", required=True)
    encoder = parser.add_mutually_exclusive_group(required=True)
    encoder.add_argument("--model", type=Path, help="folder of an encoder")
    encoder.add_argument(
        "--vocabulary", type=Path, help="WordPiece vocabulary for a BERT-base of random weights"
    )
    parser.add_argument("--texts", type=int, default=512)
    parser.add_argument("--max-length", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--fidelity", type=int, default=64, help="texts compared with plain float32")
    parser.add_argument("--engines", nargs="+", choices=(*ENGINES, *PADDED), default=ENGINES)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--openvino-python", default=sys.executable)
    parser.add_argument("--json", type=Path, help="file for the figures, written after each round")
    return parser.parse_args()


if __name__ == "__main__":
    main()
