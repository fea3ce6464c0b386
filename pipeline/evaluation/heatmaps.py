"""Attention heatmaps: where a head looks in chosen and sampled test texts, and whether that matters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from features.corpus.corpus import Corpus
from features.words import Segmenter, segmenter
from heads.parts.base import Head
from heads.tasks import Task
from pipeline.evaluation.attention import (
    Deletion,
    Heatmap,
    Heatmaps,
    WordAttention,
    attention_per_word,
    joined_spans,
    piece_words,
)
from pipeline.evaluation.deletion import measure_deletion
from pipeline.evaluation.predictions import Predictions
from pipeline.evaluation.scoring import predict
from pipeline.plots.figures import plot_heatmap
from pipeline.project.params import AttentionParams, Params
from pipeline.training.data import HeadData

_DELETION_TEXTS = 200  # test texts of the deletion test; its interval says whether they are enough


def draw_heatmaps(
    name: str, params: Params, head: Head, task: Task, data: HeadData, folder: Path
) -> Heatmaps:
    """Word attention of a trained head over test texts, a picture each in `folder`, and its deletion test.

    Args:
        name: the run.
        params: name the texts, the language and the dictionary.
        head: of the run's first seed; one without attention has neither maps nor test.
        task: of the same seed.
        data: what the head reads.
        folder: gets `row-N.png`.
    """
    if not head.attends:
        return Heatmaps(name, attends=False, texts=())
    corpus = data.corpus
    rows = choose_rows(corpus, params.attention)
    predictions = predict(head, task, data, rows)
    spans = _spans(params, params.run(name).corpus)
    maps = []
    for i, attention in enumerate(read_attention(head, data, rows, spans)):
        item = _heatmap(corpus, predictions, i, attention)
        title = (
            f"{name}: true {corpus.labels.name(item.actual)}, "
            f"predicted {corpus.labels.name(item.predicted)} ({item.confidence:.0%})"
        )
        plot_heatmap(folder / item.picture, item.text, attention, title)
        maps.append(item)
    deletion = deletion_test(head, task, data, spans, params.attention.seed)
    return Heatmaps(name, True, tuple(maps), deletion)


def choose_rows(corpus: Corpus, params: AttentionParams) -> npt.NDArray[np.int64]:
    """Test rows whose text holds one of the chosen strings, then a seeded sample of the others."""
    rows = corpus.rows("test")
    texts = corpus.row_texts(rows)
    chosen = [
        row for row, text in zip(rows, texts, strict=True) if any(part in text for part in params.texts)
    ]
    others = np.setdiff1d(rows, chosen)
    sampled = np.random.default_rng(params.seed).permutation(others)[: params.sample]
    return np.array([*chosen, *np.sort(sampled)], dtype=np.int64)


@torch.inference_mode()
def read_attention(
    head: Head, data: HeadData, rows: npt.NDArray[np.int64], spans: Segmenter
) -> list[WordAttention]:
    """Word attention of each row's text, a pair following its text after one space."""
    result = []
    for row in rows:
        output = head(data.input(np.array([row])))
        assert output.attention is not None
        weights = output.attention[0].double().cpu().numpy()
        text = data.corpus.row_texts([row])[0]
        result.append(attention_per_word(spans(text), _piece_spans(data, row), weights))
    return result


def deletion_test(head: Head, task: Task, data: HeadData, spans: Segmenter, seed: int) -> Deletion | None:
    """The deletion test over a seeded sample of test texts; None where it has no text with two words."""
    rows = np.random.default_rng(seed).permutation(data.corpus.rows("test"))[:_DELETION_TEXTS]
    texts = [
        (data.input(np.array([row])), piece_words(spans(text), _piece_spans(data, row)))
        for row, text in zip(rows, data.corpus.row_texts(rows), strict=True)
    ]
    return measure_deletion(head, task, texts, seed)


def _piece_spans(data: HeadData, row: int) -> npt.NDArray[np.int32]:
    """(L, 2) int32 spans in the row's text as `Corpus.row_texts` joins it."""
    text = int(data.corpus.text[row])
    _, spans, segments = data.store.pieces(text)
    return joined_spans(data.corpus.texts[text], spans, segments)


def _spans(params: Params, corpus: str) -> Segmenter:
    declared = params.corpus(corpus)
    return segmenter(declared.language, declared.words.dictionary_file)


def _heatmap(corpus: Corpus, predictions: Predictions, i: int, attention: WordAttention) -> Heatmap:
    row = int(predictions.rows[i])
    return Heatmap(
        row=row,
        text=corpus.row_texts([row])[0],
        actual=int(predictions.actual[i]),
        predicted=int(predictions.predicted[i]),
        value=float(predictions.value[i]),
        confidence=float(predictions.confidence()[i]),
        attention=attention,
        picture=f"row-{row}.png",
    )
