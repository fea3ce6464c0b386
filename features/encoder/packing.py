"""A padding-free forward pass: the real tokens of many texts as one row, attention inside each text only.

Embeddings, projections, feed-forward and normalisation work on a token at a time and never see that a row
holds several texts. Attention runs once per block of texts of equal length: nothing is padded.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional as F

_SCORES = 1 << 19  # 2 MiB of attention scores: of half and twice as many, none was faster with a 1 MiB cache
_LONG = 64  # tokens from which one float32 product of scores pays, measured with AVX512-BF16


class Block(NamedTuple):
    """Texts of one length that stand next to each other in a packed row.

    start: position of the block's first token in the row.
    texts: number of texts n.
    length: tokens L of each.
    """

    start: int
    texts: int
    length: int


def blocks_of(lengths: Sequence[int] | npt.NDArray[np.int32]) -> tuple[Block, ...]:
    """Group neighbouring texts of equal length; the row's order is the order of `lengths`."""
    blocks: list[Block] = []
    start = 0
    for length in map(int, lengths):
        if blocks and blocks[-1].length == length:
            blocks[-1] = blocks[-1]._replace(texts=blocks[-1].texts + 1)
        else:
            blocks.append(Block(start, 1, length))
        start += length
    return tuple(blocks)


def fill(lengths: npt.NDArray[np.int32], budget: int) -> int:
    """How many of the first texts make a batch of at most `budget` tokens; at least one."""
    return max(1, int(np.searchsorted(np.cumsum(lengths, dtype=np.int64), budget, side="right")))


