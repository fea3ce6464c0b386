"""CORN and CORAL against worked examples and their authors' package."""

from __future__ import annotations

import math

import pytest
import torch

from heads.parts.base import HeadError
from heads.tasks import Task, build_task

LABELS = torch.tensor([1, 2, 5, 5, 4, 3, 3, 3])


def _ordinal(method: str) -> Task:
    return build_task("ordinal", 1, 5, True, {"method": method})


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_corn_loss_worked_example() -> None:
    """Of labels 1 and 3 in 1-3, the first answers one question and the second both: three answers in all."""
    task = build_task("ordinal", 1, 3, True, {"method": "corn"})
    scores = torch.tensor([[0.3, 9.9], [1.2, -0.4]])
    answers = [1 - _sigmoid(0.3), _sigmoid(1.2), _sigmoid(-0.4)]
    expected = -sum(math.log(answer) for answer in answers) / 3
    assert task.loss(scores, torch.tensor([1, 3])).item() == pytest.approx(expected, rel=1e-5)


def test_corn_decode_worked_example() -> None:
    """Conditionals 0.8, 0.5 and 0.5 give P(y > k) 0.8, 0.4, 0.2: the median is 2, as is the mode."""
    task = build_task("ordinal", 1, 4, True, {})
    decoded = task.decode(torch.tensor([[math.log(4), 0.0, 0.0]]))
    assert decoded.probabilities is not None
    assert decoded.probabilities[0].tolist() == pytest.approx([0.2, 0.4, 0.2, 0.2])
    assert decoded.predicted.tolist() == [2]
    assert decoded.value.item() == pytest.approx(1 + 0.8 + 0.4 + 0.2)


def test_coral_worked_example() -> None:
    """Label 2 of 1-3 answers yes and no; the loss is the sum over both questions."""
    task = build_task("ordinal", 1, 3, True, {"method": "coral"})
    scores = torch.tensor([[0.7, -0.2]])
    expected = -math.log(_sigmoid(0.7)) - math.log(1 - _sigmoid(-0.2))
    assert task.loss(scores, torch.tensor([2])).item() == pytest.approx(expected, rel=1e-5)
    decoded = task.decode(scores)
    assert decoded.probabilities is not None
    above = [_sigmoid(0.7), _sigmoid(-0.2)]
    assert decoded.probabilities[0].tolist() == pytest.approx([1 - above[0], above[0] - above[1], above[1]])
    assert decoded.predicted.tolist() == [2]


def test_ordinal_losses_are_coral_pytorchs() -> None:
    """Both losses equal those of the authors' package, where it is installed."""
    losses = pytest.importorskip("coral_pytorch.losses")
    dataset = pytest.importorskip("coral_pytorch.dataset")
    scores = torch.randn(8, 4) * 3
    corn = losses.corn_loss(scores, LABELS - 1, 5)
    coral = losses.coral_loss(scores, dataset.levels_from_labelbatch(LABELS - 1, 5))
    torch.testing.assert_close(_ordinal("corn").loss(scores, LABELS), corn)
    torch.testing.assert_close(_ordinal("coral").loss(scores, LABELS), coral)
    expected = dataset.corn_label_from_logits(scores) + 1
    assert torch.equal(_ordinal("corn").decode(scores).predicted, expected)


def test_coral_biases_start_at_the_labels_odds() -> None:
    """A score of zero gives about the training labels' distribution, through the layer the task hands out."""
    task = _ordinal("coral")
    labels = torch.tensor([1] * 100 + [4] * 300 + [5] * 600)
    task.fit_loss(labels)
    layer = task.output_layer()
    assert layer is not None
    decoded = task.decode(layer(torch.zeros(1, 1)))
    assert decoded.probabilities is not None
    assert decoded.probabilities[0].tolist() == pytest.approx([0.1, 0, 0, 0.3, 0.6], abs=0.01)
    assert _ordinal("corn").output_layer() is None


def test_coral_without_its_layer_says_so() -> None:
    """The head's bare score is refused with what to do."""
    with pytest.raises(HeadError, match=r"got 1 scores a text and expected 4; .*task.output_layer\(\)"):
        _ordinal("coral").loss(torch.zeros(8, 1), LABELS)
