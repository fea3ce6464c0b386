"""Finding, checking and loading an encoder's folder: safetensors only, nothing unpickled, no remote code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from features.errors import InputError

_REVISION = re.compile(r"[0-9a-f]{40}")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "vocab.txt", "vocab.json", "merges.txt", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model",
)  # fmt: skip
_WEIGHT_FILES = ("model.safetensors", "model.safetensors.index.json", "model-*-of-*.safetensors")
SAFE: Any = {"trust_remote_code": False, "local_files_only": True}  # for all that Transformers reads
_NEEDED = "config.json, model.safetensors and tokenizer.json"


@dataclass(frozen=True)
class LoadedModel:
    """A frozen float32 model in evaluation mode.

    model: the base model of Transformers, without a pooler.
    pooler: its pooler where the checkpoint holds trained weights for one, else None.
    parameters: number of parameters of both.
    """

    model: nn.Module
    pooler: nn.Module | None
    parameters: int


def find_folder(model: str, revision: str | None) -> Path:
    """The folder that holds a model: the one named, or the hub's copy of a pinned revision.

    Raises:
        InputError: neither a folder nor a pinned hub id, or the hub could not give it.
    """
    folder = Path(model)
    if folder.is_dir():
        if revision is not None:
            raise InputError(
                f"model `{model}` is a folder, but a revision ({revision}) is given; expected one for a hub "
                f"id only: set `revision: null` or rename the folder"
            )
        return folder
    if not _HUB_ID.fullmatch(model):
        raise InputError(f"model folder `{model}` does not exist; put {_NEEDED} there, or name a hub id")
    if revision is None or not _REVISION.fullmatch(revision):
        raise InputError(
            f"model `{model}` is no folder here, and as a hub id it has revision {revision!r}; expected a "
            f"folder with {_NEEDED}, or a hub id pinned by `revision:` to a commit of 40 hexadecimal digits"
        )
    from huggingface_hub import snapshot_download

    patterns = ["config.json", *_WEIGHT_FILES, *_TOKENIZER_FILES]
    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=patterns))
    except Exception as error:
        raise InputError(
            f"model `{model}` at revision {revision} could not be had from the hub ({one_line(error)}); "
            f"without a network put {_NEEDED} into a folder and give its path as `model:`"
        ) from None


def check_folder(folder: Path) -> None:
    """Make sure that a folder holds what a model needs.

    Raises:
        InputError: a file is missing, or the weights are not safetensors.
    """
    if not (folder / "config.json").is_file():
        raise InputError(f"`{folder}` has no config.json; expected {_NEEDED}: put the model's files there")
    if not weight_files(folder):
        other = sorted(path.name for path in folder.glob("*.bin"))
        found = f"only {', '.join(other)}" if other else "no weights"
        raise InputError(
            f"`{folder}` has {found}; expected model.safetensors: convert the weights to safetensors, "
            f"pickled ones are never loaded"
        )
    if not tokenizer_files(folder):
        raise InputError(f"`{folder}` has no tokenizer; expected {_NEEDED}: put the tokenizer's files there")


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files that are loaded, and the index of a sharded checkpoint.

    Raises:
        InputError: the index cannot be read, or names a file that is not in the folder itself.
    """
    single, index = (folder / name for name in _WEIGHT_FILES[:2])
    if single.is_file():
        return [single]
    if not index.is_file():
        return []
    try:
        names = sorted({str(name) for name in json.loads(index.read_text("utf-8"))["weight_map"].values()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"`{index}` is no index of weights ({one_line(error)}); take it anew") from None
    for name in names:
        if Path(name).name != name or not (folder / name).is_file():
            raise InputError(
                f"`{index}` names the weights {name!r}; expected files beside it, of which alone the "
                f"encoder's identity is made: put the file there, or name it as it lies there"
            )
    return [index, *(folder / name for name in names)]


def tokenizer_files(folder: Path) -> list[Path]:
    """The files that a tokenizer is read from."""
    return [folder / name for name in _TOKENIZER_FILES if (folder / name).is_file()]


def load_tokenizer(folder: Path) -> Any:
    """The folder's fast tokenizer.

    Raises:
        InputError: it cannot be read, or it is a slow one, which knows no character offsets.
    """
    from transformers import AutoTokenizer

    with reading("tokenizer", folder):
        tokenizer = AutoTokenizer.from_pretrained(folder, use_fast=True, **SAFE)
    if not tokenizer.is_fast:
        raise InputError(
            f"the tokenizer in `{folder}` ({type(tokenizer).__name__}) is a slow one without character "
            f"offsets; expected a fast one: put its tokenizer.json there"
        )
    return tokenizer


def load_model(folder: Path) -> LoadedModel:
    """The folder's model as Transformers has it: in float32 however it is stored, frozen, in evaluation mode.

    Raises:
        InputError: the weights do not belong to the architecture that config.json names, or are unreadable.
    """
    from transformers import AutoModel

    with reading("model", folder):
        model, report = AutoModel.from_pretrained(
            folder,
            dtype=torch.float32,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # so that the tensor can be named below
            **SAFE,
        )
    missing = sorted(report["missing_keys"])
    wrong = [name for name in missing if not name.startswith("pooler.")]
    wrong += [str(item[0]) for item in report.get("mismatched_keys", ())]
    if wrong:
        raise InputError(
            f"the weights in `{folder}` lack {len(wrong)} of the tensors that config.json asks for "
            f"(first: {wrong[0]}); expected a complete checkpoint of that architecture: take both from one "
            f"model"
        )
    pooler = getattr(model, "pooler", None)
    if pooler is not None:
        model.pooler = None
    parts = [model] if pooler is None or missing else [model, pooler]  # what is missing is the pooler's
    for part in parts:
        part.eval().requires_grad_(False)
    count = sum(parameter.numel() for part in parts for parameter in part.parameters())
    return LoadedModel(model, parts[1] if parts[1:] else None, count)


@contextmanager
def reading(what: str, folder: Path) -> Iterator[None]:
    """Let Transformers read a folder in silence; whatever it raises becomes an InputError of one line."""
    try:
        with quiet_transformers():
            yield
    except Exception as error:
        raise InputError(f"the {what} in `{folder}` cannot be read: {one_line(error)}") from None


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence the library's notes on unused weights and its loading bar, and restore both afterwards."""
    from transformers.utils import logging

    verbosity, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bar:
            logging.enable_progress_bar()


def one_line(error: Exception) -> str:
    """An error of a library as part of a sentence."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}"
