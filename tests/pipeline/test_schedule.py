from __future__ import annotations

from typing import get_args

import pytest

from pipeline.training.descent import Kind, rate_factor


@pytest.mark.parametrize("kind", get_args(Kind))
def test_the_rate_rises_then_never_does_again(kind: Kind) -> None:
    """Over warm-up it climbs to the full rate; afterwards it stays or falls."""
    steps = [rate_factor(i / 100, kind, 0.2) for i in range(101)]
    assert steps[:21] == sorted(steps[:21])
    assert steps[20] == 1.0
    assert steps[20:] == sorted(steps[20:], reverse=True)
    assert steps[0] == 0.0


def test_decay_ends_at_nothing() -> None:
    """Linear and cosine decay end at zero and cross a half midway; constant stays."""
    assert rate_factor(1.0, "linear", 0.1) == rate_factor(1.0, "cosine", 0.1) == 0.0
    assert rate_factor(0.5, "linear", 0.0) == pytest.approx(rate_factor(0.5, "cosine", 0.0)) == 0.5
    assert rate_factor(1.0, "constant", 0.0) == 1.0
