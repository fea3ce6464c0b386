"""Stage: where an attentive head looks in chosen and sampled test texts, and whether that matters."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from features.corpus.corpus import Corpus
from features.errors import InputError
from features.words import Segmenter, segmenter
from heads.parts.base import Head, head_class
from heads.parts.options import HeadError
from heads.parts.saving import NoHeadError, load_head
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
from pipeline.prepare import dictionary_of
from pipeline.project import layout
from pipeline.project.files import write_json
from pipeline.project.params import AttentionParams, Params, load_params
from pipeline.project.stage import log, run_stage
from pipeline.training.data import HeadData, open_data
from pipeline.training.start import encoder_top

_DELETION_TEXTS = 200  # test texts of the deletion test; its interval says whether they are enough


def main(name: str) -> None:
    """Draw the heatmaps of one run into `layout.attention_folder(name)`; none of a run without a head."""
    try:
        _draw(name)
    except NoHeadError as error:
        log.error("%s", error)
        _write_none(name, load_params().run(name).head)


def _draw(name: str) -> None:
    params = load_params()
    run = params.run(name)
    folder = layout.attention_folder(name)
    if not head_class(run.head).attends:
        _write_none(name, run.head)
        return
    corpus = Corpus.load(layout.corpus_folder(run.corpus) / "corpus.h5")
    data = open_data(corpus, run, head_class(run.head).needs)
    top = encoder_top(params, name, data.selection.layers)
    head, task, _ = load_head(layout.head_folder(name, run.seeds[0]), top)
    if not head.attends:
        _write_none(name, run.head)
        return
    rows = choose_rows(corpus, params.attention)
    predictions = predict(head, task, data, rows)
    spans = _spans(params, run.corpus)
    attentions = read_attention(head, data, rows, spans)
    maps = []
    for i, attention in enumerate(attentions):
        item = _heatmap(corpus, predictions, i, attention)
        title = (
            f"{name}: true {corpus.labels.name(item.actual)}, "
            f"predicted {corpus.labels.name(item.predicted)} ({item.confidence:.0%})"
        )
        plot_heatmap(folder / item.picture, item.text, attention, title)
        maps.append(item)
    deletion = deletion_test(head, task, data, spans, params.attention.seed)
    write_json(folder / "attention.json", Heatmaps(name, True, tuple(maps), deletion))
    log.info("%s: %d heatmaps", name, len(maps))


def _write_none(name: str, head: str) -> None:
    write_json(layout.attention_folder(name) / "attention.json", Heatmaps(name, attends=False, texts=()))
    log.info("%s: head %s has no attention to show", name, head)


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
    return segmenter(declared.language, dictionary_of(declared))


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


if __name__ == "__main__":
    run_stage(main, "run", __doc__, mistakes=(InputError, HeadError))
