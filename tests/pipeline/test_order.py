from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.training.batches import batches_of, buffers_of

LENGTHS = st.lists(st.integers(1, 50), min_size=1, max_size=300)


@given(LENGTHS, st.integers(1, 2000), st.one_of(st.none(), st.integers(0, 9)))
def test_a_block_shuffle_reads_every_text_once(lengths: list[int], tokens: int, seed: int | None) -> None:
    """Buffers partition the rows, and no buffer of several is too long."""
    found = np.array(lengths, np.int32)
    texts = np.random.default_rng(1).permutation(len(found))
    generator = None if seed is None else np.random.default_rng(seed)
    buffers = list(buffers_of(texts, found, tokens, generator))
    assert sorted(np.concatenate(buffers).tolist()) == list(range(len(found)))
    for buffer in buffers:
        assert len(buffer) == 1 or int(found[buffer].sum()) <= tokens


@given(LENGTHS, st.integers(1, 20), st.one_of(st.none(), st.integers(0, 9)))
def test_batches_hold_every_text_once(lengths: list[int], size: int, seed: int | None) -> None:
    """Batches partition the texts and none is larger than asked for."""
    generator = None if seed is None else np.random.default_rng(seed)
    batches = batches_of(np.array(lengths, np.int32), size, generator)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    assert max(map(len, batches)) <= size


def test_a_seed_gives_the_same_order_again() -> None:
    """One seed reads and shuffles alike, another does not."""
    lengths = np.full(5000, 10, np.int32)

    def order(seed: int) -> list[int]:
        buffers = buffers_of(np.arange(5000), lengths, 10_000, np.random.default_rng(seed))
        return [int(text) for buffer in buffers for text in buffer]

    assert order(1) == order(1)
    assert order(1) != order(2)


@pytest.mark.parametrize("seed", range(3))
def test_a_buffer_mixes_the_whole_store(seed: int) -> None:
    """Order read and order on disk hardly correlate, and each buffer's mean place is near the store's."""
    count = 20_000
    lengths = np.full(count, 5, np.int32)
    held = list(buffers_of(np.arange(count), lengths, 10_000, np.random.default_rng(seed)))
    assert 10 <= len(held) <= 11
    read = np.concatenate(held)
    assert abs(np.corrcoef(read, np.arange(count))[0, 1]) < 0.1
    assert all(abs(texts.mean() / count - 0.5) < 0.15 for texts in held if len(texts) > 1000)
