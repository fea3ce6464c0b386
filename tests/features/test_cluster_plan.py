"""How work is cut for a cluster: by estimated tokens, every text once, less at a time towards the end."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from features.cluster.engine import SMALLEST, Queue, chunk_tokens, estimate_tokens
from features.corpus.texts import StoredTexts, Text
from tests.features.fake_encoder import FakeEncoder
from tests.features.runs import texts_of


def shares(queue: Queue, share: float) -> list[npt.NDArray[np.int64]]:
    """Everything in a queue, taken by actors that are equally fast."""
    taken = []
    while queue:
        taken.append(queue.take(share).positions)
    return taken


@given(st.lists(st.integers(1, 512), max_size=400), st.integers(1, 10_000), st.data())
def test_every_text_is_handed_out_once(tokens: list[int], largest: int, data: st.DataObject) -> None:
    """Whatever is lost, chunks hold all texts, and none is larger than asked unless a text is."""
    queue = Queue(np.array(tokens, np.int32), largest)
    taken: list[int] = []
    while queue:
        chunk = queue.take(data.draw(st.floats(0, 1)))
        assert sum(tokens[i] for i in chunk.positions) <= largest or len(chunk.positions) == 1
        if chunk.tries < 3 and data.draw(st.booleans()):
            queue.lost.append(chunk._replace(tries=chunk.tries + 1))
        else:
            taken += chunk.positions.tolist()
    assert sorted(taken) == list(range(len(tokens)))


def test_chunks_grow_smaller_towards_the_end() -> None:
    """No chunk is larger than the one before, and the last ones are a fraction of the first."""
    tokens = np.full(20_000, 40, np.int32)
    sizes = [tokens[chunk].sum() for chunk in shares(Queue(tokens, 100_000), 1 / 4)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 90_000
    assert sizes[-2] <= SMALLEST


def test_a_slow_actor_gets_less_at_a_time() -> None:
    """A chunk is half of an actor's share of what is left, whole shards as long as much is left."""
    assert chunk_tokens(1_000_000, 1 / 4, 100_000) == 100_000
    assert chunk_tokens(1_000_000, 1 / 20, 100_000) == 25_000
    assert chunk_tokens(10_000, 1 / 20, 100_000) == SMALLEST


def test_texts_of_equal_length_meet() -> None:
    """Within a window the longest come first, and no text leaves its window."""
    tokens = np.random.default_rng(13).integers(3, 128, 150_000).astype(np.int32)
    order = np.concatenate(shares(Queue(tokens, 40_000), 1 / 4))
    for start in range(0, len(tokens), 2**16):
        window = order[start : start + 2**16]
        assert window.min() == start
        assert (np.diff(tokens[window]) <= 0).all()


def test_the_estimate_follows_the_sizes_of_texts() -> None:
    """Tokens estimated from bytes are within a fifth of the real total, and texts on disk are not read."""
    texts = [*texts_of(9000), Text("word " * 500), Text(""), Text("a pair", "of texts")]
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


def test_texts_that_are_all_truncated_have_one_estimate() -> None:
    """Where every sampled text is cut off, all are taken for as long as that."""
    texts = [Text("word " * count) for count in (100, 200, 400)]
    found = estimate_tokens(texts, np.arange(3), lambda some: FakeEncoder().tokenize(some).lengths)
    assert found.tolist() == [64, 64, 64]
