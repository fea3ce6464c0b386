"""`python -m pipeline fetch NAME`: get the files of a known corpus, or say which file to put where."""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from features.errors import InputError
from pipeline.commands.downloading import FetchError, check_digest, describe_status, download
from pipeline.commands.presets import Download, Preset, load_preset, preset_names
from pipeline.commands.unpacking import unpack
from pipeline.project.stage import guard, log

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


_STAGING = ".fetching"  # kept after a failure, so that the next call goes on from there


def main(arguments: Sequence[str] | None = None) -> None:
    """Fetch the presets that are named; without a name, list them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("preset", nargs="*", help="names of known corpora; without one they are listed")
    names = parser.parse_args(arguments).preset

    def action() -> None:
        for name in names:
            _fetch_one(name)
        if not names:
            for name in preset_names():
                preset = load_preset(name)
                print(f"{name:20} {preset.title}; {preset.download.page}")

    guard(action)


def _fetch_one(name: str) -> None:
    from tqdm import tqdm

    preset = load_preset(name)
    with tqdm(desc=name, unit="B", unit_scale=True) as bar:

        def progress(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        files = fetch(preset, progress)
    log.info("%s: %s; licence: %s", name, ", ".join(map(str, files)), preset.licence)


def fetch(preset: Preset, progress: Progress = lambda done, total: None) -> list[Path]:
    """Make sure that the files of a preset are where it reads them; those there are not touched.

    Returns:
        All its files.

    Raises:
        InputError: they could not be had; the message says why, and which file to put where by hand.
    """
    source = preset.download
    folder = Path(source.folder)
    files = [folder / name for name in source.files]
    if all(file.is_file() for file in files):
        return files
    staging = folder / _STAGING
    staging.mkdir(parents=True, exist_ok=True)
    try:
        for name in source.wanted:
            _get_one(preset, name, staging, progress)
        found = {name: _find(preset, name, staging) for name in source.files}
    except (FetchError, InputError) as error:
        _forget_unpacked(staging)
        raise InputError(
            f"{preset.title} could not be had from {source.page}: {error}; by hand: download "
            f"{', '.join(source.wanted)} there and put {', '.join(source.files)} into {folder}/"
        ) from None
    for file in files:
        if not file.is_file():
            found[file.name].replace(file)
    shutil.rmtree(staging)
    return files


def _get_one(preset: Preset, name: str, staging: Path, progress: Progress) -> None:
    source = preset.download
    path = get(source, name, staging, progress)
    if (digest := source.digests.get(name)) is not None:
        check_digest(path, digest)
    try:
        unpack(path, staging / "unpacked")
    except InputError:
        path.unlink()
        raise


def _find(preset: Preset, name: str, staging: Path) -> Path:
    within = preset.download.within
    found = sorted(
        (
            path
            for path in staging.rglob(name)
            if path.is_file() and (within is None or within in path.relative_to(staging).parts[:-1])
        ),
        key=lambda path: ("unpacked" not in path.parts, len(path.parts), path),
    )
    if not found:
        raise FetchError(f"what came does not hold {name}")
    return found[0]


def _forget_unpacked(staging: Path) -> None:
    """Leave downloads and their parts for the next call, nothing else."""
    shutil.rmtree(staging / "unpacked", ignore_errors=True)
    if not any(staging.iterdir()):
        staging.rmdir()
