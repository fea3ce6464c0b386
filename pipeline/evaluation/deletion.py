"""Does the heatmap mean anything? Words are hidden from the head, those it looked at most or random ones.

The erasure test of Li et al. (2016, arXiv 1612.08220) in its cheapest honest form: the cached tokens of the
words are masked, and the text is not encoded again. What remains was therefore encoded in the presence of the
words taken away: the test is of the head, not of the encoder.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from heads.parts.base import Head, HeadInput
from heads.tasks import Task
from pipeline.evaluation.attention import Deletion, DeletionStep
from pipeline.evaluation.intervals import mean_interval

SHARES = (0.1, 0.2, 0.4)
DRAWS = 10


def measure_deletion(
    head: Head,
    task: Task,
    texts: Sequence[tuple[HeadInput, npt.NDArray[np.int64]]],
    seed: int,
) -> Deletion | None:
    """Hide shares of the words of each text, by attention and at random.

    Args:
        head: attends, and is in evaluation mode.
        task: decodes its scores.
        texts: of each text the head's input, one row, and the word of each of its L tokens, (L,) int64, -1
            for tokens that belong to none; see `pipeline.evaluation.attention.piece_words`.
        seed: of the random words.

    Returns:
        The test, or None where no text has two words. The change is the fall of the probability of the label
        predicted from the whole text; for a regressor without probabilities, the distance that the value
        moves, in ratings.
    """
    generator = np.random.default_rng(seed)
    found = [
        changes
        for x, words in texts
        if (changes := _text_changes(head, task, x, words, generator)) is not None
    ]
    if not found:
        return None
    table = np.array([changes for changes, _ in found])
    steps = []
    for share, column in zip(SHARES, table.transpose(1, 0, 2), strict=True):
        difference = mean_interval(column[:, 0] - column[:, 1], seed)
        steps.append(
            DeletionStep(
                share,
                float(column[:, 0].mean()),
                float(column[:, 1].mean()),
                difference.value,
                difference.low,
                difference.high,
            )
        )
    what = "fall of the prediction's probability" if found[0][1] else "move of the value, ratings"
    return Deletion(len(found), DRAWS, what, tuple(steps))


@torch.inference_mode()
def _text_changes(
    head: Head, task: Task, x: HeadInput, words: npt.NDArray[np.int64], generator: np.random.Generator
) -> tuple[list[tuple[float, float]], bool] | None:
    """For each share the change with the top words and the mean change with random ones."""
    present = np.unique(words[words >= 0])
    if len(present) < 2:
        return None
    output = head(x)
    assert output.attention is not None
    weights = output.attention[0].mean(dim=0).double().cpu().numpy()
    per_word = np.array([weights[words == word].sum() for word in present])
    ranked = present[np.argsort(-per_word, kind="stable")]
    hidden: list[npt.NDArray[np.int64]] = []
    for share in SHARES:
        count = min(max(1, round(share * len(present))), len(present) - 1)
        hidden.append(ranked[:count])
        hidden += [generator.permutation(present)[:count] for _ in range(DRAWS)]
    changes, from_probabilities = _changes(head, task, x, [np.isin(words, chosen) for chosen in hidden])
    by_share = changes.reshape(len(SHARES), DRAWS + 1)
    return [(float(row[0]), float(row[1:].mean())) for row in by_share], from_probabilities


def _changes(
    head: Head, task: Task, x: HeadInput, hidden: Sequence[npt.NDArray[np.bool_]]
) -> tuple[npt.NDArray[np.float64], bool]:
    keep = ~torch.from_numpy(np.stack([np.zeros_like(hidden[0]), *hidden])).to(x.real.device)
    many = len(keep)
    decoded = task.decode(
        head(HeadInput(_repeat(x.pooled, many), _repeat(x.tokens, many), x.real & keep)).scores
    )
    if decoded.probabilities is None:
        value = decoded.value.double().cpu().numpy()
        return np.abs(value[1:] - value[0]), False
    label = int(decoded.predicted[0]) - task.low
    probability = decoded.probabilities[:, label].double().cpu().numpy()
    return probability[0] - probability[1:], True


def _repeat(tensor: Tensor | None, many: int) -> Tensor | None:
    return None if tensor is None else tensor.expand(many, *tensor.shape[1:])
