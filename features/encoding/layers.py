"""Where a BERT-like model keeps its layers, and the top of it as a module of its own."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from features.encoding.bert import Bert
from features.encoding.fusing import fuse
from features.encoding.packing import packed_attention
from features.errors import InputError

_ATTENTION = "encode_once_packed"


@dataclass
class Stack:
    """A model and its transformer layers.

    model: the base model.
    parent, name: the module that holds the list of layers, and the list's name in it.
    layers: all layers, bottom to top.
    dim: width D of the hidden states.
    position_start: position number of a text's first piece (0; RoBERTa counts from its padding index + 1).
    positions: pieces of the longest text the model has positions for.
    wants_types: whether the model embeds the tokenizer's segment numbers.
    """

    model: nn.Module
    parent: nn.Module
    name: str
    layers: tuple[nn.Module, ...]
    dim: int
    position_start: int
    positions: int
    wants_types: bool
    _captured: threading.local = field(default_factory=threading.local)

    def prepare(self, wanted: Sequence[int], device: torch.device, dtype: torch.dtype) -> None:
        """Keep the layers up to the highest wanted hidden state, packed attention, products in `dtype`."""
        top = max(wanted)
        kept = nn.ModuleList(self.layers[:top])
        setattr(self.parent, self.name, kept)
        for number in wanted:
            if number < top:
                self.layers[number].register_forward_pre_hook(self._capture(number))
        self.model.to(device)
        activation = _use_packed_attention(self.model)
        with torch.inference_mode():
            fuse(list(kept), dtype, activation)

    def forward(self, **inputs: Any) -> dict[int, torch.Tensor]:
        """Hidden states (1, T, D) of the captured layers, and under -1 the top one."""
        captured: dict[int, torch.Tensor] = {}
        self._captured.states = captured
        output = self.model(**inputs)
        top: torch.Tensor = output if isinstance(output, torch.Tensor) else output.last_hidden_state
        return {**captured, -1: top}

    def _capture(self, number: int) -> Any:
        def hook(_module: nn.Module, args: tuple[Any, ...]) -> None:
            self._captured.states[number] = args[0]

        return hook


def layer_stack(model: nn.Module) -> Stack:
    """Find a model's layers.

    Raises:
        InputError: the model is not BERT-like: no list of layers, or attention that cannot be exchanged.
    """
    if isinstance(model, Bert):
        return _bert_stack(model)
    config: Any = model.config
    parameters = inspect.signature(model.forward).parameters
    found = [
        (parent, name, tuple(child))
        for parent in model.modules()
        for name, child in parent.named_children()
        if isinstance(child, nn.ModuleList) and len(child) == config.num_hidden_layers
    ]
    fits = getattr(model, "_supports_attention_backend", False) and "position_ids" in parameters
    causal = any(getattr(module, "is_causal", False) for module in model.modules())
    if len(found) != 1 or causal or not fits:
        raise InputError(
            f"the architecture `{config.model_type}` cannot be run without padding; expected a BERT-like "
            f"encoder (bert, distilbert, roberta, electra and their kin): choose another `model:`"
        )
    embeddings: Any = getattr(model, "embeddings", None)
    shifted = hasattr(embeddings, "create_position_ids_from_input_ids")
    start = int(embeddings.padding_idx) + 1 if shifted else 0
    ((parent, name, layers),) = found
    return Stack(
        model=model,
        parent=parent,
        name=name,
        layers=layers,
        dim=int(config.hidden_size),
        position_start=start,
        positions=int(config.max_position_embeddings) - start,
        wants_types="token_type_ids" in parameters,
    )


def _bert_stack(model: Bert) -> Stack:
    layers: Any = model.encoder.layer
    return Stack(
        model=model,
        parent=model.encoder,
        name="layer",
        layers=tuple(layers),
        dim=model.sizes.hidden_size,
        position_start=0,
        positions=model.sizes.max_position_embeddings,
        wants_types=True,
    )


def _use_packed_attention(model: Any) -> str:
    """Give a model of Transformers packed attention in place of its own; the name of its activation.

    Transformers lets a function be registered as a model's attention, so that every BERT-like architecture
    keeps its own code.
    """
    if isinstance(model, Bert):
        return "gelu"
    from transformers import AttentionInterface, AttentionMaskInterface

    AttentionInterface.register(_ATTENTION, packed_attention)
    AttentionMaskInterface.register(_ATTENTION, lambda *_, **__: None)  # a packed row needs no mask
    model.set_attn_implementation(_ATTENTION)
    activation = getattr(model.config, "hidden_act", getattr(model.config, "activation", ""))
    return str(activation)


def resolve_layers(wanted: tuple[int, ...], total: int) -> tuple[int, ...]:
    """Hidden-state numbers, ascending and without repeats; negative ones count from the end.

    Raises:
        InputError: a number the model has no hidden state for, or none at all.
    """
    for layer in wanted:
        if not -total - 1 <= layer <= total:
            raise InputError(
                f"layer {layer} is asked for, but the model has hidden states 0 (embeddings) to {total}; "
                f"set `layers:` within that, or within -{total + 1} to -1"
            )
    if not wanted:
        raise InputError(f"`layers` is empty; expected hidden states of 0 to {total}, for example -1")
    return tuple(sorted({layer % (total + 1) for layer in wanted}))


class TopLayers(nn.Module):
    """The last k layers of an encoder, trainable, over padded batches."""

    def __init__(self, stack: Stack, k: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(stack.layers[-k:])
        stack.model.set_attn_implementation("sdpa")  # type: ignore[operator]
        self.requires_grad_(True)

    def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Hidden states (B, L, D) float32 and their mask (B, L) bool, True for real -> (B, L, D)."""
        attention_mask = mask[:, None, None, :]
        for layer in self.layers:
            output = layer(tokens, attention_mask)
            tokens = output[0] if isinstance(output, tuple) else output
        return tokens
