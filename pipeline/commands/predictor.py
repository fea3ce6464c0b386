"""A trained run as a function of raw texts: the encoder it learned from, its head, its task's decoding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from features.corpus.labels import Labels
from features.corpus.texts import Text
from features.encoder.encoder import Encoder, EncoderSpec
from features.store.shards import EncodedBatch
from features.words import Segmenter, segmenter
from heads.parts.base import Head, HeadInput, head_class
from heads.parts.saving import HeadConfig, load_head
from heads.tasks import Task
from pipeline.commands.prediction import Prediction, cleaned_texts, make_predictions
from pipeline.evaluation.attention import WordAttention, attention_per_word, joined_spans
from pipeline.prepare import label_map
from pipeline.project.origin import OF_TEXTS, origin, require_same
from pipeline.project.params import PARAMS, CorpusParams, Params, RunParams, load_params
from pipeline.training.data import Selection


@dataclass(frozen=True)
class Parts:
    """A trained head with its task and configuration, its encoder, and what its corpus declares."""

    head: Head
    task: Task
    config: HeadConfig
    encoder: Encoder
    labels: Labels
    paired: bool
    language: str
    dictionary: Path | None


def load_parts(name: str, path: Path) -> Parts:
    """Load a run of the params file `path`; see `Predictor.load` for what it raises."""
    params = load_params(path)
    run = params.run(name)
    corpus = params.corpus(run.corpus)
    folder = params.folder(name).head(run.seeds[0])
    if head_class(run.head).needs_encoder:
        encoder, head, task, config = _load_with_top(folder, params, run)
    else:
        head, task, config = load_head(folder)
        encoder = _load_encoder(params, corpus, _wanted(config), "tokens" in head.needs)
    labels = label_map(corpus).labels
    now = origin(params, name, encoder.manifest, labels.names)
    require_same(f"the head of run {name!r}", config.origin, now, OF_TEXTS)
    return Parts(
        head=head,
        task=task,
        config=config,
        encoder=encoder,
        labels=labels,
        paired=corpus.columns.pair is not None,
        language=corpus.language,
        dictionary=corpus.words.dictionary_file,
    )


def _wanted(config: HeadConfig) -> tuple[int, ...]:
    """The layers a head reads; a pooler stands above all layers, so that it needs them all."""
    return (*config.layers, -1) if config.vector == "pooler" else config.layers


def _load_encoder(params: Params, corpus: CorpusParams, layers: tuple[int, ...], tokens: bool) -> Encoder:
    declared = params.encoders[corpus.encode.encoder]
    return Encoder.load(
        EncoderSpec(declared.model, declared.revision, corpus.encode.max_length, layers, tokens)
    )


def _load_with_top(folder: Path, params: Params, run: RunParams) -> tuple[Encoder, Head, Task, HeadConfig]:
    """A head made from the encoder's own top layers: the encoder comes first, up to the layer it reads."""
    corpus = params.corpus(run.corpus)
    encoder = _load_encoder(params, corpus, tuple(run.layers or corpus.encode.layers), True)
    top = encoder.top(encoder.layers_total - encoder.layers[-1])
    return encoder, *load_head(folder, top)


class Predictor:
    """A trained run, ready for texts; built by `load`.

    labels: what the predicted values mean.
    paired: whether its texts have a second part.
    """

    def __init__(self, run: str, parts: Parts) -> None:
        self.run = run
        self.labels = parts.labels
        self.paired = parts.paired
        self._parts = parts
        config, encoder = parts.config, parts.encoder
        self._layers = [encoder.layers.index(layer) for layer in config.layers]
        self._vectors: list[int] = []
        if config.vector is not None:
            pooling = config.vector.partition("@")[0]
            wanted = Selection(parts.head.needs, config.layers, pooling).vectors
            self._vectors = [encoder.manifest.vectors.index(name) for name in wanted]

    @classmethod
    def load(cls, run: str, params: Path = PARAMS) -> Predictor:
        """Load a trained run of `params.yaml`; call it from the project's folder.

        Args:
            run: its name; of several seeds the first is taken, the one that pictures show.
            params: where the run is declared.

        Raises:
            InputError: there is no such run, or encoder or labels are not those it was trained with.
            HeadError: it has not been trained, or its files are damaged.
        """
        return cls(run, load_parts(run, params))

    def predict(
        self,
        texts: Sequence[str | Text],
        *,
        attention: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[Prediction]:
        """Predict texts, in their order; each is cleaned as the corpus was.

        Args:
            texts: strings, or texts with their pairs.
            attention: whether to give attention per word, where the head attends.
            progress: called with (texts done, texts in all).

        Raises:
            InputError: a text cannot be used, as `cleaned_texts` says, or the head gives no finite numbers.
        """
        given = cleaned_texts(texts, self.run, self.paired)
        result: dict[int, Prediction] = {}
        for batch in self._parts.encoder.encode(given):
            found = self._predict_batch(batch, given, attention)
            result.update(zip(batch.index.tolist(), found, strict=True))
            if progress is not None:
                progress(len(result), len(given))
        return [result[position] for position in range(len(given))]

    @torch.inference_mode()
    def _predict_batch(self, batch: EncodedBatch, given: Sequence[Text], attention: bool) -> list[Prediction]:
        texts = [given[position] for position in batch.index]
        output = self._parts.head(self._input(batch))
        decoded = self._parts.task.decode(output.scores)
        ends = np.cumsum(batch.lengths)
        pieces = [slice(end - length, end) for end, length in zip(ends, batch.lengths, strict=True)]
        seen: list[WordAttention | None] = [None] * len(texts)
        if attention and output.attention is not None:
            weights = output.attention.double().numpy()
            seen = [
                attention_per_word(
                    self._words(text.joined),
                    joined_spans(text, batch.char_spans[own], batch.segments[own]),
                    weights[i, :, : batch.lengths[i]],
                )
                for i, (text, own) in enumerate(zip(texts, pieces, strict=True))
            ]
        full = batch.lengths == self._parts.encoder.spec.max_length
        return make_predictions(
            texts,
            self.labels,
            decoded.predicted.numpy(),
            decoded.value.double().numpy(),
            None if decoded.probabilities is None else decoded.probabilities.double().numpy(),
            seen,
            [
                bool(full[i]) and _unread(text, batch.char_spans[own], batch.segments[own])
                for i, (text, own) in enumerate(zip(texts, pieces, strict=True))
            ],
        )

    def _input(self, batch: EncodedBatch) -> HeadInput:
        pooled = torch.from_numpy(batch.pooled[:, self._vectors]) if self._vectors else None
        if "tokens" not in self._parts.head.needs:
            return HeadInput(pooled)
        mask = torch.from_numpy(np.arange(batch.lengths.max()) < batch.lengths[:, None])
        dim = batch.tokens[0].shape[1]
        tokens = torch.zeros(len(mask), len(self._layers), mask.shape[1], dim, dtype=torch.float16)
        for place, layer in enumerate(self._layers):
            tokens[:, place][mask] = torch.from_numpy(batch.tokens[layer])
        return HeadInput(pooled, tokens, mask)

    @cached_property
    def _words(self) -> Segmenter:
        return segmenter(self._parts.language, self._parts.dictionary)


def _unread(text: Text, spans: npt.NDArray[np.int32], segments: npt.NDArray[np.int8]) -> bool:
    """Whether a text or its pair goes on after the last of its pieces."""
    reached = [int(spans[segments == part, 1].max(initial=0)) for part in (0, 1)]
    return reached[0] < len(text.text) or reached[1] < len(text.pair or "")
