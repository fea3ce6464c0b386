"""`python -m pipeline.store [list | verify | prune]`: what the store holds, is it sound, what can go."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from features.errors import InputError
from features.storing.forecast import readable_bytes
from features.storing.locking import exclusive
from features.storing.manifest import Manifest
from features.storing.shards import SHARDS, Shard, ShardError, read_shard
from features.storing.store import encoder_folders, scan
from pipeline import layout
from pipeline.extracting.pruning import leftovers, published, remove
from pipeline.settings.params import Params, load_params
from pipeline.stage import guard


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one of the commands; without one, `list`."""
    parser = argparse.ArgumentParser(description="What the store of encoded texts holds.")
    commands = parser.add_subparsers(dest="command", metavar="{list,verify,prune}")
    commands.add_parser("list", help="encoders, texts and bytes (the default)")
    commands.add_parser("verify", help="read every shard in full; move damaged ones aside")
    prune = commands.add_parser("prune", help="remove what no corpus in params.yaml uses")
    prune.add_argument("--yes", action="store_true", help="do not ask")
    given = parser.parse_args(arguments)
    root = layout.store()
    if given.command == "prune":
        guard(lambda: clear(root, load_params(), ask=not given.yes))
    elif given.command == "verify":
        guard(lambda: verify(root))
    else:
        guard(lambda: show(root, load_params()))


def show(root: Path, params: Params) -> None:
    """Print each encoder's manifest, texts and bytes, and the published corpora that use it."""
    users: dict[str, list[str]] = {}
    for name, index in published(params).items():
        users.setdefault(index.manifest.key, []).append(name)
    folders = encoder_folders(root)
    if not folders:
        print(f"{root} is empty: nothing has been encoded yet")
    for folder in folders:
        shards = _readable_shards(folder)
        used = ", ".join(users.get(folder.name, [])) or "no corpus"
        print(f"{folder.name}  {_describe(shards[0].manifest) if shards else 'no shards'}")
        print(f"    {_amount(shards)}; used by {used}")


def verify(root: Path) -> None:
    """Read every shard in full.

    Raises:
        InputError: some were damaged; they have been moved aside.
    """
    damaged = 0
    for folder in encoder_folders(root):
        lines: list[str] = []
        with exclusive(folder):
            before = len(_shard_files(folder))
            shards = scan(folder, lines.append, thorough=True)
        damaged += before - len(shards)
        for line in lines:
            print(line)
        print(f"{folder.name}  {_amount(shards)}: sound")
    if damaged:
        raise InputError(
            f"{damaged} shards were damaged and are in quarantine; run the extract stage again with "
            f"`dvc repro --force`: only their texts are encoded again"
        )


def clear(root: Path, params: Params, *, ask: bool) -> None:
    """Remove what no corpus of `params.yaml` uses, after showing it.

    Raises:
        InputError: an encoder of `params.yaml` cannot be loaded, so that what it uses is not known; or there
            is nobody to ask.
    """
    found = leftovers(root, params)
    if not found:
        print("every shard is used by a corpus in params.yaml")
        return
    for leftover in found:
        print(f"{leftover.folder.name}  {leftover.what}, {readable_bytes(leftover.size)}")
    total = readable_bytes(sum(leftover.size for leftover in found))
    if ask and not _confirmed(f"remove {total} that no corpus in params.yaml uses? [y/N] "):
        print("nothing was removed")
        return
    for leftover in found:
        remove(leftover)
    print(f"removed {total}; what DVC's cache links to takes room until `dvc gc --workspace`")


def _confirmed(question: str) -> bool:
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        raise InputError(
            "nobody is there to answer; run `python -m pipeline.store prune --yes` to remove without asking"
        ) from None


def _readable_shards(folder: Path) -> list[Shard]:
    """Shards as they say they are; listing changes nothing and reads no vectors."""
    shards = []
    for path in _shard_files(folder):
        try:
            shards.append(read_shard(path))
        except ShardError as error:
            print(f"{path} {error}; `python -m pipeline.store verify` moves it aside")
    return shards


def _shard_files(folder: Path) -> list[Path]:
    return sorted((folder / SHARDS).glob("*.h5"))


def _amount(shards: Sequence[Shard]) -> str:
    texts = sum(len(shard.digests) for shard in shards)
    size = readable_bytes(sum(shard.size for shard in shards))
    return f"{texts:,} texts in {len(shards)} shards, {size}"


def _describe(manifest: Manifest) -> str:
    layers = ", ".join(str(layer) for layer in manifest.layers)
    tokens = "pooled vectors only" if manifest.tokens == "none" else f"tokens in {manifest.tokens}"
    return (
        f"{manifest.model}, {manifest.max_length} pieces, layers {layers}, {tokens}, "
        f"computed in {manifest.precision} (weights {manifest.weights[:8]}, code {manifest.code[:8]})"
    )


if __name__ == "__main__":
    main()
