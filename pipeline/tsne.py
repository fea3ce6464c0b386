"""Stage: a t-SNE map of the test split's pooled vectors, coloured by label (van der Maaten & Hinton 2008).

PCA to 50 dimensions first. Neighbourhoods in the map mean something; axes, sizes and gaps between clusters
do not.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from features.corpus.corpus import Corpus
from features.errors import InputError
from features.store.reading import FeatureStore
from pipeline.plots.figures import plot_scatter
from pipeline.project import layout
from pipeline.project.params import TsneParams, load_params
from pipeline.project.stage import log, run_stage

_PCA = 50
_FEWEST = 5  # texts below which there are no neighbourhoods to keep
_ITERATIONS = 1000


def main(name: str) -> None:
    """Map one corpus into `layout.tsne_folder(name)`."""
    params = load_params().corpus(name).tsne
    corpus = Corpus.load(layout.corpus_folder(name) / "corpus.h5")
    store = FeatureStore.open(layout.cache_folder(name))
    rows = _choose(corpus.rows("test"), params)
    vector = _vector_name(params.vector, store.manifest.vectors)
    perplexity = fitting_perplexity(params.perplexity, len(rows))
    if perplexity < params.perplexity:
        log.info("%s: %d texts carry a perplexity of %.3g at most", name, len(rows), perplexity)
    with tqdm(total=_ITERATIONS, desc=f"t-SNE {name}", unit="iteration") as bar:

        def progress(done: int) -> None:
            bar.update(done - bar.n)

        points = embed(store.pooled(vector)[store.rows[rows]], perplexity, params.seed, progress)
    folder = layout.tsne_folder(name)
    _save(folder / "tsne.h5", rows, points)
    title = f"{name}: {len(rows):,} test texts, {vector}, perplexity {perplexity:.3g}"
    plot_scatter(folder / "tsne.png", points, corpus.label[rows], corpus.labels, title)
    log.info("%s: %d points mapped", name, len(rows))


def embed(
    vectors: npt.NDArray[np.float32],
    perplexity: float,
    seed: int,
    progress: Callable[[int], None] = lambda done: None,
) -> npt.NDArray[np.float32]:
    """The map of n vectors (n, D): (n, 2) float32.

    Fewer than five vectors, or vectors that are all the same, are laid out by their main axes alone.

    Args:
        vectors: what is mapped.
        perplexity: at most `fitting_perplexity` allows.
        seed: of PCA's solver and of the optimisation.
        progress: called with the iterations done, every fifty.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    values = vectors.astype(np.float64)
    if len(values) < _FEWEST or not np.ptp(values, axis=0).any():
        return _main_axes(values)
    reduced = PCA(min(_PCA, *values.shape), random_state=seed).fit_transform(values)
    mapper = TSNE(
        perplexity=perplexity, init="pca", random_state=seed, n_jobs=-1, max_iter=_ITERATIONS, verbose=2
    )
    with redirect_stdout(_Lines(progress)):
        points: npt.NDArray[np.float32] = mapper.fit_transform(reduced).astype(np.float32)
    progress(_ITERATIONS)
    return points


def fitting_perplexity(wanted: float, n: int) -> float:
    """The perplexity wanted, or the highest that n texts carry: three neighbours a unit are looked at.

    >>> fitting_perplexity(30.0, 1500), fitting_perplexity(30.0, 31)
    (30.0, 10.0)
    """
    return min(wanted, max((n - 1) / 3, 1.0))


class _Lines(io.TextIOBase):
    """Takes the lines that scikit-learn prints, which is all it tells while it runs."""

    def __init__(self, progress: Callable[[int], None]) -> None:
        self._progress = progress

    def write(self, text: str) -> int:
        if found := re.search(r"Iteration (\d+)", text):
            self._progress(int(found[1]))
        return len(text)


def _main_axes(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    if not len(values):
        return np.empty((0, 2), np.float32)
    left, sizes, _ = np.linalg.svd(values - values.mean(axis=0), full_matrices=False)
    axes = (left * sizes)[:, :2]
    return np.pad(axes, ((0, 0), (0, 2 - axes.shape[1]))).astype(np.float32)


def read_map(folder: Path) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Rows (n,) int64 and points (n, 2) float32 of a finished map."""
    with h5py.File(folder / "tsne.h5", "r") as file:
        return file["rows"][()], file["points"][()]


def _save(path: Path, rows: npt.NDArray[np.int64], points: npt.NDArray[np.float32]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["rows"] = rows
        file["points"] = points


def _choose(rows: npt.NDArray[np.int64], params: TsneParams) -> npt.NDArray[np.int64]:
    return np.sort(np.random.default_rng(params.seed).permutation(rows)[: params.points])


def _vector_name(wanted: str, vectors: tuple[str, ...]) -> str:
    """`mean` and `cls` stand for the topmost layer's; a full name such as `mean@4` for itself."""
    matching = [name for name in vectors if name == wanted or name.partition("@")[0] == wanted]
    if not matching:
        raise InputError(f"`tsne.vector` is {wanted!r}; the cache holds {', '.join(vectors)}")
    return matching[-1]


if __name__ == "__main__":
    run_stage(main, "corpus", __doc__)
