"""Shards and the files they are."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from features.corpus.texts import Text
from features.store.files import is_sealed, verify, write_named
from features.store.shards import ShardError, columns, read_shard, row_arrays, write_shard
from features.store.store import text_digests
from tests.features.fake_encoder import expected, fake_manifest

TEXTS = [Text("a good film"), Text("not good"), Text("premise", "hypothesis of some length")]


def _write(folder: Path, **changes: object) -> Path:
    manifest = fake_manifest(**changes)
    first, second = TEXTS[:2], TEXTS[2:]
    batches = [row_arrays(manifest, text_digests(part), expected(manifest, part)) for part in (first, second)]
    return write_shard(folder, manifest, batches)


def test_a_shard_holds_its_batches_one_after_another(tmp_path: Path) -> None:
    """Every dataset of a shard is the concatenation of the batches' arrays."""
    path = _write(tmp_path)
    whole = expected(fake_manifest(), TEXTS)
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file["digests"][()], text_digests(TEXTS))
        np.testing.assert_array_equal(file["pooled"][()], whole.pooled)
        np.testing.assert_array_equal(file["tokens/2"][()], whole.tokens[1])
        np.testing.assert_array_equal(file["char_spans"][()], whole.char_spans)
        assert file["tokens/1"].dtype == np.float16


def test_columns_can_be_mapped_without_hdf5(tmp_path: Path) -> None:
    """The addresses of a shard lead to its values in the raw bytes."""
    path = _write(tmp_path)
    shard = read_shard(path)
    raw = path.read_bytes()
    for column, address in zip(columns(shard.manifest), shard.addresses, strict=True):
        with h5py.File(path) as file:
            values = file[column.name][()]
        assert raw[address : address + values.nbytes] == values.tobytes()


def test_without_tokens_no_token_embeddings_are_stored(tmp_path: Path) -> None:
    """A manifest that keeps no tokens gives shards with pieces and pooled vectors alone."""
    with h5py.File(_write(tmp_path, tokens="none")) as file:
        assert "tokens" not in file
        assert file["piece_ids"].shape[0] == file["lengths"][()].sum()


def test_the_same_content_gives_the_same_bytes_and_name(tmp_path: Path) -> None:
    """A shard's bytes depend on nothing but its content."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = _write(tmp_path / "a"), _write(tmp_path / "b")
    assert first.name == second.name
    assert first.read_bytes() == second.read_bytes()


def test_a_batch_that_is_not_what_the_manifest_says_is_refused() -> None:
    """Wrong widths and dtypes never reach the disk."""
    batch = expected(fake_manifest(dim=4), TEXTS)
    with pytest.raises(ValueError, match="pooled as float32"):
        row_arrays(fake_manifest(dim=8), text_digests(TEXTS), batch)


def test_a_foreign_hdf5_file_is_no_shard(tmp_path: Path) -> None:
    """An HDF5 file of another making is refused as a shard."""
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file["digests"] = np.zeros((2, 16), np.uint8)
    with pytest.raises(ShardError, match="no shard"):
        read_shard(path)


def test_a_chunked_dataset_is_no_column(tmp_path: Path) -> None:
    """A shard that was repacked into chunks cannot be mapped and is refused."""
    source, target = _write(tmp_path), tmp_path / "repacked.h5"
    with h5py.File(source) as old, h5py.File(target, "w") as new:
        new.attrs.update(old.attrs)
        for column in columns(fake_manifest()):
            new.create_dataset(column.name, data=old[column.name][()], chunks=True)
    with pytest.raises(ShardError, match="another layout"):
        read_shard(target)


def test_writing_breaks_the_seal(tmp_path: Path) -> None:
    """A file is sealed once written, loses the seal to any write, and regains it only if it is sound."""
    path = write_named(tmp_path, b"some content", ".bin")
    assert is_sealed(path)
    path.chmod(0o644)
    path.write_bytes(b"Some content")
    assert not is_sealed(path)
    assert not verify(path)
    path.write_bytes(b"some content")
    assert not is_sealed(path)
    assert verify(path)
    assert is_sealed(path)


def test_a_write_through_a_memory_map_breaks_the_seal(tmp_path: Path) -> None:
    """Changing a mapped byte is seen as well as an ordinary write."""
    path = write_named(tmp_path, b"some content", ".bin")
    path.chmod(0o644)
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        mapped[0:1] = b"S"
        mapped.flush()
    assert not is_sealed(path)


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk refuses, neither a file nor a part of one stays behind."""

    def refuse(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="No space left"):
        write_named(tmp_path, b"content", ".bin")
    assert list(tmp_path.iterdir()) == []
