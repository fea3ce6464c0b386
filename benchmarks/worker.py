"""One engine in a process of its own, so that peers with other requirements can take turns with this project.

    python -m benchmarks.worker ENGINE FOLDER MAX_LENGTH DEVICE THREADS CLOCK TEXTS.json

Reads commands from standard input and answers each with one line of JSON: `run` encodes all texts and says
how long it took; `vectors COUNT FILE` writes the token embeddings of the first texts; `peak` times products.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch

from benchmarks.engines import Engine, build
from benchmarks.flops import Clock, peak_flops

CLOCKS: dict[str, Clock] = {"wall": time.perf_counter, "cpu": time.process_time}


def main(
    name: str, folder: str, max_length: str, device: str, threads: str, clock: str, texts_file: str
) -> None:
    """Build the engine, say so, and answer commands until standard input ends."""
    answers = _claim_output()
    torch.set_num_threads(int(threads))
    texts: list[str] = json.loads(Path(texts_file).read_text(encoding="utf-8"))
    engine = build(name, Path(folder), int(max_length), device, int(threads))
    now = CLOCKS[clock]
    _answer(answers, {"ready": name})
    for line in sys.stdin:
        _answer(answers, _obey(line.split(), engine, texts, torch.device(device), now))


def _obey(
    command: list[str], engine: Engine, texts: list[str], device: torch.device, now: Clock
) -> dict[str, Any]:
    if command[0] == "run":
        started = now()
        engine(texts)
        return {"seconds": now() - started}
    if command[0] == "vectors":
        tokens = engine(texts[: int(command[1])])
        np.savez(command[2], *tokens)
        return {"written": len(tokens)}
    half = torch.float16 if device.type == "cuda" else torch.bfloat16
    return {"half": peak_flops(half, device, now), "float32": peak_flops(torch.float32, device, now)}


def _claim_output() -> IO[str]:
    """Keep standard output for answers; whatever libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _answer(answers: IO[str], answer: dict[str, Any]) -> None:
    print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
