"""The encoder's own top layers, for heads that go on from a cached layer."""

from __future__ import annotations

from torch import nn

from features.encoding import weights
from features.encoding.layers import TopLayers, layer_stack
from features.errors import InputError
from heads.base import head_class
from pipeline.settings.params import Params


def encoder_top(params: Params, run_name: str, layers: tuple[int, ...]) -> nn.Module | None:
    """The layers above the topmost one that a run reads, or None for heads that do without.

    Args:
        params: tells the run's encoder.
        run_name: a run.
        layers: the layers it reads, absolute and ascending.

    Returns:
        A trainable module: tokens (B, L, D) float32 and mask (B, L) bool to tokens (B, L, D).

    Raises:
        InputError: nothing lies above the layer that the run reads.
    """
    run = params.run(run_name)
    if not head_class(run.head).needs_encoder:
        return None
    encoder = params.encoders[params.corpus(run.corpus).encode.encoder]
    folder = weights.find_folder(encoder.model, encoder.revision)
    stack = layer_stack(weights.load_model(folder).model)
    above = len(stack.layers) - layers[-1]
    if above == 0:
        raise InputError(
            f"run {run_name!r} trains the layers above layer {layers[-1]}, which is the encoder's last; add "
            f"a lower one to corpora.{run.corpus}.encode.layers, for example -3, and name it under "
            f"runs.{run_name}.layers"
        )
    return TopLayers(stack, above)
