"""Checkpoints that a kill cannot break: one safetensors file, replaced in one step."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from features.errors import InputError


def save_checkpoint(
    path: Path,
    model: nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    state: dict[str, Any],
) -> None:
    """Write weights, optimizer state and `state` (JSON values) to `path`, or leave the old file as it was."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    for number, optimizer in enumerate(optimizers):
        for index, entry in optimizer.state_dict()["state"].items():
            for key, value in entry.items():
                tensors[f"optimizer{number}.{index}.{key}"] = value
    tensors = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, metadata={"state": json.dumps(state)})
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(path)


def load_checkpoint(
    path: Path, model: nn.Module, optimizers: Sequence[torch.optim.Optimizer]
) -> dict[str, Any]:
    """Fill model and optimizers in place and return `state`.

    Raises:
        InputError: the checkpoint belongs to a model of another shape.
    """
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        state: dict[str, Any] = json.loads(file.metadata()["state"])
    weights = {name.removeprefix("model."): t for name, t in tensors.items() if name.startswith("model.")}
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in weights.items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise InputError(
                f"{path} has {name} as {found.get(name)}, this run needs {expected.get(name)}; "
                "use the options it was started with, or another --out"
            )
    model.load_state_dict(weights)
    for number, optimizer in enumerate(optimizers):
        entries: dict[int, dict[str, torch.Tensor]] = {}
        for name, value in tensors.items():
            owner, _, rest = name.partition(".")
            if owner == f"optimizer{number}":
                index, _, key = rest.partition(".")
                entries.setdefault(int(index), {})[key] = value
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": entries, "param_groups": groups})
    return state
