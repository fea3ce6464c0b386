"""The words of one group: its most frequent, those that set it apart, and those that set its labels apart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from features.words import read_stop_words, segmenter
from pipeline.report.clouds import Cloud, clouds
from pipeline.report.gather import CorpusResults
from pipeline.words import WordList, count_words, find_words

_TEXTS = 10_000  # training texts of the group, and as many of the others, whose words are found
_TOP = 20


@dataclass(frozen=True)
class CaseWords:
    """Words of a group's training texts.

    texts: how many were read. distinctive: against as many texts of the other groups.
    """

    texts: int
    counts: WordList
    tfidf: WordList
    distinctive: WordList
    clouds: tuple[Cloud, ...]


def case_words(results: CorpusResults, code: int) -> CaseWords:
    """The words of the group with a code, of no more than 10,000 of its training texts."""
    corpus, params = results.corpus, results.params.words
    train = corpus.rows("train")
    inside = corpus.group[train] == code
    generator = np.random.default_rng(13)
    own, others = (np.sort(generator.permutation(train[chosen])[:_TEXTS]) for chosen in (inside, ~inside))
    spans = segmenter(corpus.language, Path(params.dictionary) if params.dictionary else None)
    stop_words = read_stop_words(Path(params.stop_words) if params.stop_words else None)
    words = [find_words(corpus.row_texts(rows), spans, stop_words) for rows in (own, others)]
    everything = {"all": range(len(own) + len(others)), "group": range(len(own))}
    _, group = count_words([*words[0], *words[1]], everything, _TOP)
    labels = corpus.labels
    parts = {"all": np.arange(len(own))} | {
        labels.name(value): np.flatnonzero(corpus.label[own] == value) for value in labels.values
    }
    by_label = tuple(count_words(words[0], parts, params.top))
    tfidf = WordList(by_label[0].tfidf.words[:_TOP], by_label[0].tfidf.weights[:_TOP])
    return CaseWords(len(own), group.counts, tfidf, group.distinctive, clouds(by_label))
