"""BERT (Devlin et al. 2019) over packed rows, read from a folder without the import of Transformers.

Transformers runs every architecture here, but importing it takes longer than all else that a prediction
needs. A folder that holds a BERT in every particular is therefore read directly: modules of the same names,
so that weights find their places, and the same operations in the same order, so that vectors are the same to
the last bit. Of a folder that differs in anything, `load_bert` says nothing, and Transformers takes it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from features.encoder.packing import Block, packed_attention

# What a plain BERT says in config.json of what its kin do differently; all but the first two may be left out.
_NAMED = {"model_type": "bert", "hidden_act": "gelu"}
_USUAL = {
    "position_embedding_type": "absolute",
    "is_decoder": False,
    "add_cross_attention": False,
    "chunk_size_feed_forward": 0,
    "quantization_config": None,
}
_PREFIX = "bert."  # of checkpoints that were saved with a head


class Sizes(NamedTuple):
    """The numbers of config.json that a BERT is built from, under their names there."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int
    layer_norm_eps: float


class Embeddings(nn.Module):
    """Words, segments and positions, summed and normalised."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.word_embeddings = _empty_embedding(sizes.vocab_size, sizes)
        self.position_embeddings = _empty_embedding(sizes.max_position_embeddings, sizes)
        self.token_type_embeddings = _empty_embedding(sizes.type_vocab_size, sizes)
        self.LayerNorm = nn.LayerNorm(sizes.hidden_size, eps=sizes.layer_norm_eps)

    def forward(self, ids: torch.Tensor, positions: torch.Tensor, types: torch.Tensor | None) -> torch.Tensor:
        """(1, T) int64 three times -> (1, T, D) float32; types None are all 0."""
        types = torch.zeros_like(ids) if types is None else types
        words = self.word_embeddings(ids) + self.token_type_embeddings(types)
        normalised: torch.Tensor = self.LayerNorm(words + self.position_embeddings(positions))
        return normalised


class SelfAttention(nn.Module):
    """Queries, keys and values of a packed row, and attention within each of its texts."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.width = sizes.hidden_size // sizes.num_attention_heads
        self.query = nn.Linear(sizes.hidden_size, sizes.hidden_size)
        self.key = nn.Linear(sizes.hidden_size, sizes.hidden_size)
        self.value = nn.Linear(sizes.hidden_size, sizes.hidden_size)

    def forward(
        self, hidden: torch.Tensor, blocks: Sequence[Block], mask: torch.Tensor | None
    ) -> torch.Tensor:
        """(1, T, D) -> (1, T, D)."""
        q, k, v = (
            project(hidden).view(*hidden.shape[:2], -1, self.width).transpose(1, 2)
            for project in (self.query, self.key, self.value)
        )
        attended, _ = packed_attention(self, q, k, v, None, packed_blocks=blocks, packed_mask=mask)
        return attended.reshape(*hidden.shape[:2], -1)


class Residual(nn.Module):
    """A product, added to what went into its block, and normalised."""

    def __init__(self, width: int, sizes: Sizes) -> None:
        super().__init__()
        self.dense = nn.Linear(width, sizes.hidden_size)
        self.LayerNorm = nn.LayerNorm(sizes.hidden_size, eps=sizes.layer_norm_eps)

    def forward(self, inner: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
        """(1, T, width) and (1, T, D) -> (1, T, D)."""
        normalised: torch.Tensor = self.LayerNorm(self.dense(inner) + before)
        return normalised


class Layer(nn.Module):
    """One transformer layer; the children's names are those of the checkpoint."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.attention = nn.ModuleDict(
            {"self": SelfAttention(sizes), "output": Residual(sizes.hidden_size, sizes)}
        )
        self.intermediate = nn.Module()
        self.intermediate.dense = nn.Linear(sizes.hidden_size, sizes.intermediate_size)
        self.intermediate.intermediate_act_fn = nn.GELU()
        self.output = Residual(sizes.intermediate_size, sizes)

    def forward(
        self, hidden: torch.Tensor, blocks: Sequence[Block], mask: torch.Tensor | None
    ) -> torch.Tensor:
        """(1, T, D) -> (1, T, D)."""
        attended = self.attention["output"](self.attention["self"](hidden, blocks, mask), hidden)
        inner: Any = self.intermediate
        result: torch.Tensor = self.output(inner.intermediate_act_fn(inner.dense(attended)), attended)
        return result


class Pooler(nn.Module):
    """tanh(W h + b) of a text's first token."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.dense = nn.Linear(sizes.hidden_size, sizes.hidden_size)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(B, L, D) -> (B, D)."""
        return torch.tanh(self.dense(hidden[:, 0]))


class Bert(nn.Module):
    """Embeddings and layers; frozen, over packed rows only."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.embeddings = Embeddings(sizes)
        self.encoder = nn.Module()
        self.encoder.layer = nn.ModuleList(Layer(sizes) for _ in range(sizes.num_hidden_layers))

    def forward(
        self,
        *,
        input_ids: torch.Tensor,
        position_ids: torch.Tensor,
        packed_blocks: Sequence[Block],
        token_type_ids: torch.Tensor | None = None,
        packed_mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """The last hidden states (1, T, D) of a packed row of T pieces."""
        hidden: torch.Tensor = self.embeddings(input_ids, position_ids, token_type_ids)
        layers: Any = self.encoder.layer
        for layer in layers:
            hidden = layer(hidden, packed_blocks, packed_mask)
        return hidden


def load_bert(folder: Path) -> tuple[Bert, Pooler | None] | None:
    """The folder's BERT in float32 and its pooler where it has one; None where it is not a plain BERT."""
    file = folder / "model.safetensors"
    try:
        config: Any = json.loads((folder / "config.json").read_text("utf-8"))
        sizes = _sizes(config)
        if sizes is None or not file.is_file():
            return None
        found = {_present_name(name): tensor for name, tensor in load_file(file).items()}
    except (OSError, ValueError, SafetensorError):
        return None  # Transformers says what is wrong
    with torch.device("meta"):
        model, pooler = Bert(sizes), Pooler(sizes)
    if not _fill(model, "", found):
        return None
    return model, pooler if _fill(pooler, "pooler.", found) else None


def _present_name(name: str) -> str:
    """A tensor's name as written today; the oldest checkpoints call a norm's scale and shift otherwise."""
    name = name.removeprefix(_PREFIX)
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


def _empty_embedding(rows: int, sizes: Sizes) -> nn.Embedding:
    """An embedding without weights: drawing random ones, even on no device, would import torch's compiler."""
    return nn.Embedding(rows, sizes.hidden_size, _weight=torch.empty(rows, sizes.hidden_size))


def _sizes(config: Any) -> Sizes | None:
    if not isinstance(config, dict) or any(name not in config for name in Sizes._fields):
        return None
    named = all(config.get(name) == value for name, value in _NAMED.items())
    if not named or any(config.get(name, value) != value for name, value in _USUAL.items()):
        return None
    sizes = Sizes(*(config[name] for name in Sizes._fields))
    return None if sizes.hidden_size % sizes.num_attention_heads else sizes


def _fill(module: nn.Module, prefix: str, found: dict[str, torch.Tensor]) -> bool:
    """Put weights into a module without any; False where one is missing or of another shape."""
    wanted = module.state_dict()
    if any(prefix + name not in found or found[prefix + name].shape != wanted[name].shape for name in wanted):
        return False
    weights = {name: found[prefix + name].to(torch.float32) for name in wanted}
    module.load_state_dict(weights, assign=True)
    return True
