"""Fitted thresholds: the least error there is, and always in order."""

from __future__ import annotations

from itertools import combinations_with_replacement

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from heads.tasks.regress import Error, fit_thresholds, rounding_thresholds

LOW, SIZE = 1, 4


def _predict(values: torch.Tensor, thresholds: list[float]) -> torch.Tensor:
    return torch.bucketize(values.double(), torch.tensor(thresholds, dtype=torch.float64), right=True) + LOW


def _error(values: torch.Tensor, labels: torch.Tensor, thresholds: list[float], error: Error) -> float:
    wrong = labels - _predict(values, thresholds)
    return float(wrong.abs().sum() if error == "absolute" else (wrong != 0).sum())


rows = st.lists(
    st.tuples(st.sampled_from([0.0, 1.0, 1.25, 2.0, 3.5, 3.75, 9.0]), st.integers(LOW, LOW + SIZE - 1)),
    max_size=8,
)


@pytest.mark.parametrize("error", ["absolute", "exact"])
@settings(max_examples=60, deadline=None)
@given(rows=rows)
def test_no_thresholds_do_better(error: Error, rows: list[tuple[float, int]]) -> None:
    """The error is the least of all ordered choices of cut points, tried one by one."""
    values = torch.tensor([value for value, _ in rows])
    labels = torch.tensor([label for _, label in rows], dtype=torch.long)
    fitted = fit_thresholds(values, labels, LOW, SIZE, error)
    assert len(fitted) == SIZE - 1
    assert fitted == sorted(fitted)
    candidates = [-1.0, 0.5, 1.1, 1.5, 3.0, 3.6, 5.0, 10.0]
    least = min(
        _error(values, labels, list(cuts), error)
        for cuts in combinations_with_replacement(candidates, SIZE - 1)
    )
    assert _error(values, labels, fitted, error) == least


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.floats(-1e6, 1e6, width=32), st.integers(LOW, LOW + SIZE - 1)), min_size=1, max_size=30
    )
)
def test_never_worse_than_rounding(rows: list[tuple[float, int]]) -> None:
    """On the rows they are fitted on, thresholds are in order and at least as good as rounding."""
    values = torch.tensor([value for value, _ in rows])
    labels = torch.tensor([label for _, label in rows])
    fitted = fit_thresholds(values, labels, LOW, SIZE)
    assert fitted == sorted(fitted)
    assert _error(values, labels, fitted, "absolute") <= _error(
        values, labels, rounding_thresholds(LOW, SIZE), "absolute"
    )


def test_without_rows_thresholds_are_those_of_rounding() -> None:
    """An empty validation split leaves rounding in place."""
    assert fit_thresholds(torch.empty(0), torch.empty(0), 1, 5) == [1.5, 2.5, 3.5, 4.5]


def test_a_label_best_never_given_keeps_its_rounding_edge() -> None:
    """Where validation has the middle labels alone, the outer cut points stay at rounding's."""
    values, labels = torch.tensor([2.1, 2.9, 3.0, 3.2]), torch.tensor([2, 3, 3, 3])
    assert fit_thresholds(values, labels, 1, 5) == [1.5, pytest.approx(2.5), 3.5, 4.5]
