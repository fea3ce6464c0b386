"""What the one index of a corpus takes: memory and time of its driver, by number of texts and of shards.

    python -m benchmarks.index_memory [--texts 2000000] [--per-shard 980]

Shards are described, not written: only their digests and lengths count here. What is measured is what
publishing does: finding every text among all shards, building the index, and writing it with its virtual
datasets. Memory is the peak of the process above what it held before.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from features.store.identity import Manifest
from features.store.index import build_index
from features.store.shards import Shard, columns
from features.store.store import Store

_BERT = Manifest(
    model="a BERT-base",
    weights="0" * 32,
    tokenizer="1" * 32,
    max_length=128,
    layers=(12,),
    vectors=("cls@12", "mean@12", "pooler"),
    dim=768,
    tokens="float16",
    version=1,
    precision="bfloat16",
)


def described(texts: int, per_shard: int, random: np.random.Generator) -> list[Shard]:
    """Shards of random digests; 40 tokens a text."""
    shards = []
    places = tuple(range(0, 4096 * len(columns(_BERT)), 4096))
    for number, start in enumerate(range(0, texts, per_shard)):
        count = min(per_shard, texts - start)
        digests = random.integers(0, 256, (count, 16), np.uint8)
        shards.append(Shard(f"{number:032x}", 1, _BERT, digests, np.full(count, 40, np.int32), places))
    return shards


def main() -> None:
    """Measure one size and print a line of a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--texts", type=int, default=2_000_000)
    parser.add_argument("--per-shard", type=int, default=980)
    args = parser.parse_args()
    random = np.random.default_rng(13)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder), _BERT, print)
        store.shards = described(args.texts, args.per_shard, random)
        digests = np.concatenate([shard.digests for shard in store.shards])
        digests = digests[random.permutation(len(digests))]
        before = _peak()
        started = time.process_time()
        index, _ = build_index(store, digests, np.arange(args.texts))
        built = time.process_time()
        index.save(Path(folder))
        saved = time.process_time()
        size = (Path(folder) / "index.h5").stat().st_size
    print("| texts | shards | memory, bytes a text | finding, CPU s | writing, CPU s | index, bytes a text |")
    print("|---|---|---|---|---|---|")
    print(
        f"| {args.texts:,} | {len(store.shards):,} | {(_peak() - before) / args.texts:.0f} "
        f"| {built - started:.1f} | {saved - built:.1f} | {size / args.texts:.0f} |"
    )


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
