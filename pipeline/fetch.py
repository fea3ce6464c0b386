"""`python -m pipeline.fetch NAME`: get the files of a known corpus, or say which file to put where."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from features.errors import InputError
from pipeline.fetching.downloading import FetchError, check_digest
from pipeline.fetching.origins import Progress, get
from pipeline.fetching.unpacking import unpack
from pipeline.settings.presets import Preset, load_preset, preset_names
from pipeline.stage import guard, log

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


if __name__ == "__main__":
    main()
