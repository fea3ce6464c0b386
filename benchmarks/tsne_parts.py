"""What the parts of a large t-SNE cost, where whole maps take too long: neighbours once, and one iteration.

    python -m benchmarks.tsne_parts [--npy vectors.npy] [--sizes 20000 50000] [--radius 60] [--lib FOLDER]

Vectors are read and reduced as by `benchmarks.tsne`. An iteration's cost hangs on how far the map has spread
(openTSNE's grid grows with it), so it is timed on a disc of even density with the radius that a finished map
of the size has: measure that on a whole map of some size and pass it as `--radius`; it need not be exact.
Seconds are processor seconds of one thread; `whole` is neighbours + 1,000 iterations.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
if __name__ == "__main__":
    os.environ.update(THREADS)  # read when the libraries are loaded

import numpy as np  # noqa: E402

from benchmarks.tsne import Points, made_up, reduce  # noqa: E402

_PERPLEXITY = 30.0
_NEIGHBOURS = 91  # three a unit of perplexity, and one
_REPEATS = 5


def main() -> None:
    """Print one line of JSON for each size and library."""
    args = _arguments()
    if args.lib:
        sys.path.insert(0, str(args.lib))
    reduced = reduce(np.load(args.npy) if args.npy else made_up(max(args.sizes)))
    for size in args.sizes:
        vectors = reduced[:size]
        disc = even_disc(vectors, args.radius)
        for name, parts in (("scikit-learn", sklearn_parts), ("openTSNE fft, annoy", opentsne_parts)):
            near, iteration = parts(vectors, disc)
            found = {"points": size, "method": name, "radius": args.radius, "neighbours": round(near, 1)}
            whole = round(near + 1000 * iteration)
            print(json.dumps({**found, "iteration": round(iteration, 4), "whole": whole}), flush=True)


def even_disc(vectors: Points, radius: float) -> Points:
    """The two main axes of vectors (n, D) bent into a disc of even density, (n, 2): near stays near."""
    axes = vectors[:, :2] / vectors[:, :2].std(axis=0)
    distance = np.hypot(axes[:, 0], axes[:, 1])
    rank = np.argsort(np.argsort(distance)) / len(vectors)
    disc: Points = axes / np.maximum(distance, 1e-12)[:, None] * np.sqrt(rank)[:, None] * radius
    return disc


def sklearn_parts(vectors: Points, disc: Points) -> tuple[float, float]:
    """Processor seconds of scikit-learn's neighbours and affinities, and of one Barnes-Hut gradient."""
    from sklearn.manifold._t_sne import _joint_probabilities_nn, _kl_divergence_bh
    from sklearn.neighbors import NearestNeighbors

    started = time.process_time()
    graph = (
        NearestNeighbors(n_neighbors=_NEIGHBOURS - 1, n_jobs=1).fit(vectors).kneighbors_graph(mode="distance")
    )
    graph.data **= 2
    affinities = _joint_probabilities_nn(graph, _PERPLEXITY, 0)
    near = time.process_time() - started
    flat = disc.astype(np.float32).ravel()
    started = time.process_time()
    for _ in range(_REPEATS):
        _kl_divergence_bh(flat, affinities, 1.0, len(disc), 2, compute_error=False, num_threads=1)
    return near, (time.process_time() - started) / _REPEATS


def opentsne_parts(vectors: Points, disc: Points) -> tuple[float, float]:
    """Processor seconds of openTSNE's approximate neighbours and affinities, and of one interpolated step."""
    from openTSNE import TSNEEmbedding
    from openTSNE.affinity import PerplexityBasedNN

    started = time.process_time()
    affinities = PerplexityBasedNN(vectors, perplexity=_PERPLEXITY, method="annoy", n_jobs=1, random_state=0)
    near = time.process_time() - started
    embedding = TSNEEmbedding(
        disc.copy(), affinities, negative_gradient_method="fft", n_jobs=1, random_state=0
    )
    embedding.optimize(n_iter=1, inplace=True, learning_rate=1e-3, momentum=0)
    started = time.process_time()
    embedding.optimize(n_iter=_REPEATS, inplace=True, learning_rate=1e-3, momentum=0)
    return near, (time.process_time() - started) / _REPEATS


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--npy", type=Path, help="vectors (n, D); without it they are made up")
    parser.add_argument("--sizes", type=int, nargs="+", default=[20000, 50000])
    parser.add_argument("--radius", type=float, default=100.0)
    parser.add_argument("--lib", type=Path, help="a folder that has openTSNE")
    return parser.parse_args()


if __name__ == "__main__":
    main()
