"""Which shards of the store no corpus of `params.yaml` uses."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from features.corpus import Corpus
from features.storing.index import FILE, Index
from features.storing.locking import LOCK, exclusive
from features.storing.manifest import Manifest
from features.storing.shards import SHARDS, Shard
from features.storing.store import MANIFEST, QUARANTINE, encoder_folders, scan, text_digests
from pipeline import layout
from pipeline.extracting.encode_cost import LEDGER
from pipeline.settings.params import CorpusParams, Params


@dataclass(frozen=True)
class Leftover:
    """Something of an encoder's folder that can go.

    folder: `store/<key>`. what: for people. size: bytes. files: shards to remove; None for the whole folder.
    """

    folder: Path
    what: str
    size: int
    files: tuple[Path, ...] | None


@dataclass(frozen=True, eq=False)
class Use:
    """Texts that a corpus uses of one manifest: (n, 16) uint8 digests, or None for all that there are."""

    manifest: Manifest
    digests: npt.NDArray[np.uint8] | None


def published(params: Params) -> dict[str, Index]:
    """The indices of the corpora in `params.yaml` that have been extracted, by name."""
    folders = {name: layout.cache_folder(name) for name in params.corpora}
    return {name: Index.load(folder) for name, folder in folders.items() if (folder / FILE).exists()}


def leftovers(root: Path, params: Params) -> list[Leftover]:
    """What no corpus uses, neither as published nor as `params.yaml` stands now.

    Raises:
        InputError: an encoder of `params.yaml` cannot be loaded, or the store is being written.
    """
    folders = encoder_folders(root)
    if not folders:
        return []
    uses = [Use(index.manifest, index.digests) for index in published(params).values()]
    uses += [_declared_use(name, corpus, params) for name, corpus in params.corpora.items()]
    found = []
    for folder in folders:
        with exclusive(folder):
            shards = scan(folder, lambda line: None)
            if leftover := _leftover(folder, shards, uses):
                found.append(leftover)
    return found


def remove(leftover: Leftover) -> None:
    """Remove a leftover, unless a corpus is being extracted into its folder.

    Raises:
        InputError: the folder is being written.
    """
    folder = leftover.folder
    with exclusive(folder):
        shutil.rmtree(folder / QUARANTINE, ignore_errors=True)
        for path in leftover.files or ():
            path.unlink(missing_ok=True)
        if leftover.files is None:
            shutil.rmtree(folder / SHARDS)
            for name in (MANIFEST, LEDGER):
                (folder / name).unlink(missing_ok=True)
    if leftover.files is None:
        (folder / LOCK).unlink(missing_ok=True)
        folder.rmdir()


def _declared_use(name: str, corpus: CorpusParams, params: Params) -> Use:
    """What the next extraction of a corpus looks for; all of its encoder where it is not prepared yet."""
    from features.encoding.encoder import FrozenEncoder  # torch, which listing does not need
    from pipeline.extracting.encoding import encoder_spec

    manifest = FrozenEncoder.load(encoder_spec(params, corpus)).manifest
    prepared = layout.corpus_folder(name) / "corpus.h5"
    if not prepared.exists():
        return Use(manifest, None)
    return Use(manifest, text_digests(Corpus.load(prepared).texts))


def _leftover(folder: Path, shards: Sequence[Shard], uses: Sequence[Use]) -> Leftover | None:
    mine = [use for use in uses if shards and _serves(shards[0].manifest, use.manifest)]
    aside = sum(path.stat().st_size for path in folder.glob(f"{QUARANTINE}/*"))
    unused = [shard for shard in shards if not any(_touches(shard, use) for use in mine)]
    size = sum(shard.size for shard in unused) + aside
    texts = sum(len(shard.digests) for shard in unused)
    if not mine and len(unused) == len(shards):
        model = shards[0].manifest.model if shards else "an encoder without shards"
        return Leftover(folder, f"{model}: all {texts:,} texts", size, None)
    if not size:
        return None
    files = tuple(folder / SHARDS / shard.file for shard in unused)
    return Leftover(folder, f"{shards[0].manifest.model}: {texts:,} texts", size, files)


def _serves(stored: Manifest, wanted: Manifest) -> bool:
    """The precision follows the device: what another machine computed for the same parameters is used too."""
    return set(stored.difference(wanted)) <= {"precision"}


def _touches(shard: Shard, use: Use) -> bool:
    if use.digests is None:
        return True
    return bool(np.isin(shard.digests.view("S16"), np.ascontiguousarray(use.digests).view("S16")).any())
