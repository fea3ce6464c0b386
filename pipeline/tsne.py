"""Stage: a t-SNE map of the test split's pooled vectors, coloured by label (van der Maaten & Hinton 2008).

PCA to 50 dimensions first. Neighbourhoods in the map mean something; axes, sizes and gaps between clusters
do not.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from features.corpus import Corpus
from features.errors import InputError
from features.reading import FeatureStore
from pipeline import layout
from pipeline.params import TsneParams, load_params
from pipeline.plots import plot_scatter
from pipeline.stage import log, run_stage

_PCA = 50


def main(name: str) -> None:
    """Map one corpus into `layout.tsne_folder(name)`."""
    params = load_params().corpus(name).tsne
    corpus = Corpus.load(layout.corpus_folder(name) / "corpus.h5")
    store = FeatureStore.open(layout.cache_folder(name))
    rows = _choose(corpus.rows("test"), params)
    vector = _vector_name(params.vector, store.manifest.vectors)
    points = embed(store.pooled(vector)[store.rows[rows]], params.perplexity, params.seed)
    folder = layout.tsne_folder(name)
    _save(folder / "tsne.h5", rows, points)
    title = f"{name}: {len(rows):,} test texts, {vector}, perplexity {params.perplexity:g}"
    plot_scatter(folder / "tsne.png", points, corpus.label[rows], corpus.labels, title)
    log.info("%s: %d points mapped", name, len(rows))


def embed(vectors: npt.NDArray[np.float32], perplexity: float, seed: int) -> npt.NDArray[np.float32]:
    """The map of n vectors (n, D): (n, 2) float32.

    Raises:
        InputError: fewer vectors than three times the perplexity, where the method has no meaning.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    if len(vectors) <= 3 * perplexity:
        raise InputError(
            f"t-SNE with perplexity {perplexity:g} needs more than {3 * perplexity:g} texts, and there are "
            f"{len(vectors)}; lower `tsne.perplexity`"
        )
    size = min(_PCA, *vectors.shape)
    reduced = PCA(size, random_state=seed).fit_transform(vectors.astype(np.float64))
    mapper = TSNE(perplexity=perplexity, init="pca", random_state=seed, n_jobs=-1)
    points: npt.NDArray[np.float32] = mapper.fit_transform(reduced).astype(np.float32)
    return points


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
