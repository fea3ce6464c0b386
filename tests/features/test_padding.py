"""The padding strategies that are measured beside packing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.corpus.texts import Text
from features.encoder.encoder import Encoder, EncoderSpec
from features.encoder.padding import STRATEGIES, Strategy, compare_padding, encode_padded, plan_batches
from tests.features.tiny_models import ARCHITECTURES, POSITIONS, write_tiny, write_tiny_other

TEXTS = [
    Text("good film " * repeats, None if repeats % 3 else "bad") for repeats in (9, 1, 4, 30, 2, 2, 7, 1)
]


@given(
    st.sampled_from(STRATEGIES),
    st.lists(st.integers(1, 50), min_size=1, max_size=40),
    st.integers(1, 9),
    st.integers(1, 200),
)
def test_every_plan_holds_each_text_once(
    strategy: Strategy, lengths: list[int], batch_size: int, budget: int
) -> None:
    """Batches cover the texts, and none is narrower than its longest text."""
    given_lengths = np.array(lengths, np.int32)
    plan = plan_batches(strategy, given_lengths, max_length=50, batch_size=batch_size, budget=budget)
    assert sorted(np.concatenate([batch.texts for batch in plan]).tolist()) == list(range(len(lengths)))
    for batch in plan:
        longest = given_lengths[batch.texts].max()
        assert batch.width == {"static": 50, "packed": 0}.get(strategy, longest)
        assert batch.computed >= given_lengths[batch.texts].sum()


def test_each_strategy_computes_no_more_than_the_one_before() -> None:
    """Static padding wastes most, sorting helps, packing computes real tokens alone."""
    lengths = np.random.default_rng(0).integers(3, 100, 300).astype(np.int32)
    computed = [
        sum(batch.computed for batch in plan_batches(name, lengths, max_length=128)) for name in STRATEGIES
    ]
    assert computed == sorted(computed, reverse=True)
    assert computed[0] == 300 * 128
    assert computed[-1] == lengths.sum()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_padding_changes_nothing_but_the_time(tmp_path: Path, strategy: Strategy, precision: str) -> None:
    """Every strategy gives the tokens and pooled vectors of the packed engine, in every architecture."""
    near = 1e-5 if precision == "float32" else 0.2
    for architecture in ARCHITECTURES:
        spec = EncoderSpec(str(write_tiny(tmp_path / architecture, architecture)), None, POSITIONS, (0, -1))
        encoder = Encoder.load(spec, device="cpu", precision=precision)
        (expected,) = encoder.encode(TEXTS)
        by_text = {position: row for row, position in enumerate(expected.index.tolist())}
        ends = np.cumsum(expected.lengths)
        for batch in encode_padded(encoder, encoder.tokenize(TEXTS), strategy, batch_size=3):
            rows = [by_text[position] for position in batch.index.tolist()]
            np.testing.assert_allclose(batch.pooled, expected.pooled[rows], atol=near)
            tokens = np.concatenate(
                [expected.tokens[1][ends[row] - expected.lengths[row] : ends[row]] for row in rows]
            )
            np.testing.assert_allclose(batch.tokens[1], tokens, atol=max(near, 4e-3))


@pytest.mark.parametrize("strategy", ["static", "sorted"])
def test_padding_keeps_to_a_sliding_window(tmp_path: Path, strategy: Strategy) -> None:
    """Where a layer sees near tokens only, padded texts give the packed ones' vectors."""
    folder = write_tiny_other(tmp_path / "modernbert", "modernbert", local_attention=8)
    encoder = Encoder.load(EncoderSpec(str(folder), None, POSITIONS), device="cpu", precision="float32")
    (expected,) = encoder.encode(TEXTS)
    for batch in encode_padded(encoder, encoder.tokenize(TEXTS), strategy, batch_size=3):
        rows = [expected.index.tolist().index(position) for position in batch.index.tolist()]
        np.testing.assert_allclose(batch.pooled, expected.pooled[rows], atol=1e-4)


def test_the_comparison_reports_every_strategy(tmp_path: Path) -> None:
    """Times are positive, useful shares rise to 1, and the vectors agree, in the order of the texts."""
    spec = EncoderSpec(str(write_tiny(tmp_path / "bert", "bert")), None, POSITIONS)
    encoder = Encoder.load(spec, device="cpu", precision="float32")
    done: list[int] = []
    runs = compare_padding(encoder, TEXTS, batch_size=3, rounds=1, progress=done.append)
    assert tuple(run.strategy for run in runs) == STRATEGIES
    useful = [run.useful for run in runs]
    assert useful == sorted(useful)
    assert useful[-1] == 1
    assert all(run.lowest_cosine > 0.99999 and run.largest_difference < 1e-4 for run in runs)
    assert all(run.seconds > 0 and run.steps > 0 for run in runs)
    assert sum(done) == 2 * len(STRATEGIES) * len(TEXTS)
    expected = np.concatenate([next(encoder.encode([text])).pooled for text in TEXTS])
    for run in runs:
        np.testing.assert_allclose(run.pooled, expected, atol=1e-4)
