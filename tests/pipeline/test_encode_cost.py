from __future__ import annotations

from pathlib import Path

import pytest

from features.store.cost import LEDGER, EncodeCost, describe_machine, encode_cost, note_encoding
from features.store.extraction import ExtractionSummary


def summary(new: int, new_tokens: int, seconds: float) -> ExtractionSummary:
    return ExtractionSummary(100, new, 100 - new, 5000, new_tokens, 1, 1000, seconds)


def test_runs_that_encoded_something_add_up(tmp_path: Path) -> None:
    """Texts, tokens and seconds are summed, machines named once."""
    note_encoding(tmp_path, summary(60, 3000, 6.0), "cpu, 1 thread")
    note_encoding(tmp_path, summary(40, 2000, 4.0), "cpu, 1 thread")
    cost = encode_cost(tmp_path)
    assert cost == EncodeCost(100, 5000, 10.0, ("cpu, 1 thread",))
    assert cost.rate == 500.0
    assert cost.seconds_for(1000) == 2.0


def test_a_run_that_found_everything_changes_nothing(tmp_path: Path) -> None:
    """What encoding cost is still known after a run that had nothing to encode."""
    note_encoding(tmp_path, summary(100, 5000, 10.0), "GPU")
    note_encoding(tmp_path, summary(0, 0, 0.2), "cpu, 2 threads")
    assert encode_cost(tmp_path) == EncodeCost(100, 5000, 10.0, ("GPU",))


def test_nothing_measured_is_not_zero_seconds(tmp_path: Path) -> None:
    """Without a ledger there is no rate and no time."""
    cost = encode_cost(tmp_path)
    assert (cost.rate, cost.seconds_for(1000)) == (None, None)


@pytest.mark.parametrize("broken", ['{"texts": 1, "tok', "[]", '{"texts": "many"}', "null", "7"])
def test_a_broken_line_is_left_out(tmp_path: Path, broken: str) -> None:
    """A line that a kill cut short, or that someone edited, costs itself alone."""
    note_encoding(tmp_path, summary(60, 3000, 6.0), "GPU")
    with (tmp_path / LEDGER).open("a") as file:
        file.write(broken + "\n")
    assert encode_cost(tmp_path).tokens == 3000


def test_a_processor_is_named_with_its_threads() -> None:
    """How many threads computed belongs to a time."""
    assert describe_machine("cpu").startswith("cpu, ")
    assert "thread" in describe_machine("cpu")
