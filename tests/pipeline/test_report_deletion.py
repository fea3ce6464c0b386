"""The deletion test, on heads whose answer is known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch

from heads.parts.base import Head, HeadInput, HeadOutput, HeadShape
from heads.tasks import build_task
from pipeline.evaluation.heatmaps import SHARES, measure_deletion

WORDS = np.array(
    [-1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, -1]
)  # [CLS], ten words of which one has two pieces, [SEP]


class OneWord(Head):
    """Scores by one word's tokens alone and attends to them, or to all others where it misleads."""

    needs = frozenset({"tokens"})
    attends = True

    def __init__(self, shape: HeadShape, *, misleads: bool = False) -> None:
        super().__init__(shape)
        self.misleads = misleads
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x: HeadInput) -> HeadOutput:
        """The value is 3, or 5 where the fourth word can be seen."""
        seen = (x.sequence[..., 0] * x.real).sum(1)
        target = x.sequence[..., 0] > 0
        looked = (~target if self.misleads else target) & x.real
        attention = looked / looked.sum(1, keepdim=True).clamp(min=1)
        scores = torch.stack([2 * seen, -2 * seen], 1) if self.shape.out_dim == 2 else 1 + seen[:, None]
        return HeadOutput(scores, attention[:, None].float())


def text(words: npt.NDArray[np.int64] = WORDS) -> tuple[HeadInput, npt.NDArray[np.int64]]:
    """A text whose fourth word is the one that counts."""
    tokens = torch.zeros(1, 1, len(words), 4)
    tokens[0, 0, :, 0] = torch.from_numpy((words == 3).astype(np.float32))
    return HeadInput(None, tokens, torch.ones(1, len(words), dtype=torch.bool)), words


def test_the_word_that_counts_is_found() -> None:
    """Hiding the one word that decides takes the prediction away; random words rarely do."""
    task = build_task("classify", 0, 2, False, {})
    found = measure_deletion(OneWord(HeadShape(4, 1, 2)).eval(), task, [text()] * 30, seed=1)
    assert found is not None
    assert found.texts == 30
    assert "probability" in found.what
    whole = torch.softmax(torch.tensor([2.0, -2.0]), 0)[0].item()
    for share, step in zip(SHARES, found.steps, strict=True):
        assert step.top == pytest.approx(whole - 0.5, abs=1e-5)
        assert step.random == pytest.approx(share * (whole - 0.5), abs=0.06)
        assert step.low > 0


def test_attention_that_misleads_is_found_out() -> None:
    """Where a head looks at everything but the word that decides, the difference is below zero."""
    task = build_task("classify", 0, 2, False, {})
    head = OneWord(HeadShape(4, 1, 2), misleads=True).eval()
    found = measure_deletion(head, task, [text()] * 30, seed=1)
    assert found is not None
    assert found.steps[-1].top == pytest.approx(0.0, abs=1e-6)
    assert found.steps[-1].high < 0


def test_a_regressor_is_measured_in_ratings() -> None:
    """Without probabilities the change is how far the value moves."""
    task = build_task("regress", 1, 5, True, {})
    found = measure_deletion(OneWord(HeadShape(4, 1, 1)).eval(), task, [text()], seed=1)
    assert found is not None
    assert "ratings" in found.what
    assert found.steps[0].top > 0.5


def test_texts_without_two_words_are_left_out() -> None:
    """A text of one word, or of none, says nothing: nothing could be left."""
    task = build_task("classify", 0, 2, False, {})
    head = OneWord(HeadShape(4, 1, 2)).eval()
    short = text(np.array([-1, 0, 0, -1]))
    assert measure_deletion(head, task, [short, text(np.array([-1, -1]))], seed=1) is None
    both = measure_deletion(head, task, [short, text()], seed=1)
    assert both is not None
    assert both.texts == 1
