"""Drawing the graph: torch's exporter over `TextModel`, any number of texts of any length."""

from __future__ import annotations

import importlib.util
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from features.errors import InputError
from pipeline.exporting.graph import Answer, TextModel

_NEEDED = ("onnx", "onnxruntime", "onnxscript")
_TALKERS = ("torch.onnx", "onnxscript", "onnx_ir")
OPSET = 18
_LARGEST = 1_900_000_000  # bytes; a file of protocol buffers ends at 2 GiB, larger weights go beside it


def check_installed() -> None:
    """Make sure that the libraries are there; InputError names the extra that brings them."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(f'exporting needs {", ".join(missing)}; run: pip install ".[onnx]"')


def write_onnx(model: TextModel, path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Write the model to `path`, and beside it `<name>.data` where it is larger than ONNX's limit.

    Returns:
        Names of its inputs and of its outputs, in order.
    """
    example = _example(model)
    inputs = ("input_ids", "attention_mask", "token_type_ids")[: len(example)]
    with torch.no_grad():
        answer = model.answer(*example)
    outputs = tuple(name for name in Answer._fields if getattr(answer, name) is not None)
    batch, pieces = torch.export.Dim("batch"), torch.export.Dim("pieces")
    axes = {0: batch, 1: pieces}
    with _quiet(), torch.no_grad():
        traced = torch.export.export(
            model, example, dynamic_shapes=tuple(axes for _ in example), strict=False
        ).run_decompositions({torch.ops.aten.cummin.default: _cummin})
        program: Any = torch.onnx.export(
            traced,
            input_names=inputs,
            output_names=outputs,
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    size = sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values())
    program.save(path, external_data=size > _LARGEST)
    return inputs, outputs


def _example(model: TextModel) -> tuple[Tensor, ...]:
    """Three texts of two lengths: sizes that the exporter cannot take for constants."""
    ids = torch.full((3, 7), 2)
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    return (ids, mask, torch.zeros_like(ids)) if model.wants_types else (ids, mask)


def _cummin(x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Running minimum step by step, since ONNX has none; who wants the places as well gets zeros."""
    steps = list(x.unbind(dim))
    for k in range(1, len(steps)):
        steps[k] = torch.minimum(steps[k - 1], steps[k])
    values = torch.stack(steps, dim)
    return values, torch.zeros_like(values, dtype=torch.int64)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's notes on its own insides and on packages that are not needed here."""
    levels = {name: logging.getLogger(name).level for name in _TALKERS}
    for name in _TALKERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r".*LeafSpec.*", FutureWarning)
        try:
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
