"""The prepare stage on a made-up file in the Douban layout, against a bare pass of `csv.reader` over it.

    python -m benchmarks.prepare [--rows 500000 2100000] [--folder DIR] [--only-write FILE]

Both run as processes of their own, start-up included, so that peak memory is their own. One line a size: rows
a second, peak resident memory, and the stage's time as a multiple of the bare pass: by the clock, and by the
processor's time, which other work on the machine distorts less.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
HEADER = (
    "ID", "Movie_Name_EN", "Movie_Name_CN", "Crawl_Date", "Number", "Username", "Date", "Star", "Comment",
    "Like",
)  # fmt: skip
FILMS = 28
MEDIAN, SPREAD, LONGEST = 35, 0.75, 300  # characters of a comment: log-normal
STAR_SHARES = (0.06, 0.11, 0.31, 0.34, 0.18)
REPEATED, NO_STAR, EMPTY_STAR, BROKEN, SPANNING, MARKED = 0.02, 0.012, 0.003, 0.001, 0.08, 0.01
HEADER_EVERY = 100_000
_BLOCK = 10_000
BARE_PASS = """
import csv, sys
with open(sys.argv[1], encoding="utf-8-sig", newline="") as file:
    for _ in csv.reader(file):
        pass
"""
PARAMS = """\
encoders: {{zh: {{model: encoders/mini-zh}}}}
corpora:
  made-up:
    source: {source}
    columns: {{text: Comment, label: Star, group: Movie_Name_CN, unknown: reject}}
    labels: {{rating: [1, 5]}}
    split: {{test: 0.2, validation: 0.1, seed: 13}}
    language: zh
    encode: {{encoder: zh, max_length: 128}}
    words: {{}}
    tsne: {{}}
runs: {{}}
training: {{}}
attention: {{}}
"""


class Reading(NamedTuple):
    """One process: seconds by the clock, seconds of processor time, and peak resident memory in bytes."""

    seconds: float
    processor: float
    peak: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[500_000, 2_100_000])
    parser.add_argument("--folder", type=Path, default=None, help="where to write; a temporary folder")
    parser.add_argument("--only-write", type=Path, default=None, help="write the first size here, and stop")
    given = parser.parse_args()
    if given.only_write:
        write_table(given.only_write, given.rows[0])
        return
    for rows in given.rows:
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            source = Path(folder) / "made-up.csv"
            write_table(source, rows)
            report(
                rows,
                source,
                measure_stage(source),
                measure([sys.executable, "-c", BARE_PASS, source.name], source),
            )


def report(rows: int, source: Path, stage: Reading, bare: Reading) -> None:
    print(
        f"{rows:>9,} rows, {source.stat().st_size / 1e6:,.0f} MB: {stage.seconds:.1f} s "
        f"({rows / stage.seconds:,.0f} rows/s), processor {stage.processor:.1f} s "
        f"({rows / stage.processor:,.0f} rows/s), peak {stage.peak / 2**20:,.0f} MiB; "
        f"csv.reader alone {bare.seconds:.1f} s, processor {bare.processor:.1f} s: "
        f"{stage.seconds / bare.seconds:.1f} x, processor {stage.processor / bare.processor:.1f} x",
        flush=True,
    )


def measure_stage(source: Path) -> Reading:
    """Run `python -m pipeline.prepare` on a file, beside it."""
    (source.parent / "params.yaml").write_text(PARAMS.format(source=source.name), "utf-8")
    return measure([sys.executable, "-m", "pipeline.prepare", "made-up"], source)


def measure(command: Sequence[str], source: Path) -> Reading:
    """Run a command in the file's folder."""
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=source.parent, env={**os.environ, "PYTHONPATH": paths})
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[1:3]} ended with {process.returncode}")
    unit = 1 if sys.platform == "darwin" else 1024  # what getrusage counts memory in
    return Reading(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit)


def write_table(path: Path, rows: int, seed: int = 13) -> None:
    """Comments of made-up words in the ten columns of the Douban set, with its dirt; the same for a seed."""
    random = np.random.default_rng(seed)
    words = made_up_words(random)
    films = [(f"Film {i}", "".join(words[i * 7 : i * 7 + 2])) for i in range(FILMS)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        for first in range(0, rows, _BLOCK):
            writer.writerows(block(random, words, films, first, min(_BLOCK, rows - first)))


def made_up_words(random: np.random.Generator) -> list[str]:
    """20,000 words of one to four Chinese characters drawn at random, with punctuation among them."""
    signs = random.integers(0x4E00, 0x4E00 + 6000, size=(20_000, 4))
    lengths = random.choice([1, 2, 3, 4], size=20_000, p=[0.15, 0.55, 0.2, 0.1])
    words = ["".join(map(chr, row[:length])) for row, length in zip(signs, lengths, strict=True)]
    words[::9] = [random.choice(["，", "。", "！", "……", "、"]) for _ in words[::9]]
    return words


def block(
    random: np.random.Generator, words: Sequence[str], films: Sequence[tuple[str, str]], first: int, size: int
) -> Iterator[Sequence[object]]:
    """Rows `first` to `first + size`, each dirty in its own way now and then."""
    comments = made_up_comments(random, words, size)
    stars = random.choice(5, size=size, p=STAR_SHARES) + 1
    numbers = random.integers(0, 10**6, size=(size, 3)).tolist()
    film = random.integers(0, FILMS, size=size).tolist()
    repeats = random.random(size) < REPEATED
    dirt = random.random(size)
    for i, (english, chinese) in enumerate(films[f] for f in film):
        if (first + i) % HEADER_EVERY == HEADER_EVERY - 1:
            yield HEADER
            continue
        if repeats[i]:
            comments[i] = comments[numbers[i][0] % (i + 1)]
        star = "None" if dirt[i] < NO_STAR else "" if dirt[i] < NO_STAR + EMPTY_STAR else str(stars[i])
        user = f"u{numbers[i][1]}"
        row = (first + i, english, chinese, "2017-01-22", first + i, user, "2015-05-12", star, comments[i],
               numbers[i][2] % 900)  # fmt: skip
        yield row[:7] if dirt[i] > 1 - BROKEN else row


def made_up_comments(random: np.random.Generator, words: Sequence[str], size: int) -> list[str]:
    lengths = np.clip(random.lognormal(np.log(MEDIAN), SPREAD, size), 1, LONGEST).astype(np.int64).tolist()
    starts = random.integers(0, len(words) - LONGEST, size=size).tolist()
    strides = random.integers(1, 7, size=size).tolist()
    kinds = random.random(size).tolist()
    comments = []
    for length, start, stride, kind in zip(lengths, starts, strides, kinds, strict=True):
        text = "".join(words[start : start + length * stride : stride])[:length]
        if kind < SPANNING:
            text = f" {text}\n        "
        elif kind < SPANNING + MARKED:
            text = f'“{text}\u200b”, 10/10 "{text[:3]}"　!'
        comments.append(text)
    return comments


if __name__ == "__main__":
    main()
