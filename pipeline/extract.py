"""Stage: the frozen encoder meets every text it has not met before, once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tqdm import tqdm

from features.corpus.corpus import Corpus
from features.corpus.texts import Text
from features.encoder.device import give_products_to_half
from features.encoder.encoder import Encoder, EncoderSpec
from features.encoder.parity import check_parity
from features.encoder.tokenizer import Tokenized
from features.errors import InputError
from features.store.cost import describe_machine, encode_cost, note_encoding
from features.store.extraction import Engine, Progress, TextEncoder, extract, readable_time
from features.store.identity import Manifest
from features.store.shards import EncodedBatch
from pipeline.project import layout
from pipeline.project.files import write_result
from pipeline.project.origin import CachedEncoder
from pipeline.project.params import CorpusParams, Params, load_params
from pipeline.project.stage import log, run_stage


def encoder_spec(params: Params, corpus: CorpusParams) -> EncoderSpec:
    """What the extract stage encodes a corpus with."""
    encode, encoder = corpus.encode, params.encoders[corpus.encode.encoder]
    return EncoderSpec(
        model=encoder.model,
        revision=encoder.revision,
        max_length=encode.max_length,
        layers=tuple(encode.layers),
        keep_tokens=encode.keep_tokens,
        at_rest=encode.at_rest,
    )


if TYPE_CHECKING:
    from features.cluster.engine import ClusterEngine
    from features.cluster.reports import State

ENGINES = ("local", "ray")


class Prepared(NamedTuple):
    """What the extract stage encodes with.

    frozen: the encoder, to ask what it is. encoder: the same for `features.store.extraction.extract`.
    engine: who encodes; None for this process. progress: moves the bar, where the engine does not itself.
    machine: says in words what encoded, once it has.
    """

    frozen: Encoder
    encoder: TextEncoder
    engine: Engine | None
    progress: Progress | None
    machine: Callable[[], str]


def prepare_engine(spec: EncoderSpec, bar: tqdm) -> Prepared:
    """The engine that `ENCODE_ONCE_ENGINE` names, ready to encode with an encoder.

    Raises:
        InputError: an unknown engine, Ray is not installed, or the encoder cannot be loaded.
    """
    wanted = os.environ.get("ENCODE_ONCE_ENGINE", "") or "local"
    if wanted not in ENGINES:
        raise InputError(f"ENCODE_ONCE_ENGINE is `{wanted}`; expected {' or '.join(ENGINES)}")
    if wanted == "ray":
        return prepare_ray(spec, bar)

    def progress(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    frozen = Encoder.load(spec)
    give_products_to_half(frozen.precision)
    return Prepared(frozen, _Gated(frozen), None, progress, lambda: describe_machine(str(frozen.device)))


class _Gated:
    """An encoder whose device proves itself against plain float32 before its first text."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._proven = False

    @property
    def manifest(self) -> Manifest:
        return self._encoder.manifest

    def tokenize(self, texts: Sequence[Text]) -> Tokenized:
        return self._encoder.tokenize(texts)

    def encode(self, texts: Sequence[Text]) -> Iterator[EncodedBatch]:
        if not self._proven:
            parity = check_parity(self._encoder)
            log.info(
                "cosine with plain float32: mean %.6f, lowest %.6f, pooled %.6f",
                parity.mean,
                parity.lowest,
                parity.pooled,
            )
            self._proven = True
        yield from self._encoder.encode(texts)


# What decides about vectors, or about finding a model, and what Ray does not pass on.
_PASSED_ON = ("ENCODE_ONCE_DEVICE", "ENCODE_ONCE_PRECISION", "HF_HOME", "HF_HUB_OFFLINE")


def prepare_ray(spec: EncoderSpec, bar: tqdm) -> Prepared:
    """A cluster that encodes; the driver's own encoder only counts tokens and says what the vectors are.

    Raises:
        InputError: Ray is not installed, a setting is wrong, or the encoder cannot be loaded.
    """
    from features.cluster.connection import import_ray
    from features.cluster.engine import ClusterEngine
    from features.cluster.recipe import FrozenRecipe
    from features.cluster.settings import read_settings

    import_ray()
    settings = read_settings()
    frozen = Encoder.load(spec, device="cpu", precision=settings.driver_precision)
    passed_on = tuple((name, os.environ[name]) for name in _PASSED_ON if name in os.environ)
    recipe = FrozenRecipe(spec, frozen.manifest, Path.cwd(), settings.threads_each, passed_on)

    shown: list[tuple[int, int]] = []

    def watch(state: State) -> None:
        if shown[-1:] == [(state.done, state.actors)]:
            return  # in a log file every drawing of the bar is a line
        shown[:] = [(state.done, state.actors)]
        bar.total = state.total
        bar.set_postfix_str(_describe(state), refresh=False)
        bar.update(state.done - bar.n)

    engine = ClusterEngine(recipe, settings, watch)
    return Prepared(frozen, frozen, engine, None, lambda: _machine(engine))


def _machine(engine: ClusterEngine) -> str:
    actors = [] if engine.summary is None else [actor for actor in engine.summary.actors if actor.texts]
    device = "a GPU share" if engine.settings.gpus else "the CPU"
    return f"Ray, {len(actors)} actors on {device} with {engine.settings.threads_each} threads each"


def _describe(state: State) -> str:
    if state.left is None:
        return f"{state.actors} actors"
    return f"{state.actors} actors at {state.rate:,.0f} tokens/s each, {readable_time(state.left)} left"


def main(name: str) -> None:
    """Encode one corpus of `params.yaml` into `layout.cache_folder(name)`."""
    params = load_params()
    corpus = Corpus.load(layout.corpus_folder(name) / "corpus.h5")
    spec = encoder_spec(params, params.corpus(name))
    folder = layout.cache_folder(name)
    with tqdm(total=0, desc=f"encode {name}", unit="text", smoothing=0.1) as bar:
        encoder, gated, engine, progress, machine = prepare_engine(spec, bar)
        log.info("%s: %s on %s in %s", name, encoder.spec.model, encoder.device, encoder.precision)
        summary = extract(
            corpus.texts, corpus.text, gated, layout.store(), folder, log.info, progress, engine=engine
        )
    about = CachedEncoder(encoder.layers_total, encoder.parameters, encoder.spec.model, corpus.digest)
    write_result(layout.encoder_file(name), about)
    write_result(layout.extraction_file(name), summary)
    shards = layout.store() / encoder.manifest.key
    note_encoding(shards, summary, machine())
    write_result(layout.encode_cost_file(name), encode_cost(shards))
    log.info(
        "%s: %d texts, %d encoded now, %d reused, %.1f s",
        name,
        summary.texts,
        summary.new,
        summary.reused,
        summary.seconds,
    )


if __name__ == "__main__":
    run_stage(main, "corpus", __doc__)
