"""What a t-SNE map costs and how well it keeps neighbours: scikit-learn beside openTSNE, by size.

    python -m benchmarks.tsne [--npy vectors.npy] [--sizes 5000 10000 20000 50000] [--rounds 1]

Vectors (n, D) come from `--npy`, or are made up: clusters in 256 dimensions. They are reduced to 50
dimensions by PCA once, as the stage does; the first rows of that are mapped. Each map is made in a process of
its own on one thread and costs what that process's clock of processor seconds says, so that other work on the
machine weighs less. Both libraries get the same perplexity, exaggeration, learning rate and iterations: 250
with early exaggeration and 750 without, or as many as `--late` says (0 gives a first idea of large sizes).

Quality is that of neighbours, for a sample of points: recall at 10 is the share of a point's 10 nearest in
the 50 dimensions that are among its 10 nearest in the map; trustworthiness is that of Venna & Kaski 2001.

openTSNE is installed apart: see requirements.txt; `--lib FOLDER` names where, if it is not on the path.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
Map = Callable[[Points, int], Points]

NEIGHBOURS = 10
_DIMENSIONS = 50
_EARLY = 250
_QUERIES = 2000
_PERPLEXITY, _SEED = 30.0, 13


def sklearn_map(vectors: Points, late: int) -> Points:
    """Barnes-Hut t-SNE with exact neighbours (van der Maaten 2014)."""
    from sklearn.manifold import TSNE

    mapper = TSNE(perplexity=_PERPLEXITY, init="pca", random_state=_SEED, n_jobs=1, max_iter=_EARLY + late)
    return np.asarray(mapper.fit_transform(vectors), np.float64)


def opentsne_map(gradient: str, neighbours: str) -> Map:
    """The openTSNE map with Barnes-Hut (`bh`) or interpolated (`fft`, Linderman et al. 2019) forces."""

    def fit(vectors: Points, late: int) -> Points:
        from openTSNE import TSNE

        mapper = TSNE(
            perplexity=_PERPLEXITY, initialization="pca", random_state=_SEED, n_jobs=1,
            early_exaggeration_iter=_EARLY, n_iter=late, negative_gradient_method=gradient,
            neighbors=neighbours,
        )  # fmt: skip
        return np.asarray(mapper.fit(vectors), np.float64)

    return fit


METHODS: dict[str, Map] = {
    "scikit-learn": sklearn_map,
    "openTSNE fft, annoy": opentsne_map("fft", "annoy"),
    "openTSNE fft, exact": opentsne_map("fft", "exact"),
    "openTSNE bh, annoy": opentsne_map("bh", "annoy"),
}


def main() -> None:
    """Measure, print a line as soon as it is known, and the table at the end."""
    args = _arguments()
    if args.one:
        _one(args.one, args.npy, args.late)
        return
    wide = np.load(args.npy) if args.npy else made_up(max(args.sizes))
    reduced = reduce(wide)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for size in args.sizes:
            file = Path(scratch) / "vectors.npy"
            np.save(file, reduced[:size])
            for turn in range(args.rounds):
                shift = turn % len(args.methods)
                for name in args.methods[shift:] + args.methods[:shift]:
                    rows.append({"points": size, "method": name, **_measure(name, file, args.late, args.lib)})
                    print(json.dumps(rows[-1]), flush=True)
    print(table(rows))


def made_up(count: int) -> npt.NDArray[np.float32]:
    """Forty clusters of unequal spread in 256 dimensions, (count, 256)."""
    random = np.random.default_rng(_SEED)
    centres = random.normal(size=(40, 256)) * 1.5
    spread = random.uniform(0.5, 1.5, size=40)
    chosen = random.integers(40, size=count)
    noise = random.normal(size=(count, 256)) * spread[chosen, None]
    return (centres[chosen] + noise).astype(np.float32)


def preservation(vectors: Points, points: Points) -> tuple[float, float]:
    """Recall at 10 and trustworthiness of a map, over at most 2,000 of its points.

    Args:
        vectors: (n, D), what was mapped.
        points: (n, 2), the map.
    """
    n = len(vectors)
    queries = np.sort(np.random.default_rng(0).permutation(n)[:_QUERIES])
    hits, penalty = 0, 0.0
    for start in range(0, len(queries), 100):
        chosen = queries[start : start + 100]
        near = _distances(vectors, chosen)
        shown = np.argsort(_distances(points, chosen), axis=1)[:, :NEIGHBOURS]
        ranks = np.empty_like(near, dtype=np.int64)
        np.put_along_axis(ranks, np.argsort(near, axis=1), np.arange(1, n + 1)[None, :], axis=1)
        found = np.take_along_axis(ranks, shown, axis=1)
        hits += int((found <= NEIGHBOURS).sum())
        penalty += float(np.maximum(found - NEIGHBOURS, 0).sum())
    worst = len(queries) * NEIGHBOURS * (2 * n - 3 * NEIGHBOURS - 1) / 2
    return hits / (len(queries) * NEIGHBOURS), 1.0 - penalty / worst


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: medians over rounds, and how many times scikit-learn's processor time that is."""
    lines = [
        "| points | method | processor seconds | of scikit-learn's | recall at 10 | trustworthiness | MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for size, name in dict.fromkeys((row["points"], row["method"]) for row in rows):
        own = _of(rows, size, name, "cpu")
        base = _of(rows, size, "scikit-learn", "cpu")
        share = f"{own / base:.2f}" if base == base else "–"
        recall, trust = (_of(rows, size, name, key) for key in ("recall", "trustworthiness"))
        memory = _of(rows, size, name, "memory_mb")
        lines.append(
            f"| {size:,} | {name} | {own:.0f} | {share} | {recall:.3f} | {trust:.4f} | {memory:.0f} |"
        )
    return "\n".join(lines)


def _of(rows: list[dict[str, Any]], size: int, name: str, key: str) -> float:
    values = [row[key] for row in rows if row["points"] == size and row["method"] == name]
    return float(np.median(values)) if values else float("nan")


def _distances(all_points: Points, chosen: npt.NDArray[np.int64]) -> Points:
    """Squared distances from the chosen points to all, (c, n); a point's own is infinite."""
    own = all_points[chosen]
    squared: Points = (own**2).sum(1)[:, None] - 2 * own @ all_points.T + (all_points**2).sum(1)
    squared[np.arange(len(chosen)), chosen] = np.inf
    return squared


def reduce(vectors: npt.NDArray[np.float32]) -> Points:
    """The vectors (n, D) on their 50 main axes, as the stage reduces them."""
    from sklearn.decomposition import PCA

    size = min(_DIMENSIONS, *vectors.shape)
    return np.asarray(PCA(size, random_state=_SEED).fit_transform(vectors.astype(np.float64)), np.float64)


def _measure(name: str, file: Path, late: int, lib: Path | None) -> dict[str, float]:
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    paths = [str(path) for path in (Path.cwd(), lib) if path is not None]
    environment = {**os.environ, **threads, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.tsne", "--one", name]
    command += ["--npy", str(file), "--late", str(late)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def _one(name: str, file: Path, late: int) -> None:
    vectors = np.load(file)
    METHODS[name](vectors[:200], 0)  # imports and threads are not what is measured
    wall, cpu = time.perf_counter(), time.process_time()
    points = METHODS[name](vectors, late)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    recall, trust = preservation(vectors, points)
    print(
        json.dumps(
            {"cpu": cpu, "wall": wall, "memory_mb": memory, "recall": recall, "trustworthiness": trust}
        )
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--npy", type=Path, help="vectors (n, D); without it they are made up")
    parser.add_argument("--sizes", type=int, nargs="+", default=[5000, 10000, 20000, 50000])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--late", type=int, default=750, help="iterations after the first 250 (%(default)s)")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--lib", type=Path, help="a folder that has openTSNE")
    parser.add_argument("--one", choices=METHODS, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
