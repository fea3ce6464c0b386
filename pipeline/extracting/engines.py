"""Who encodes: this process, or a Ray cluster. A machine's setting, so that it can make nothing stale."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from tqdm import tqdm

from features.encoded import EncodedBatch, Text
from features.encoding.encoder import EncoderSpec, FrozenEncoder
from features.encoding.parity import check_parity
from features.encoding.products import give_products_to_half
from features.encoding.tokenising import Tokenized
from features.errors import InputError
from features.storing.extraction import Encoder, Engine, Progress
from features.storing.manifest import Manifest
from pipeline.extracting.encode_cost import describe_machine
from pipeline.stage import log

ENGINES = ("local", "ray")


class Prepared(NamedTuple):
    """What the extract stage encodes with.

    frozen: the encoder, to ask what it is. encoder: the same for `features.storing.extraction.extract`.
    engine: who encodes; None for this process. progress: moves the bar, where the engine does not itself.
    machine: says in words what encoded, once it has.
    """

    frozen: FrozenEncoder
    encoder: Encoder
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
        # By name, as heads are: how the work is spread over machines decides nothing about a vector, and an
        # import would put every file of it under the `deps` of the extract stage.
        prepare: Callable[[EncoderSpec, tqdm], Prepared] = importlib.import_module(
            "pipeline.extracting.on_ray"
        ).prepare_ray
        return prepare(spec, bar)

    def progress(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    frozen = FrozenEncoder.load(spec)
    give_products_to_half(frozen.precision)
    return Prepared(frozen, _Gated(frozen), None, progress, lambda: describe_machine(str(frozen.device)))


class _Gated:
    """An encoder whose device proves itself against plain float32 before its first text."""

    def __init__(self, encoder: FrozenEncoder) -> None:
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
