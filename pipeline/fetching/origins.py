"""Where files come from: Kaggle and the Hugging Face hub through their own clients, the web by itself."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.fetching.downloading import FetchError, describe_status, download
from pipeline.settings.presets import Download

Progress = Callable[[int, int | None], None]


def get(source: Download, name: str, staging: Path, progress: Progress) -> Path:
    """Download one file of a source into a folder.

    Raises:
        FetchError: it could not be had, and why, in a few words.
    """
    if source.kaggle is not None:
        return _from_kaggle(source.kaggle, name, staging)
    if source.hub is not None:
        return _from_hub(source.hub, source.revision or "", name, staging)
    target = staging / name
    if not target.is_file():
        download(f"{source.url}/{name}", target, progress=progress)
    return target


def _from_kaggle(handle: str, name: str, staging: Path) -> Path:
    try:
        kagglehub: Any = importlib.import_module("kagglehub")  # an extra, that need not be there
    except ImportError:
        raise FetchError(
            "Kaggle's client is not installed, `pip install kagglehub` (or the extra `fetch`) brings it"
        ) from None
    competition = handle.removeprefix("competitions/")
    # A file at a time: whole data sets would be unpacked by the client, without limits.
    try:
        if competition != handle:
            found = kagglehub.competition_download(competition, path=name, output_dir=str(staging))
        else:
            found = kagglehub.dataset_download(handle, path=name, output_dir=str(staging))
    except Exception as error:
        raise FetchError(_reason(error)) from None
    return Path(found)


def _from_hub(repository: str, revision: str, name: str, staging: Path) -> Path:
    from huggingface_hub import hf_hub_download

    try:
        found = hf_hub_download(
            repository,
            name,
            repo_type="dataset",
            revision=revision,
            local_dir=staging,
            endpoint=os.environ.get("HF_ENDPOINT") or None,
        )
    except Exception as error:
        raise FetchError(_reason(error)) from None
    return Path(found)


def _reason(error: BaseException) -> str:
    """Why a client failed, by status or kind alone: its own message may hold addresses and credentials."""
    cause: BaseException | None = error
    for _ in range(5):
        if cause is None:
            break
        status = getattr(getattr(cause, "response", None), "status_code", None)
        if isinstance(status, int):
            return describe_status(status)
        cause = cause.__cause__ or cause.__context__
    kind = type(error).__name__
    if "Credential" in kind or "Unauthenticated" in kind:
        return "it wants a credential"
    return f"it cannot be reached ({kind})"
