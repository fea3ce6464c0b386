"""The command line of the pretraining program."""

from __future__ import annotations

import argparse
from pathlib import Path


def named_path(value: str) -> tuple[str, str]:
    """Split `name=path`."""
    name, equals, path = value.partition("=")
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f"found {value!r}; expected name=path")
    return name, path


def task_path(value: str) -> tuple[str, str]:
    """Split `task=path`; the task will name a module, so it has to be a plain word."""
    name, path = named_path(value)
    if not name.isidentifier():
        raise argparse.ArgumentTypeError(f"found the task name {name!r}; expected letters, digits and _")
    return name, path


def parser() -> argparse.ArgumentParser:
    """Every option with its default; `--help` prints them."""
    result = argparse.ArgumentParser(
        prog="encoders.pretrain",
        description="Pretrain a mini BERT from plain text, one text a line.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = result.add_argument
    add("--out", type=Path, required=True, help="folder for checkpoint, log.csv and encoder/")
    add("--tokenizer", type=Path, required=True, help="folder made by encoders.vocabulary")
    add("--text", type=Path, nargs="+", help="text files, one text a line")
    add("--labelled", type=task_path, nargs="+", default=[], metavar="TASK=PATH", help="label<TAB>text")
    add("--words", choices=["jieba", "pieces"], default="pieces", help="what is masked as a whole")
    add("--init", type=Path, help="encoder folder to start from instead of random weights")
    shape = result.add_argument_group("shape")
    shape.add_argument("--width", type=int, default=256)
    shape.add_argument("--layers", type=int, default=4)
    shape.add_argument("--heads", type=int, default=4)
    shape.add_argument("--positions", type=int, default=512, help="longest input, in pieces")
    _add_objectives(result.add_argument_group("objectives"))
    _add_schedule(result.add_argument_group("schedule"))
    return result


def _add_objectives(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--mask-share", type=float, default=0.2, help="share of words masked")
    add("--bag", type=float, default=0.1, help="weight of predicting a text's pieces from the pooled vector")
    add("--labels", type=float, default=1.0, help="weight of the labels of --labelled")
    add("--teacher", type=Path, help="BERT folder to distil; its vocabulary holds the student's")
    add("--teacher-layer", type=int, default=4, help="layer whose states are predicted")
    add("--teacher-share", type=float, default=0.25, help="share of the rows shown to the teacher")
    add("--teacher-weight", type=float, default=1.0, help="weight of predicting the teacher's states")


def _add_schedule(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--steps", type=int, required=True, help="last step")
    add("--warmup", type=int, default=200, help="steps over which the learning rate rises")
    add("--decay", type=int, default=0, help="last steps, over which the learning rate falls to zero")
    add("--lr", type=float, default=1e-3, help="AdamW learning rate")
    add("--optimizer", choices=["adamw", "muon"], default="adamw", help="muon: for the layers' matrices")
    add("--muon-lr", type=float, default=3e-3, help="Muon learning rate, on AdamW's scale")
    add("--rows", type=int, default=64, help="rows in a batch")
    add("--row-length", type=int, default=128, help="pieces in a row")
    add("--shift-share", type=float, default=0.2, help="share of batches whose positions start later")
    add("--seed", type=int, default=13)
    add("--device", help="cpu, cuda or mps; chosen by itself if left out")
    add("--threads", type=int, default=0, help="CPU threads; 0 leaves torch's choice")
    add("--bfloat16", action=argparse.BooleanOptionalAction, default=True, help="compute in bfloat16")
    add("--compile", action="store_true", help="torch.compile the encoder: faster, wants a C++ compiler")
    add("--save-minutes", type=float, default=3.0, help="minutes between checkpoints")
    add("--log-every", type=int, default=20, help="steps between lines of log.csv")
