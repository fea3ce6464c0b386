"""Peak memory of extraction, with few texts and with many.

    python -m benchmarks.memory [--texts 10000 500000] [--words 5] [--width 64] [--folder DIR]

Each size runs in a process of its own: a prepared corpus of made-up texts goes through a small encoder into
a fresh store. The table gives the peak of resident memory once the encoder is loaded, once the corpus is, and
at the end. What the second adds is the corpus itself; what the third adds is extraction. Shards are small, so
that the least corpus fills several and what a shard takes is in every row.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from features.corpus.corpus import Corpus
from features.corpus.labels import rating_labels
from features.corpus.texts import Text

TOKENIZER = Path("encoders/mini-en")
SHARD_BYTES = 2 * 2**20
STEPS = ("loaded", "corpus", "done")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, nargs="+", default=[10_000, 500_000])
    parser.add_argument("--words", type=int, default=5, help="words of a text, on average")
    parser.add_argument("--width", type=int, default=64, help="of the encoder, which has one layer")
    parser.add_argument("--folder", type=Path, default=None, help="where to write; a temporary folder")
    parser.add_argument("--child", type=Path, default=None, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child is not None:
        print(json.dumps(extract_corpus(given.child)))
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        write_encoder(folder / "encoder", given.width)
        found = []
        for count in given.texts:
            found.append(measure(folder, count, given.words))
            print(f"{count:,} texts done", file=sys.stderr, flush=True)
        report(found, given.texts)


def measure(folder: Path, count: int, words: int) -> dict[str, int]:
    """Bytes at each of `STEPS` for a corpus of `count` texts, in a process of its own."""
    write_corpus(folder / "corpus.h5", count, words)
    command = [sys.executable, "-m", "benchmarks.memory", "--child", str(folder)]
    found: dict[str, int] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    for part in ("store", "out"):
        shutil.rmtree(folder / part)
    return found


def extract_corpus(folder: Path) -> dict[str, int]:
    """Extract a prepared corpus; peak memory after each step."""
    from features.encoder.encoder import Encoder, EncoderSpec
    from features.store.extraction import extract

    encoder = Encoder.load(EncoderSpec(str(folder / "encoder"), None, 32))
    for _ in encoder.encode([Text("warm " * 30)] * 512):
        pass
    peaks = [peak()]
    corpus = Corpus.load(folder / "corpus.h5")
    peaks.append(peak())
    store, out = folder / "store", folder / "out"
    extract(corpus.texts, corpus.text, encoder, store, out, lambda line: None, shard_bytes=SHARD_BYTES)
    peaks.append(peak())
    return dict(zip(STEPS, peaks, strict=True))


def peak() -> int:
    """Highest resident memory of this process in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # `getrusage` counts what the parent had before it started this process
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    factor = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * factor


def write_corpus(path: Path, count: int, words: int) -> None:
    """A prepared corpus of distinct texts."""
    random = np.random.default_rng(13)
    lengths = random.integers(1, 2 * words, count)
    numbers = random.integers(0, 10_000, int(lengths.sum())).astype(str)
    ends = np.cumsum(lengths).tolist()
    spans = zip([0, *ends], ends, range(count), strict=False)
    Corpus(
        name="memory",
        language="en",
        labels=rating_labels(1, 5).labels,
        texts=tuple(Text(f"{number} " + " ".join(numbers[start:end])) for start, end, number in spans),
        text=np.arange(count),
        label=np.ones(count, np.int64),
        split=np.zeros(count, np.int8),
        number=np.arange(count),
    ).save(path)


def write_encoder(folder: Path, width: int) -> None:
    """One layer with random weights: memory does not depend on their values."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertModel

    tokenizer = AutoTokenizer.from_pretrained(TOKENIZER)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=2 * width,
    )
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def report(found: list[dict[str, int]], counts: list[int]) -> None:
    print("| texts | encoder loaded | + corpus | + extraction = peak | extraction adds |")
    print("|---|---|---|---|---|")
    for count, peaks in zip(counts, found, strict=True):
        loaded, corpus, done = (peaks[step] / 2**20 for step in STEPS)
        added = done - corpus
        print(f"| {count:,} | {loaded:.0f} MiB | {corpus:.0f} MiB | {done:.0f} MiB | {added:.0f} MiB |")
    first, last = found[0], found[-1]
    per_text = (last["done"] - first["done"]) / max(counts[-1] - counts[0], 1)
    print(f"\npeak of the largest is {last['done'] / first['done']:.2f} times that of the smallest:")
    print(f"{per_text:.0f} bytes for each further text")


if __name__ == "__main__":
    main()
