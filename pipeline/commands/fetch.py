"""`python -m pipeline fetch NAME`: get the files of a known corpus, or say which file to put where."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import logging
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from pipeline.project.stage import guard, log
from features.errors import InputError
from pipeline.commands.presets import Download, Preset, load_preset, preset_names
from pipeline.commands.unpacking import unpack

_STAGING = ".fetching"  # kept after a failure, so that what has come need not come again
_UNPACKED = "unpacked"
_RETRIES, _TIMEOUT = 3, 30  # attempts after the first, seconds
_LONGEST_WAIT = 60  # seconds; a server that asks for more is asked another day
_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
_STATUS = {
    401: "it wants a credential, or its terms accepted",
    403: "it wants a credential, or its terms accepted",
    404: "it is not there",
    410: "it is not there",
    429: "it limits downloads",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Fetch the presets that are named; without a name, list them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("preset", nargs="*", help="names of known corpora; without one they are listed")
    guard(lambda: _run(parser.parse_args(arguments).preset))


def _run(names: Sequence[str]) -> None:
    for name in names:
        preset = load_preset(name)
        files = fetch(preset)
        log.info("%s: %s; licence: %s", name, ", ".join(map(str, files)), preset.licence)
    if not names:
        for name in preset_names():
            preset = load_preset(name)
            print(f"{name:20} {preset.title}; {preset.download.page}")


def fetch(preset: Preset) -> list[Path]:
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
        found = _collect(source, staging)
    except InputError as error:
        shutil.rmtree(staging / _UNPACKED, ignore_errors=True)
        with contextlib.suppress(OSError):
            staging.rmdir()  # unless it holds what need not come again
        raise InputError(
            f"{preset.title} could not be had from {source.page}: {error}; by hand: download "
            f"{', '.join(source.wanted)} there and put {', '.join(source.files)} into {folder}/"
        ) from None
    for file in files:
        if not file.is_file():
            found[file.name].replace(file)
    shutil.rmtree(staging)
    return files


def _collect(source: Download, staging: Path) -> dict[str, Path]:
    """Where each of the files lies once all is downloaded and unpacked.

    A download that is damaged or of no use is removed: it must not stand in the way of the next attempt.
    """
    found: dict[str, Path] = {}
    for name in source.wanted:
        path = staging / name
        if not path.is_file():
            _download(source, name, path)
        try:
            if expected := source.digests.get(name):
                _check_digest(path, expected)
            if unpack(path, staging / _UNPACKED, source.files, source.within):
                found |= {file.name: file for file in (staging / _UNPACKED).iterdir()}
            else:
                found[name] = path
        except InputError:
            path.unlink()
            raise
    if missing := [name for name in source.files if name not in found]:
        shutil.rmtree(staging)
        raise InputError(f"what came does not hold {missing[0]}")
    return found


def _check_digest(path: Path, expected: str) -> None:
    import pooch

    name, _, digest = expected.partition(":")
    if (found := pooch.file_hash(str(path), name)) != digest:
        raise InputError(f"{path.name} has the wrong digest ({name} {found}, expected {digest})")


def _download(source: Download, name: str, path: Path) -> None:
    """Bring one file of a source, whole or not at all; errors are free of addresses and credentials."""
    try:
        if source.kaggle is not None:
            _from_kaggle(source.kaggle, name, path)
        elif source.hub is not None:
            from huggingface_hub import hf_hub_download

            hf_hub_download(
                source.hub,
                name,
                repo_type="dataset",
                revision=source.revision,
                local_dir=path.parent,
                endpoint=os.environ.get("HF_ENDPOINT") or None,
            )
        else:
            import pooch

            pooch.get_logger().setLevel(logging.ERROR)  # it would print addresses, and what may stand in them
            known: dict[str, str | None] = {name: None}
            shelf = pooch.create(path.parent, f"{source.url}/", registry=known, retry_if_failed=_RETRIES)
            shelf.fetch(name, downloader=_ask)
    except (InputError, KeyboardInterrupt):
        raise
    except Exception as error:
        raise InputError(_reason(error)) from None


def _from_kaggle(handle: str, name: str, path: Path) -> None:
    """A file at a time: whole data sets would be unpacked by the client, without limits.

    It goes through the client's own cache, which resumes; with `output_dir` the client refuses to go on
    after a download that was interrupted.
    """
    try:
        kagglehub: Any = importlib.import_module("kagglehub")  # an extra, that need not be there
    except ImportError:
        raise InputError(
            "Kaggle's client is not installed, `pip install kagglehub` (or the extra `fetch`) brings it"
        ) from None
    if handle.startswith("competitions/"):
        cached = kagglehub.competition_download(handle.removeprefix("competitions/"), path=name)
    else:
        cached = kagglehub.dataset_download(handle, path=name)
    part = path.with_name(f"{path.name}.part")
    shutil.move(cached, part)  # maybe from another disk
    part.replace(path)


def _ask(url: str, target: str, shelf: object) -> None:
    """Ask a web server once; an exception other than pooch's own kinds ends pooch's attempts."""
    import pooch
    import requests

    identity = {"Accept-Encoding": "identity"}  # an archive shall come as it is
    ask = pooch.HTTPDownloader(sys.stderr.isatty(), timeout=_TIMEOUT, headers=identity)
    try:
        ask(url, target, shelf)
    except requests.HTTPError as error:
        reply = cast(requests.Response, error.response)
        reply.close()
        asked = reply.headers.get("Retry-After", "")
        wait = int(asked) if asked.isdigit() else 0
        if reply.status_code not in _AGAIN:
            raise InputError(_describe(reply.status_code)) from None
        if wait > _LONGEST_WAIT:
            raise InputError(f"{_describe(reply.status_code)} and asks to wait {wait} s") from None
        time.sleep(wait)
        raise


def _reason(error: BaseException) -> str:
    """Why a client failed, by status or kind alone: its own message may hold addresses and credentials."""
    cause: BaseException | None = error
    while cause is not None:
        status = getattr(getattr(cause, "response", None), "status_code", None)
        if isinstance(status, int):
            return _describe(status)
        cause = cause.__cause__ or cause.__context__
    kind = type(error).__name__
    if "Credential" in kind or "Unauthenticated" in kind:
        return "it wants a credential"
    return f"it cannot be reached ({kind})"


def _describe(status: int) -> str:
    """What an HTTP status means for somebody who wants a file."""
    return f"{_STATUS.get(status, 'it answers with an error')} (HTTP {status})"
