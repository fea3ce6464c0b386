from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.words import Span, segmenter
from pipeline.evaluation.attention import attention_per_word


def test_pieces_add_up_to_their_words() -> None:
    """A word's attention is the sum over its pieces; specials and punctuation go to the rest."""
    # "good movie." as [CLS] good mov ##ie . [SEP]
    words = [Span(0, 4), Span(5, 10)]
    pieces = np.array([[0, 0], [0, 4], [5, 8], [8, 10], [10, 11], [0, 0]], np.int32)
    attention = np.array([[0.1, 0.4, 0.2, 0.1, 0.15, 0.05]])
    result = attention_per_word(words, pieces, attention)
    assert result.words == tuple(words)
    assert result.weights[0] == pytest.approx([0.4, 0.3])
    assert result.rest[0] == pytest.approx(0.3)


def test_words_cut_off_by_truncation_are_left_out() -> None:
    """A word without a piece has no weight to show."""
    result = attention_per_word([Span(0, 2), Span(2, 4)], np.array([[0, 2]], np.int32), np.array([[1.0]]))
    assert result.words == (Span(0, 2),)


def test_characters_add_up_to_jieba_words() -> None:
    """Chinese pieces are characters, and each falls into the word that jieba finds around it."""
    text = "剧情拖沓，演员很好"
    spans = segmenter("zh")(text)
    assert "".join(text[start:end] for start, end in spans) == "剧情拖沓演员很好"
    pieces = np.array([[i, i + 1] for i in range(len(text))], np.int32)
    result = attention_per_word(spans, pieces, np.full((1, 9), 1 / 9))
    assert result.weights[0] == pytest.approx([(end - start) / 9 for start, end in spans])


@given(st.text(alphabet="ab c好,.！", max_size=40), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_no_attention_is_lost(text: str, hops: int, seed: int) -> None:
    """Over words and rest, every hop sums to what it summed to over pieces."""
    pieces = np.array([[i, i + 1] for i in range(len(text))] + [[0, 0]], np.int32)
    attention = np.random.default_rng(seed).dirichlet(np.ones(len(pieces)), hops)
    result = attention_per_word(segmenter("en")(text), pieces, attention)
    assert result.weights.sum(axis=1) + result.rest == pytest.approx(np.ones(hops))
