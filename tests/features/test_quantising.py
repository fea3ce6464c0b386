"""Token embeddings in 8 bits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from features.store.shards import dequantise, quantise

FINITE = st.floats(allow_nan=False, allow_infinity=False, width=16)
TOKENS = arrays.arrays(np.float16, st.tuples(st.integers(0, 600), st.integers(1, 9)), elements=FINITE)


@settings(deadline=None)
@given(tokens=TOKENS)
def test_no_number_moves_by_more_than_half_a_step(tokens: npt.NDArray[np.float16]) -> None:
    """For tokens of any shape and size the error is at most half of the token's scale."""
    values, scales = quantise(tokens)
    assert values.dtype == np.int8
    assert scales.dtype == np.float32
    kept = values.astype(np.float64) * scales.astype(np.float64)[:, None]
    allowed = scales.astype(np.float64)[:, None] * (0.5 + 1e-5)  # scale and quotient are float32 themselves
    assert (np.abs(tokens.astype(np.float64) - kept) <= allowed).all()
    np.testing.assert_array_equal(scales, np.abs(tokens).max(axis=1, initial=0).astype(np.float32) / 127)


@settings(deadline=None)
@given(tokens=TOKENS)
def test_reading_gives_the_product_in_half_precision(tokens: npt.NDArray[np.float16]) -> None:
    """What is read is value times scale, rounded to float16, and reading it twice gives it twice."""
    values, scales = quantise(tokens)
    found = dequantise(values, scales)
    product = values.astype(np.float32) * scales[:, None]
    np.testing.assert_array_equal(found, product.astype(np.float16))
    np.testing.assert_array_equal(dequantise(values, scales), found)


def test_many_tokens_are_read_as_few_are() -> None:
    """Blocks of tokens join without a seam."""
    values, scales = quantise(np.random.default_rng(5).standard_normal((900, 600)).astype(np.float16))
    product = values.astype(np.float32) * scales[:, None]
    np.testing.assert_array_equal(dequantise(values, scales), product.astype(np.float16))


def test_the_largest_number_of_each_token_keeps_its_place() -> None:
    """Each token uses the whole range, so that a loud one takes nothing from a quiet one."""
    tokens = np.array([[1000, -500, 0], [0.001, -0.002, 0.0005], [0, 0, 0]], np.float16)
    values, scales = quantise(tokens)
    np.testing.assert_array_equal(values[0], [127, -64, 0])
    np.testing.assert_array_equal(values[1], [63, -127, 32])
    np.testing.assert_array_equal(values[2], [0, 0, 0])
    assert scales[2] == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_never_hidden(bad: float) -> None:
    """NaN and infinity, which 8 bits cannot hold, are an error."""
    tokens = np.ones((4, 3), np.float16)
    tokens[2, 1] = bad
    with pytest.raises(ValueError, match="not finite"):
        quantise(tokens)
