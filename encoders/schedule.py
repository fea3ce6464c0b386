"""Optimizers and the learning rate over the steps."""

from __future__ import annotations

import argparse

import torch

from encoders.objectives import Pretrained


def optimizers_of(model: Pretrained, options: argparse.Namespace) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the layers if asked for, AdamW for all else."""
    matrices, rest, plain = [], [], []
    for name, parameter in model.named_parameters():
        if parameter.ndim < 2:
            plain.append(parameter)
        elif options.optimizer == "muon" and "encoder.layer" in name:
            matrices.append(parameter)
        else:
            rest.append(parameter)
    groups = [{"params": rest, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}]
    result: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(groups, lr=options.lr, betas=(0.9, 0.98), eps=1e-6, fused=True)
    ]
    if matrices:
        result.append(
            torch.optim.Muon(matrices, lr=options.muon_lr, weight_decay=0.01, adjust_lr_fn="match_rms_adamw")
        )
    return result


def rate_factor(step: int, options: argparse.Namespace) -> float:
    """Trapezoid: warm up, stay, fall linearly over the last `--decay` steps."""
    rise = (step + 1) / max(1, options.warmup)
    fall = (options.steps - step) / max(1, options.decay)
    return max(0.0, min(1.0, rise, fall))
