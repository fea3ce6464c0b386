"""The extract stage on a Ray cluster; `pipeline.extracting.engines` loads this by name."""

from __future__ import annotations

import os
from pathlib import Path

from tqdm import tqdm

from features.cluster.connection import import_ray
from features.cluster.engine import ClusterEngine
from features.cluster.recipe import FrozenRecipe
from features.cluster.reports import State
from features.cluster.settings import read_settings
from features.encoding.encoder import EncoderSpec, FrozenEncoder
from features.storing.forecast import readable_time
from pipeline.extracting.engines import Prepared

# What decides about vectors, or about finding a model, and what Ray does not pass on.
_PASSED_ON = ("ENCODE_ONCE_DEVICE", "ENCODE_ONCE_PRECISION", "HF_HOME", "HF_HUB_OFFLINE")


def prepare_ray(spec: EncoderSpec, bar: tqdm) -> Prepared:
    """A cluster that encodes; the driver's own encoder only counts tokens and says what the vectors are.

    Raises:
        InputError: Ray is not installed, a setting is wrong, or the encoder cannot be loaded.
    """
    import_ray()
    settings = read_settings()
    frozen = FrozenEncoder.load(spec, device="cpu", precision=settings.driver_precision)
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
