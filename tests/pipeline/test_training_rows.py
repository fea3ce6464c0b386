from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import InputError
from pipeline.training.start import nested_order, training_rows
from tests.pipeline.demo import make_corpus

CORPUS = make_corpus(150)
TRAIN = CORPUS.rows("train")


def test_all_rows_are_taken_where_none_are_counted() -> None:
    """Without `rows:` a run learns from the whole training split."""
    assert np.array_equal(training_rows(CORPUS, None, 13, "r"), TRAIN)


@given(st.integers(1, len(TRAIN)), st.integers(1, len(TRAIN)), st.integers(0, 99))
@settings(deadline=None)
def test_sizes_nest_and_come_from_training(a: int, b: int, seed: int) -> None:
    """A smaller number of rows is part of every larger one, and all are different training rows."""
    small, large = sorted((a, b))
    few, many = (set(training_rows(CORPUS, n, seed, "r").tolist()) for n in (small, large))
    assert len(few) == small
    assert few <= many <= set(TRAIN.tolist())


@given(st.integers(1, len(TRAIN)), st.integers(0, 99))
@settings(deadline=None)
def test_labels_keep_their_proportions(count: int, seed: int) -> None:
    """Each label has its share of the rows, to within one."""
    chosen = CORPUS.label[training_rows(CORPUS, count, seed, "r")]
    whole = CORPUS.label[TRAIN]
    for label in np.unique(whole):
        share = (whole == label).mean() * count
        assert abs((chosen == label).sum() - share) <= 1


def test_the_order_of_the_file_has_no_say() -> None:
    """The same texts in another order of rows are chosen alike; another seed chooses others."""
    order = np.random.default_rng(5).permutation(len(CORPUS))
    shuffled = replace(CORPUS, text=CORPUS.text[order], label=CORPUS.label[order], split=CORPUS.split[order])
    first = CORPUS.row_texts(nested_order(CORPUS, TRAIN, 1)[:40])
    assert shuffled.row_texts(nested_order(shuffled, shuffled.rows("train"), 1)[:40]) == first
    assert CORPUS.row_texts(nested_order(CORPUS, TRAIN, 2)[:40]) != first


def test_too_many_rows_are_refused() -> None:
    """The message says how many there are and what to do."""
    with pytest.raises(InputError, match=rf"runs\.few\.rows is 9999, .* has {len(TRAIN)} training rows"):
        training_rows(CORPUS, 9999, 13, "few")
