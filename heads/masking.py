"""Softmax, mean and maximum over real tokens alone, finite even for a text without one."""

from __future__ import annotations

import torch
from torch import Tensor


def masked_softmax(logits: Tensor, real: Tensor) -> Tensor:
    """Softmax over the last dimension of logits (B, R, L), exactly 0 where real (B, L) is False."""
    keep = real.unsqueeze(1)
    return logits.masked_fill(~keep, torch.finfo(logits.dtype).min).softmax(dim=-1) * keep


def masked_mean(tokens: Tensor, real: Tensor) -> Tensor:
    """The mean (B, D) of the real tokens of (B, L, D)."""
    weights = real.to(tokens.dtype)
    weights = weights / weights.sum(dim=1, keepdim=True).clamp(min=1)
    return torch.bmm(weights.unsqueeze(1), tokens).squeeze(1)


def masked_max(tokens: Tensor, real: Tensor) -> Tensor:
    """The maximum (B, D) of each dimension over the real tokens of (B, L, D); 0 for a text without one."""
    highest = tokens.masked_fill(~real.unsqueeze(-1), torch.finfo(tokens.dtype).min).amax(dim=1)
    return highest * real.any(dim=1, keepdim=True)
