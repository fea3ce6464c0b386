"""A store that keeps tokens in 8 bits, seen through the same doors as any other."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from features.errors import InputError
from features.store.cost import entry_bytes
from features.store.extraction import estimate
from features.store.files import verify
from features.store.reading import FeatureStore
from features.store.shards import ShardError, read_shard
from features.store.store import Store, text_digests
from features.store.writing import ShardWriter
from tests.features.fake_encoder import FakeEncoder, expected, fake_manifest
from tests.features.runs import as_kept, run, texts_of

TEXTS = texts_of(70)
MANIFEST = fake_manifest(tokens="int8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus over several shards."""
    root = tmp_path_factory.mktemp("int8")
    assert run(root, TEXTS, encoder=FakeEncoder(MANIFEST), shard_bytes=3000).summary.shards > 3
    return root / "out"


def test_readers_get_half_precision_whatever_is_kept(folder: Path) -> None:
    """Texts in any order, with repeats, come as writable float16, as from a float16 store."""
    chosen = np.array([61, 3, 3, 17, 0])
    wanted = expected(MANIFEST, [TEXTS[i] for i in chosen])
    with FeatureStore.open(folder, MANIFEST) as store:
        batch = store.tokens(2).gather(chosen)
    assert batch.tokens.dtype == np.float16
    assert batch.tokens.flags.writeable
    np.testing.assert_array_equal(batch.tokens, as_kept(MANIFEST, wanted.tokens[1]))
    np.testing.assert_array_equal(batch.lengths, wanted.lengths)


def test_any_hdf5_reader_multiplies_by_the_scales(folder: Path) -> None:
    """Plain h5py reads values and scales of a text through the index; their product is the embedding."""
    wanted = expected(MANIFEST, [TEXTS[40]]).tokens[0]
    with h5py.File(folder / "index.h5") as file:
        start, length = int(file["starts"][40]), int(file["lengths"][40])
        values, scales = (file[f"{name}/1"][start : start + length] for name in ("tokens", "scales"))
    assert values.dtype == np.int8
    assert np.abs(values * scales[:, None] - wanted.astype(np.float32)).max() <= scales.max() * 0.51


def test_the_two_forms_never_mix(folder: Path) -> None:
    """A cache in one form is refused where the other is asked for, and the field is named."""
    assert MANIFEST.key != fake_manifest().key
    with pytest.raises(InputError, match="another encoder: tokens is int8, expected float16"):
        FeatureStore.open(folder, fake_manifest())


def test_a_form_of_a_later_version_is_no_shard(tmp_path: Path) -> None:
    """A sound shard that keeps tokens in a way this version does not know is refused, not misread."""
    with Store(tmp_path, MANIFEST, print) as store, ShardWriter(store) as writer:
        writer.add(text_digests(TEXTS), expected(MANIFEST, TEXTS))
    (path,) = tmp_path.glob("*/shards/*.h5")
    assert verify(path)
    path.chmod(0o644)
    with h5py.File(path, "r+") as file:
        file.attrs["manifest"] = MANIFEST.to_json().replace('"int8"', '"int4"')
    with pytest.raises(ShardError, match="kept as 'int4'; expected float16, int8 or none"):
        read_shard(path)


def test_the_forecast_knows_the_form() -> None:
    """A token of width D takes D bytes and a scale of 4, in place of 2 D."""
    layers, dim = len(MANIFEST.layers), MANIFEST.dim
    texts, tokens = entry_bytes(fake_manifest())
    assert entry_bytes(MANIFEST) == (texts, tokens - layers * (2 * dim) + layers * (dim + 4))
    encoder = FakeEncoder(MANIFEST)
    assert estimate(encoder, TEXTS, MANIFEST).bytes < estimate(encoder, TEXTS, fake_manifest()).bytes


def test_what_is_not_finite_reaches_no_shard(tmp_path: Path) -> None:
    """An encoder that gives infinity ends the run, and nothing of it is kept."""
    batch = expected(MANIFEST, TEXTS)
    batch.tokens[1][5, 2] = np.inf
    with (
        Store(tmp_path, MANIFEST, print) as store,
        ShardWriter(store) as writer,
        pytest.raises(ValueError, match="not finite"),
    ):
        writer.add(text_digests(TEXTS), batch)
    assert not list(tmp_path.glob("*/shards/*.h5"))
