"""Encoder, head and decoding as one module over padded batches: what the ONNX file is drawn from.

B texts, L pieces of the longest, K layers the head reads, D width, R hops, C labels.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from features.encoding import weights
from features.encoding.layers import Stack, layer_stack
from heads.base import HeadInput
from heads.masking import masked_mean
from pipeline.inference.loading import Parts
from pipeline.loading.data import Selection


class Answer(NamedTuple):
    """What the model says about a batch; the fields' names are the outputs' names.

    Attributes:
        predicted: (B,) int64 label values.
        value: (B,) float32, the expected label, or a regressor's raw output.
        probabilities: (B, C) float32, rows sum to 1; None from a regressor.
        scores: (B, out_dim) float32, what the head gave.
        attention: (B, R, L) float32, rows sum to 1, 0 at padding; None from heads that do not attend.
    """

    predicted: Tensor
    value: Tensor
    probabilities: Tensor | None
    scores: Tensor
    attention: Tensor | None


class TextModel(nn.Module):
    """From piece ids to labels: the run's own head and its task's own `decode`, not copies of them.

    Texts are padded at their end. What the cache rounds to float16 stays float32 here.

    Attributes:
        wants_types: whether the encoder embeds `token_type_ids`.
    """

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        config, encoder = parts.config, parts.encoder
        loaded = weights.load_model(encoder.folder)
        self.wants_types = encoder.forward.wants_types
        self.encoder = Shortened(layer_stack(loaded.model), encoder.layers[-1])
        self.pooler: Any = loaded.pooler if config.vector == "pooler" else None
        self.head = parts.head
        self._decode = parts.task.decode
        self._layers = config.layers
        self._vectors: tuple[str, ...] = ()
        if config.vector is not None:
            pooling = config.vector.partition("@")[0]
            self._vectors = Selection(parts.head.needs, config.layers, pooling).vectors
        self.requires_grad_(False).eval()

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """The fields of `answer` that are not None, in their order."""
        found = self.answer(input_ids, attention_mask, token_type_ids)
        return tuple(tensor for tensor in found if tensor is not None)

    def answer(self, input_ids: Tensor, attention_mask: Tensor, types: Tensor | None = None) -> Answer:
        """Predict a batch.

        Args:
            input_ids: (B, L) int64.
            attention_mask: (B, L) int64, 1 at real pieces and 0 at the padding after them.
            types: (B, L) int64 segment numbers, where the encoder embeds them.
        """
        real = attention_mask.bool()
        hidden = self.encoder(input_ids, real, types)
        pooled, tokens = None, None
        if self._vectors:
            pooled = torch.stack([self._vector(name, hidden, real) for name in self._vectors], dim=1)
        if "tokens" in self.head.needs:
            tokens = torch.stack([hidden[layer] for layer in self._layers], dim=1)
        output = self.head(HeadInput(pooled, tokens, real))
        decoded = self._decode(output.scores)
        return Answer(
            decoded.predicted, decoded.value, decoded.probabilities, output.scores, output.attention
        )

    def _vector(self, name: str, hidden: dict[int, Tensor], real: Tensor) -> Tensor:
        if self.pooler is not None:
            pooled: Tensor = self.pooler(hidden[max(hidden)][:, :1])
            return pooled
        pooling, _, layer = name.partition("@")
        state = hidden[int(layer)]
        return state[:, 0] if pooling == "cls" else masked_mean(state, real)


class Shortened(nn.Module):
    """An encoder up to one of its layers, giving every hidden state on the way."""

    def __init__(self, stack: Stack, top: int) -> None:
        super().__init__()
        model: Any = stack.model
        self.start, self.wants_types = stack.position_start, stack.wants_types
        self._notes = _Notes()
        layers = [_Noted(layer, self._notes) for layer in stack.layers[:top]]
        setattr(stack.parent, stack.name, nn.ModuleList(layers))
        model.set_attn_implementation("sdpa")
        self.model = model

    def forward(self, input_ids: Tensor, real: Tensor, types: Tensor | None) -> dict[int, Tensor]:
        """Hidden states (B, L, D) by number: 0, the embeddings, to the top."""
        positions = torch.arange(input_ids.shape[1], device=input_ids.device) + self.start
        inputs: dict[str, Any] = {
            "input_ids": input_ids,
            # A mask of four dimensions is taken as it stands, whatever the architecture makes of others.
            "attention_mask": real[:, None, None, :],
            "position_ids": positions.unsqueeze(0).expand(input_ids.shape),
        }
        if self.wants_types:
            inputs["token_type_ids"] = torch.zeros_like(input_ids) if types is None else types
        self._notes.states = []
        last: Tensor = self.model(**inputs).last_hidden_state
        states, self._notes.states = [*self._notes.states, last], []
        return dict(enumerate(states))


class _Notes:
    """Hidden states of a pass; not a list in the module itself, which torch's exporter would copy."""

    def __init__(self) -> None:
        self.states: list[Tensor] = []


class _Noted(nn.Module):
    """A layer that notes down what it was given."""

    def __init__(self, layer: nn.Module, notes: _Notes) -> None:
        super().__init__()
        self.layer, self._notes = layer, notes

    def forward(self, hidden: Tensor, *args: Any, **named: Any) -> Any:
        self._notes.states.append(hidden)
        return self.layer(hidden, *args, **named)
