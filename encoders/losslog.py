"""log.csv: one line of mean losses every few steps, cut back to the checkpoint on resume."""

from __future__ import annotations

import csv
from pathlib import Path


def trim_log(path: Path, step: int) -> None:
    """Drop the lines of steps that a killed run made after its last checkpoint."""
    if path.is_file():
        head, *lines = path.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if int(line.partition(",")[0]) <= step]
        path.write_text("\n".join([head, *kept]) + "\n", encoding="utf-8")


def append_log(path: Path, entry: dict[str, float]) -> None:
    new = not path.is_file()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(entry)
        writer.writerow([f"{value:.5g}" if isinstance(value, float) else value for value in entry.values()])
