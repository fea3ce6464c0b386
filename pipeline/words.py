"""Stage: the words of a corpus, overall and per label: by count, by TF-IDF, and what sets a label apart.

Counted on the training split alone, so that looking at the words never looks at the test texts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from features.corpus.corpus import Corpus
from features.words import Segmenter, read_stop_words, segmenter
from pipeline.plots.figures import plot_words
from pipeline.project import layout
from pipeline.project.files import write_json
from pipeline.project.params import WordsParams, load_params
from pipeline.project.stage import log, run_stage

_PRIOR = 0.5  # added to each count of the log odds, so that a word seen once does not win


@dataclass(frozen=True)
class WordList:
    """Words in falling order, each with its weight."""

    words: tuple[str, ...]
    weights: tuple[float, ...]


@dataclass(frozen=True)
class WordLists:
    """The lists of one part of a corpus; `part` is `all` or a label name.

    texts: number of training rows in the part.
    counts: most frequent words, with how often they occur.
    tfidf: words by mean TF-IDF over the part's texts.
    distinctive: words by z-score of their log odds against the rest (Monroe et al. 2008); empty for `all`.
    """

    part: str
    texts: int
    counts: WordList
    tfidf: WordList
    distinctive: WordList


def main(name: str) -> None:
    """Count one corpus into `layout.words_folder(name)`."""
    params = load_params().corpus(name).words
    corpus = Corpus.load(layout.corpus_folder(name) / "corpus.h5")
    dictionary = Path(params.dictionary) if params.dictionary else None
    rows = corpus.rows("train")
    texts = tqdm(corpus.row_texts(rows), desc=f"words of {name}", unit="text")
    words = find_words(texts, segmenter(corpus.language, dictionary), _stop_words(params))
    parts = {"all": np.arange(len(rows))} | {
        corpus.labels.name(value): np.flatnonzero(corpus.label[rows] == value)
        for value in corpus.labels.values
    }
    lists = count_words(words, parts, params.top)
    folder = layout.words_folder(name)
    write_json(folder / "words.json", lists)
    shown = {item.part: _pairs(item.distinctive, 15) for item in lists[1:]}
    plot_words(folder / "words.png", shown, f"{name}: words that set each label apart", "log odds (z)")
    log.info("%s: %d words, %d different", name, sum(map(len, words)), len({w for ws in words for w in ws}))


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
    """The top words of each part; the first part is the whole and has no distinctive words."""
    document_counts: Counter[str] = Counter(word for text in words for word in set(text))
    total = Counter(word for text in words for word in text)
    result = []
    for position, (part, rows) in enumerate(parts.items()):
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
    vocabulary = len(counts.keys() | others.keys())
    prior_sum = _PRIOR * vocabulary
    scores = {}
    for word, count in counts.items():
        a, b = count + _PRIOR, others.get(word, 0) + _PRIOR
        odds = np.log(a / max(here + prior_sum - a, _PRIOR)) - np.log(b / max(there + prior_sum - b, _PRIOR))
        scores[word] = float(odds / np.sqrt(1 / a + 1 / b))
    return {word: score for word, score in scores.items() if score > 0}


def _top(weights: Mapping[str, float] | Mapping[str, int], top: int) -> WordList:
    chosen = sorted(weights, key=lambda word: (-weights[word], word))[:top]
    return WordList(tuple(chosen), tuple(float(weights[word]) for word in chosen))


def _pairs(words: WordList, top: int) -> list[tuple[str, float]]:
    return list(zip(words.words, words.weights, strict=True))[:top]


def _stop_words(params: WordsParams) -> frozenset[str]:
    return read_stop_words(Path(params.stop_words) if params.stop_words else None)


if __name__ == "__main__":
    run_stage(main, "corpus", __doc__)
