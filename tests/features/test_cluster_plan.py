"""How work is cut for a cluster: by estimated tokens, every text once, less at a time towards the end."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.cluster.plan import Chunk, Queue, estimate_tokens, guided, largest_chunk, order_by_length
from features.corpus.texts import StoredTexts, Text
from tests.features.fake_encoder import FakeEncoder
from tests.features.runs import texts_of


@given(st.lists(st.integers(1, 512), max_size=400), st.integers(1, 9), st.integers(1, 10_000), st.data())
def test_every_text_is_handed_out_once(
    tokens: list[int], actors: int, largest: int, data: st.DataObject
) -> None:
    """Whatever is given back, chunks hold all texts, and none is larger than asked unless a text is."""
    queue = Queue(np.arange(len(tokens)), np.array(tokens, np.int32))
    taken: list[int] = []
    while queue:
        before = queue.tokens
        chunk = queue.take(largest, actors)
        assert chunk.tokens == sum(tokens[i] for i in chunk.positions)
        assert chunk.tokens <= largest or len(chunk.positions) == 1
        assert queue.tokens == before - chunk.tokens
        if chunk.tries < 2 and data.draw(st.booleans()):
            queue.give_back(Chunk(chunk.positions, chunk.tokens, chunk.tries + 1))
        else:
            taken += chunk.positions.tolist()
    assert sorted(taken) == list(range(len(tokens)))


def test_chunks_grow_smaller_towards_the_end() -> None:
    """No chunk is larger than the one before, and the last ones are a fraction of the first."""
    queue = Queue(np.arange(20_000), np.full(20_000, 40, np.int32))
    sizes = []
    while queue:
        sizes.append(queue.take(100_000, 4).tokens)
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 90_000
    assert sizes[-2] <= 2048
    assert guided(0, 100_000, 4) == 2048


def test_texts_of_equal_length_meet() -> None:
    """Within a window the longest come first, and no text leaves its window."""
    tokens = np.random.default_rng(13).integers(3, 128, 150_000).astype(np.int32)
    order = order_by_length(tokens)
    assert sorted(order.tolist()) == list(range(len(tokens)))
    for start in range(0, len(tokens), 2**16):
        window = order[start : start + 2**16]
        assert window.min() == start
        assert (np.diff(tokens[window]) <= 0).all()


def test_a_slow_actor_gets_less_at_a_time() -> None:
    """A chunk is some seconds of an actor's own work, within what its memory should hold."""
    assert largest_chunk(0.0, 40_000) == 8192
    assert largest_chunk(500.0, 40_000) == 5000
    assert largest_chunk(2000.0, 40_000) == 20_000
    assert largest_chunk(10**6, 40_000) == 8 * 40_000


def test_the_estimate_follows_the_sizes_of_texts() -> None:
    """Tokens estimated from bytes are within a fifth of the real total, and texts on disk are not read."""
    texts = [*texts_of(9000), Text("word " * 500), Text("")]
    encoder = FakeEncoder()
    counted: list[int] = []

    def lengths(some: list[Text]) -> np.ndarray:
        counted.append(len(some))
        return encoder.tokenize(some).lengths

    chosen = np.arange(0, len(texts), 2)
    found = estimate_tokens(texts, chosen, lengths)
    real = encoder.tokenize([texts[i] for i in chosen]).lengths
    assert counted == [4096]
    assert abs(found.sum() - real.sum()) < real.sum() / 5
    assert np.corrcoef(found, real)[0, 1] > 0.9
    np.testing.assert_array_equal(estimate_tokens(StoredTexts.of(texts), chosen, lengths), found)
    assert len(estimate_tokens(texts, chosen[:0], lengths)) == 0


def test_texts_that_are_all_truncated_have_one_estimate() -> None:
    """Where every sampled text is cut off, all are taken for as long as that."""
    texts = [Text("word " * count) for count in (100, 200, 400)]
    found = estimate_tokens(texts, np.arange(3), lambda some: FakeEncoder().tokenize(some).lengths)
    assert found.tolist() == [64, 64, 64]
