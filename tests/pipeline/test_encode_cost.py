"""What encoding cost, as it is noted beside the vectors."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.store.cost import COSTS, EncodeCost, describe_machine, encode_cost, note_encoding
from features.store.extraction import LocalEngine
from tests.features.fake_encoder import FakeEncoder, fake_manifest
from tests.features.runs import run, texts_of

TEXTS = texts_of(100)


def cost(root: Path) -> EncodeCost:
    return encode_cost(root / "store" / fake_manifest().key)


def test_what_was_noted_adds_up(tmp_path: Path) -> None:
    """Texts, tokens and seconds are summed, machines named once."""
    note_encoding(tmp_path, EncodeCost(60, 3000, 6.0, ("cpu, 1 thread",)))
    note_encoding(tmp_path, EncodeCost(40, 2000, 4.0, ("cpu, 1 thread",)))
    found = encode_cost(tmp_path)
    assert found == EncodeCost(100, 5000, 10.0, ("cpu, 1 thread",))
    assert found.rate == 500.0
    assert found.seconds_for(1000) == 2.0


def test_an_extraction_notes_what_it_encoded(tmp_path: Path) -> None:
    """All texts and tokens of a run are noted with what encoded them, and no more seconds than it took."""
    done = run(tmp_path, TEXTS, engine=LocalEngine("GPU")).summary
    found = cost(tmp_path)
    assert (found.texts, found.tokens, found.machines) == (100, done.new_tokens, ("GPU",))
    assert 0 < found.seconds < done.seconds


def test_runs_that_were_cut_short_count(tmp_path: Path) -> None:
    """A run that ended before its time, and the one that went on from there, add up to the corpus."""

    def interrupt(done: int, total: int, note: str) -> None:
        if done == 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, TEXTS, encoder=FakeEncoder(batch=4), progress=interrupt, engine=LocalEngine("GPU"))
    assert cost(tmp_path).texts == 40
    done = run(tmp_path, TEXTS).summary
    assert done.new == 60
    assert (cost(tmp_path).texts, cost(tmp_path).tokens) == (100, done.tokens)
    assert cost(tmp_path).machines == ("GPU", "this process")


def test_a_run_that_found_everything_changes_nothing(tmp_path: Path) -> None:
    """What encoding cost is still known after a run that had nothing to encode."""
    run(tmp_path, TEXTS, engine=LocalEngine("GPU"))
    before = cost(tmp_path)
    run(tmp_path, TEXTS)
    assert cost(tmp_path) == before


def test_nothing_measured_is_not_zero_seconds(tmp_path: Path) -> None:
    """Without an account there is no rate and no time."""
    found = encode_cost(tmp_path)
    assert (found.rate, found.seconds_for(1000)) == (None, None)


@pytest.mark.parametrize("broken", ['{"texts": 1, "tok', "[]", '{"texts": "many"}', "null", "7"])
def test_a_broken_line_is_left_out(tmp_path: Path, broken: str) -> None:
    """A line that a kill cut short, or that someone edited, costs itself alone."""
    note_encoding(tmp_path, EncodeCost(60, 3000, 6.0, ("GPU",)))
    with (tmp_path / COSTS).open("a") as file:
        file.write(broken + "\n")
    assert encode_cost(tmp_path).tokens == 3000


def test_a_processor_is_named_with_its_threads() -> None:
    """How many threads computed belongs to a time."""
    assert describe_machine("cpu").startswith("cpu, ")
    assert "thread" in describe_machine("cpu")
