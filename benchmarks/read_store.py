"""Random batches of 64 texts: this project's store against a raw memory map and two usual h5py layouts.

    python -m benchmarks.read_store [--long 1000] [--short 12000] [--dim 768] [--rounds 7] [--no-gzip]

All hold the same token embeddings and give the same batches, which is checked; so do the two that keep them
in 8 bits, the store and a raw memory map, and both give float16. Rounds are interleaved; the table gives the
median milliseconds of processor time of a batch with a warm page cache, and how many times as long as the
store each takes.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from features.corpus.texts import Text
from features.store.identity import Manifest
from features.store.index import publish
from features.store.reading import FeatureStore
from features.store.shards import EncodedBatch, dequantise, quantise
from features.store.store import Store, text_digests
from features.store.writing import ShardWriter

LAYER = 12
BATCH = 64
BATCHES = 20
STORE = "this store"
Gather = Callable[[npt.NDArray[np.int64]], npt.NDArray[np.float16]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--long", type=int, default=1000, help="texts of about 230 tokens, as reviews are")
    parser.add_argument("--short", type=int, default=12000, help="texts of about 20 tokens, as comments are")
    parser.add_argument("--dim", type=int, default=768)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--no-gzip", action="store_true", help="leave out the slowest")
    parser.add_argument("--folder", type=Path, default=None, help="where to write; a temporary folder")
    given = parser.parse_args()
    for name, count, tokens in (("reviews", given.long, 230), ("comments", given.short, 20)):
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            compare(name, Path(folder), count, tokens, given)


def compare(name: str, folder: Path, count: int, mean: int, given: argparse.Namespace) -> None:
    dim, rounds = given.dim, given.rounds
    random = np.random.default_rng(13)
    lengths = np.clip(random.lognormal(np.log(mean) - 0.18, 0.6, count), 3, 512).astype(np.int32)
    tokens = random.standard_normal((int(lengths.sum(dtype=np.int64)), dim), np.float32).astype(np.float16)
    print(f"{name}: {count:,} texts, {len(tokens):,} tokens of {dim}, {tokens.nbytes / 1e9:.2f} GB")
    starts = np.cumsum(lengths, dtype=np.int64) - lengths
    readers: dict[str, Gather] = {
        STORE: store_reader(folder / "float16", lengths, tokens, "float16"),
        "raw memory map": map_reader(folder / "raw.bin", starts, lengths, tokens),
        "h5py, 1,024-row chunks": h5_reader(folder / "chunked.h5", starts, lengths, tokens),
    }
    if not given.no_gzip:
        readers["h5py, 1,024-row chunks, gzip"] = h5_reader(
            folder / "gzip.h5", starts, lengths, tokens, compression="gzip"
        )
    in_8_bits: dict[str, Gather] = {
        "this store, 8 bits": store_reader(folder / "int8", lengths, tokens, "int8"),
        "raw memory map, 8 bits": quantised_map_reader(folder, starts, lengths, tokens),
    }
    del tokens
    plans = [[random.integers(0, count, BATCH) for _ in range(BATCHES)] for _ in range(rounds)]
    for texts in plans[0][:3]:
        for alike in (readers, in_8_bits):
            batches = [reader(texts) for reader in alike.values()]
            assert all(np.array_equal(batches[0], other) for other in batches[1:])
    readers |= in_8_bits
    times: dict[str, list[float]] = {reader: [] for reader in readers}
    for plan in plans:
        for label, reader in readers.items():
            began = time.process_time()
            for texts in plan:
                reader(texts)
            times[label].append((time.process_time() - began) / BATCHES)
    report(times)


def report(times: dict[str, list[float]]) -> None:
    medians = {label: statistics.median(values) for label, values in times.items()}
    for label, median in medians.items():
        low, high = min(times[label]), max(times[label])
        print(
            f"  {label:30} {median * 1e3:9.2f} ms  ({low * 1e3:.2f} to {high * 1e3:.2f})"
            f"  {median / medians[STORE]:8.2f} x"
        )


def store_reader(
    folder: Path, lengths: npt.NDArray[np.int32], tokens: npt.NDArray[np.float16], form: str
) -> Gather:
    manifest = Manifest("benchmark", "", "", 512, (LAYER,), (), tokens.shape[1], form, 1, "float32")
    texts = [Text(str(number)) for number in range(len(lengths))]
    digests = text_digests(texts)
    with Store(folder / "store", manifest, print) as store:
        with ShardWriter(store) as writer:
            for first in range(0, len(texts), 64):
                chosen = slice(first, first + 64)
                writer.add(digests[chosen], batch_of(lengths, tokens, chosen))
        publish(folder / "out", store, digests, np.arange(len(texts)))
    reader = FeatureStore.open(folder / "out").tokens(LAYER)
    return lambda texts: reader.gather(texts).tokens


def batch_of(lengths: npt.NDArray[np.int32], tokens: npt.NDArray[np.float16], chosen: slice) -> EncodedBatch:
    start = int(lengths[: chosen.start].sum(dtype=np.int64))
    part = lengths[chosen]
    total = int(part.sum())
    return EncodedBatch(
        index=np.arange(len(part), dtype=np.int64),
        lengths=part,
        pooled=np.empty((len(part), 0, tokens.shape[1]), np.float32),
        tokens=(tokens[start : start + total],),
        piece_ids=np.zeros(total, np.int32),
        char_spans=np.zeros((total, 2), np.int32),
        segments=np.zeros(total, np.int8),
    )


def map_reader(
    path: Path,
    starts: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int32],
    tokens: npt.NDArray[np.float16],
) -> Gather:
    tokens.tofile(path)
    return sliced(np.memmap(path, np.float16, "r", shape=tokens.shape), starts, lengths)


def quantised_map_reader(
    folder: Path,
    starts: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int32],
    tokens: npt.NDArray[np.float16],
) -> Gather:
    for start in range(0, len(tokens), 65_536):
        for name, part in zip(("values", "scales"), quantise(tokens[start : start + 65_536]), strict=True):
            with (folder / name).open("ab") as file:
                part.tofile(file)
    values = sliced(np.memmap(folder / "values", np.int8, "r", shape=tokens.shape), starts, lengths)
    scales = sliced(np.memmap(folder / "scales", np.float32, "r"), starts, lengths)
    return lambda texts: dequantise(values(texts), scales(texts))


def h5_reader(
    path: Path,
    starts: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int32],
    tokens: npt.NDArray[np.float16],
    compression: str | None = None,
) -> Gather:
    with h5py.File(path, "w") as file:
        file.create_dataset("tokens", data=tokens, chunks=(1024, tokens.shape[1]), compression=compression)
    return sliced(h5py.File(path)["tokens"], starts, lengths)


def sliced(source: Any, starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int32]) -> Any:
    """The reading loop that all but the store share: a slice a text, joined."""

    def gather(texts: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        pieces: Sequence[Any] = [source[starts[text] : starts[text] + lengths[text]] for text in texts]
        return np.concatenate(pieces)

    return gather


if __name__ == "__main__":
    main()
