"""Stage: what a corpus looks like: a t-SNE map of its test texts, and its words, overall and per label."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from pipeline.project.stage import log, run_stage
from features.corpus.corpus import Corpus
from features.errors import InputError
from features.words import Segmenter, read_stop_words, segmenter
from pipeline.plots.figures import plot_scatter, plot_words
from pipeline.project import layout
from pipeline.project.files import read_arrays, read_result, require_corpus, write_arrays, write_result
from pipeline.project.origin import open_cache
from pipeline.project.params import TsneParams, WordsParams, load_params


def main(name: str) -> None:
    """Map and count one corpus into `layout.explore_folder(name)`."""
    params = load_params().corpus(name)
    corpus = Corpus.load(layout.corpus_folder(name) / "corpus.h5")
    folder = layout.explore_folder(name)
    count_corpus(name, params.words, corpus, folder)
    map_corpus(name, params.tsne, corpus, folder)


def count_corpus(name: str, params: WordsParams, corpus: Corpus, folder: Path) -> None:
    """Write `words.json` and `words.png`, counted on the training split alone: no test text is looked at."""
    rows = corpus.rows("train")
    texts = tqdm(corpus.row_texts(rows), desc=f"words of {name}", unit="text")
    stop_words = read_stop_words(Path(params.stop_words) if params.stop_words else None)
    words = find_words(texts, segmenter(corpus.language, params.dictionary_file), stop_words)
    parts = {
        corpus.labels.name(value): np.flatnonzero(corpus.label[rows] == value)
        for value in corpus.labels.values
    }
    lists = count_words(words, parts, params.top)
    write_result(folder / "words.json", Words(corpus.digest, tuple(lists)))
    shown = {
        item.part: list(zip(item.distinctive.words[:15], item.distinctive.weights[:15], strict=True))
        for item in lists[1:]
    }
    plot_words(folder / "words.png", shown, f"{name}: words that set each label apart", "log odds (z)")
    log.info("%s: %d words, %d different", name, sum(map(len, words)), len({w for ws in words for w in ws}))


_PRIOR = 0.5  # added to each count of the log odds, so that a word seen once does not win


@dataclass(frozen=True)
class WordList:
    """Words in falling order, each with its weight."""

    words: tuple[str, ...]
    weights: tuple[float, ...]


@dataclass(frozen=True)
class WordLists:
    """The lists of one part of a corpus; `part` is a label name, or `all` in the first, the whole.

    texts: number of training rows in the part.
    counts: most frequent words, with how often they occur.
    tfidf: words by mean TF-IDF over the part's texts.
    distinctive: words by z-score of their log odds against the rest (Monroe et al. 2008); none for the whole.
    """

    part: str
    texts: int
    counts: WordList
    tfidf: WordList
    distinctive: WordList


@dataclass(frozen=True)
class Words:
    """What the stage leaves: the lists of the corpus with that digest, the whole corpus first."""

    corpus: str
    parts: tuple[WordLists, ...]


def read_words(folder: Path, corpus: Corpus) -> tuple[WordLists, ...]:
    """The word lists of a corpus; InputError where they are missing, damaged, or of another version of it."""
    return read_result(folder / "words.json", Words, corpus.digest).parts


def find_words(
    texts: Iterable[str], spans: Segmenter, stop_words: frozenset[str] | set[str]
) -> list[tuple[str, ...]]:
    """The words of each text in lower case, stop words and bare numbers left out."""
    result = []
    for text in texts:
        words = (text[start:end].lower() for start, end in spans(text))
        result.append(tuple(w for w in words if w not in stop_words and not w.isdigit()))
    return result


def count_words(
    words: Sequence[Sequence[str]], parts: Mapping[str, Sequence[int]] | Mapping[str, np.ndarray], top: int
) -> list[WordLists]:
    """The top words of the whole, which has no distinctive ones, and then of each part.

    Args:
        words: of each text.
        parts: name to positions of its texts; a part may bear any name, `all` too.
        top: length of a list.
    """
    document_counts: Counter[str] = Counter(word for text in words for word in set(text))
    total = Counter(word for text in words for word in text)
    result = []
    for position, (part, rows) in enumerate([("all", range(len(words))), *parts.items()]):
        texts = [words[row] for row in rows]
        counts = Counter(word for text in texts for word in text)
        result.append(
            WordLists(
                part=part,
                texts=len(texts),
                counts=_top(counts, top),
                tfidf=_top(_mean_tfidf(texts, document_counts, len(words)), top),
                distinctive=_top(_log_odds(counts, total - counts) if position else {}, top),
            )
        )
    return result


def _mean_tfidf(
    texts: Sequence[Sequence[str]], document_counts: Mapping[str, int], documents: int
) -> dict[str, float]:
    """Mean over texts of tf * (ln((1 + N) / (1 + df)) + 1), tf a share of the text's words."""
    sums: Counter[str] = Counter()
    for text in texts:
        for word, count in Counter(text).items():
            idf = float(np.log((1 + documents) / (1 + document_counts[word]))) + 1.0
            sums[word] += count / len(text) * idf  # type: ignore[assignment]
    return {word: weight / max(len(texts), 1) for word, weight in sums.items()}