def starts_of(lengths: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Position of each text's first token in the packed row: (B,) int64."""
    ends: npt.NDArray[np.int64] = np.cumsum(lengths, dtype=np.int64)
    return ends - lengths


def positions_of(lengths: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Position of each token within its text, from 0: (T,) int64."""
    starts = np.repeat(starts_of(lengths), lengths)
    return np.arange(len(starts), dtype=np.int64) - starts


def segment_means(tokens: torch.Tensor, blocks: Sequence[Block]) -> torch.Tensor:
    """Mean over all tokens of each text, special tokens included, in float32: (T, D) -> (B, D)."""
    means = [
        tokens[start : start + texts * length].view(texts, length, -1).mean(1, dtype=torch.float32)
        for start, texts, length in blocks
    ]
    return torch.cat(means)


def packed_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    *,
    packed_blocks: Sequence[Block],
    packed_mask: torch.Tensor | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Scaled-dot-product attention within each text of a packed row.

    Args:
        module: the attention module; where it has `fused_projections`, the three inputs are the layer's
            input, and queries, keys and values are computed here in one product.
        query: (1, H, T, d).
        key: (1, H, T, d).
        value: (1, H, T, d).
        attention_mask: None, there is nothing to mask.
        scaling: factor of the scores; None is d ** -0.5.
        dropout: 0, the encoder is frozen.
        packed_blocks: where each text stands, passed through the model's forward.
        packed_mask: (n, L) bool, True for real tokens, where the row's one block is padded; else None.

    Returns:
        (1, T, H, d), and None in place of attention weights.
    """
    q, k, v = (projection[0].transpose(0, 1) for projection in (query, key, value))
    fused = getattr(module, "fused_projections", None)
    if fused is not None:
        q, k, v = fused(q.flatten(1)).view(-1, 3, *q.shape[1:]).unbind(1)
    scale = q.shape[-1] ** -0.5 if scaling is None else scaling
    if packed_mask is None and _has_variable_length(q):
        return _variable_length(q, k, v, packed_blocks, scale).unsqueeze(0), None
    bias = (
        None if packed_mask is None else q.new_zeros(packed_mask.shape).masked_fill(~packed_mask, -torch.inf)
    )
    tokens, heads, width = q.shape
    out = q.new_empty((tokens, heads, width))
    by_products = q.device.type == "cpu" and q.dtype == torch.bfloat16
    for start, texts, length in packed_blocks:
        rows = slice(start, start + texts * length)
        attend = _by_products if by_products else _by_kernel
        some_q, some_k, some_v, some = (x[rows].view(texts, length, heads, width) for x in (q, k, v, out))
        attend(some_q, some_k, some_v, some, scale, bias)
    return out.unsqueeze(0), None


def _by_kernel(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    out: torch.Tensor,
    scale: float,
    bias: torch.Tensor | None,
) -> None:
    """Attention of n texts of length L by torch's own kernel: (n, L, H, d) three times, into `out`.

    `bias` is added to the scores of each text's keys: (n, L), or None.
    """
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    mask = None if bias is None else bias[:, None, None, :]
    attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale)
    out.copy_(attended.transpose(1, 2))


def _by_products(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    out: torch.Tensor,
    scale: float,
    bias: torch.Tensor | None,
) -> None:
    """The same by batched products, which on a CPU use bfloat16 units that torch's own kernel leaves idle.

    Texts, and the heads of long texts, are taken in groups whose scores stay in the second-level cache.
    """
    texts, length, heads, width = q.shape
    group = max(1, _SCORES // (heads * length**2))
    some = heads if group > 1 else max(1, min(heads, _SCORES // length**2))
    for text in range(0, texts, group):
        for head in range(0, heads, some):
            part = (slice(text, text + group), slice(None), slice(head, head + some))
            qs, ks, vs = (x[part].transpose(1, 2).reshape(-1, length, width) for x in (q, k, v))
            scores, target = _scores(qs, ks.transpose(1, 2), scale), out[part]
            if bias is not None:
                scores += bias[part[0]].repeat_interleave(target.shape[2], dim=0)[:, None, :]
            attended = torch.bmm(torch.softmax(scores, -1).to(q.dtype), vs)
            target.copy_(attended.view(len(target), -1, length, width).transpose(1, 2))


def _scores(q: torch.Tensor, k: torch.Tensor, scale: float) -> torch.Tensor:
    """Scores of bfloat16 queries and keys, (n, L, d) and (n, d, L), as float32 (n, L, L).

    Rounded to bfloat16 they would cost more than all other rounding together. A float32 product keeps them
    exact (`features.encoder.device` makes it a fast one). Where a bfloat16 product takes less than half
    its time, two of them are better: the second takes what the first rounded away, Q Kᵀ - round(Q Kᵀ), which
    is added in float32, for scores to about 16 bits.
    """
    if q.shape[1] >= _LONG and not _has_tiles():
        return torch.baddbmm(torch.empty(()), q.float(), k.float(), beta=0, alpha=scale)
    rounded = torch.baddbmm(q.new_empty(()), q, k, beta=0, alpha=scale)
    return rounded.float().add_(torch.baddbmm(rounded, q, k, beta=-1, alpha=scale))


@functools.cache
def _has_tiles() -> bool:
    """Whether the CPU multiplies bfloat16 in tiles (AMX), many times as fast as float32, not just twice."""
    return bool(torch.cpu.get_capabilities().get("amx_bf16"))


def _has_variable_length(q: torch.Tensor) -> bool:
    """Whether flash attention takes texts of different lengths at once: half precision, Ampere or newer."""
    half = q.dtype in (torch.float16, torch.bfloat16) and q.shape[-1] % 8 == 0
    return half and q.is_cuda and torch.cuda.get_device_capability(q.device) >= (8, 0)


def _variable_length(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, blocks: Sequence[Block], scale: float
) -> torch.Tensor:
    """Flash attention over texts of different lengths in one call: (T, H, d) three times -> (T, H, d)."""
    from torch.nn.attention.varlen import varlen_attn

    lengths = [length for _, texts, length in blocks for _ in range(texts)]
    ends = np.cumsum([0, *lengths], dtype=np.int32)
    bounds = torch.from_numpy(ends).to(q.device)
    longest = max(lengths)
    attended = varlen_attn(q, k, v, bounds, bounds, longest, longest, scale=scale)
    return attended if isinstance(attended, torch.Tensor) else attended[0]