def _log_odds(counts: Mapping[str, int], others: Mapping[str, int]) -> dict[str, float]:
    """z-score of ln(odds here / odds elsewhere) with a flat prior (Monroe et al. 2008, eq. 15 and 22)."""
    here, there = sum(counts.values()), sum(others.values())
    prior_sum = _PRIOR * len(counts.keys() | others.keys())
    scores = {}
    for word, count in counts.items():
        a, b = count + _PRIOR, others.get(word, 0) + _PRIOR
        odds = np.log(a / max(here + prior_sum - a, _PRIOR)) - np.log(b / max(there + prior_sum - b, _PRIOR))
        scores[word] = float(odds / np.sqrt(1 / a + 1 / b))
    return {word: score for word, score in scores.items() if score > 0}


def _top(weights: Mapping[str, float] | Mapping[str, int], top: int) -> WordList:
    chosen = sorted(weights, key=lambda word: (-weights[word], word))[:top]
    return WordList(tuple(chosen), tuple(float(weights[word]) for word in chosen))


def map_corpus(name: str, params: TsneParams, corpus: Corpus, folder: Path) -> None:
    """Write `tsne.h5` and `tsne.png`: a seeded sample of the test texts, mapped by `embed`."""
    store = open_cache(name, corpus)
    rows = np.sort(np.random.default_rng(params.seed).permutation(corpus.rows("test"))[: params.points])
    vector = _vector_name(params.vector, store.manifest.vectors)
    perplexity = fitting_perplexity(params.perplexity, len(rows))
    if perplexity < params.perplexity:
        log.info("%s: %d texts carry a perplexity of %.3g at most", name, len(rows), perplexity)
    with tqdm(total=_ITERATIONS, desc=f"t-SNE {name}", unit="iteration") as bar:

        def progress(done: int) -> None:
            bar.update(done - bar.n)

        points = embed(store.pooled(vector)[store.rows[rows]], perplexity, params.seed, progress)
    whose = np.array(corpus.digest, dtype="S")
    write_arrays(folder / "tsne.h5", {"rows": rows, "points": points, "corpus": whose})
    title = f"{name}: {len(rows):,} test texts, {vector}, perplexity {perplexity:.3g}"
    plot_scatter(folder / "tsne.png", points, corpus.label[rows], corpus.labels, title)
    log.info("%s: %d points mapped", name, len(rows))


_PCA = 50
_FEWEST = 5  # texts below which there are no neighbourhoods to keep
_ITERATIONS = 1000


def embed(
    vectors: npt.NDArray[np.float32],
    perplexity: float,
    seed: int,
    progress: Callable[[int], None] = lambda done: None,
) -> npt.NDArray[np.float32]:
    """The map of n vectors (n, D): (n, 2) float32.

    Fewer than five vectors, or vectors that are all the same, are laid out by their main axes alone.
    The perplexity is at most what `fitting_perplexity` allows, the seed that of PCA's solver and of the
    optimisation; `progress` is called with the iterations done, every fifty.
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


def read_map(folder: Path, corpus: Corpus) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Rows (n,) int64 and points (n, 2) float32 of a corpus's map.

    Raises:
        InputError: it is missing, damaged, or of another version of the corpus.
    """
    path = folder / "tsne.h5"
    found = read_arrays(path)
    require_corpus(path, found["corpus"].item().decode(), corpus.digest)
    return found["rows"], found["points"]


def _vector_name(wanted: str, vectors: tuple[str, ...]) -> str:
    """`mean` and `cls` stand for the topmost layer's; a full name such as `mean@4` for itself."""
    matching = [name for name in vectors if name == wanted or name.partition("@")[0] == wanted]
    if not matching:
        raise InputError(f"`tsne.vector` is {wanted!r}; the cache holds {', '.join(vectors)}")
    return matching[-1]


if __name__ == "__main__":
    run_stage(main, "corpus", __doc__)
