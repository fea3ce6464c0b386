"""Accidents on a real Ray cluster of three nodes: every text ends in the result once, and none is lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from features.errors import InputError
from features.store.cost import encode_cost
from tests.features.cluster_runs import FakeRecipe, digests_of, encoded, run_on_cluster, texts_in
from tests.features.fake_encoder import fake_manifest
from tests.features.runs import texts_of

pytestmark = pytest.mark.ray
COUNT = 1500
TEXTS = texts_of(COUNT)
ALL = digests_of(TEXTS)
CHUNK = 64  # texts of a shard at most
CHILD = """
import sys
from pathlib import Path

from tests.features.cluster_runs import FakeRecipe, run_on_cluster
from tests.features.runs import texts_of

run_on_cluster(
    Path(sys.argv[1]),
    texts_of(int(sys.argv[3])),
    FakeRecipe(Path(sys.argv[2]), batches=14),
    lambda done, total, note: print(done, flush=True),
)
"""


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """Where the encoders of a first run note what they do."""
    (tmp_path / "first").mkdir()
    return tmp_path / "first"


@pytest.fixture
def second(tmp_path: Path) -> Path:
    """Where those of a second run do."""
    (tmp_path / "second").mkdir()
    return tmp_path / "second"


def test_an_actor_is_killed_in_the_middle_of_a_shard(nodes: Any, tmp_path: Path) -> None:
    """After SIGKILL only what the actor had in hand is encoded again, and the run says so."""
    found = run_on_cluster(tmp_path / "run", TEXTS, FakeRecipe(tmp_path, "die"))
    (line,) = (line for line in found.lines if "texts go to others" in line)
    assert "was lost, its process or its node ended" in line
    assert found.lines[-1].endswith("losses: 1")
    assert texts_in(tmp_path / "run") == ALL
    repeated = {digest for digest, times in encoded(tmp_path).items() if times > 1}
    assert 0 < len(repeated) <= 2 * CHUNK


def test_a_node_is_removed_in_the_middle_of_the_run(nodes: Any, tmp_path: Path) -> None:
    """The nodes that are left finish what the third had, and the run says so."""
    recipe = FakeRecipe(tmp_path, together=3, batches=8)
    removed: list[int] = []

    def remove(done: int, total: int, note: str) -> None:
        if note.startswith("3 of 3 actors") and done >= 100 and not removed:
            removed.append(done)
            nodes.remove_one()
        elif removed and note.startswith("2 of 3 actors"):  # its actor may live on for a moment
            recipe.go()

    try:
        found = run_on_cluster(tmp_path / "run", TEXTS, recipe, remove)
    finally:
        nodes.add_one()
    assert 100 <= removed[0] <= 3 * 8 * 16
    assert len([line for line in found.lines if "was lost" in line]) == 1
    assert texts_in(tmp_path / "run") == set(encoded(tmp_path)) == ALL


def test_the_driver_is_killed_and_started_again(
    nodes: Any, tmp_path: Path, first: Path, second: Path
) -> None:
    """The second run encodes only texts that no whole shard of the first one holds, and counts both runs."""
    command = [sys.executable, "-c", CHILD, str(tmp_path / "run"), str(first), str(COUNT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line.strip().isdecimal() and int(line) >= 200:
                break
        child.kill()
    kept = texts_in(tmp_path / "run")
    assert 200 <= len(kept) < COUNT
    found = run_on_cluster(tmp_path / "run", TEXTS, FakeRecipe(second))
    again = encoded(second)
    assert not set(again) & kept
    assert set(again.values()) == {1}
    assert found.extraction.new + found.extraction.reused == COUNT
    assert found.extraction.reused >= len(kept)
    assert texts_in(tmp_path / "run") == ALL
    cost = encode_cost(tmp_path / "run/store" / fake_manifest().key)
    assert found.extraction.new + 200 <= cost.texts <= COUNT


def test_the_disk_of_one_node_is_full(nodes: Any, tmp_path: Path) -> None:
    """The actor whose system refuses to write stops with one line, and the others take its texts."""
    found = run_on_cluster(tmp_path / "run", TEXTS, FakeRecipe(tmp_path, "full"))
    (line,) = (line for line in found.lines if "texts go to others" in line)
    assert "stops: the disk of" in line
    assert "is full" in line
    assert texts_in(tmp_path / "run") == set(encoded(tmp_path)) == ALL
    assert not list(tmp_path.rglob("*.partial"))


def test_ctrl_c_keeps_what_every_actor_has_encoded(
    nodes: Any, tmp_path: Path, first: Path, second: Path
) -> None:
    """Actors write what they have before the run ends, and the next one encodes only the rest."""
    recipe = FakeRecipe(first, batches=8)

    def interrupt(done: int, total: int, note: str) -> None:
        if done >= 100:
            recipe.go()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_on_cluster(tmp_path / "run", TEXTS, recipe, interrupt)
    kept = texts_in(tmp_path / "run")
    assert kept == set(encoded(first))
    assert 100 <= len(kept) < COUNT
    run_on_cluster(tmp_path / "run", TEXTS, FakeRecipe(second))
    assert set(encoded(second)) == ALL - kept


def test_a_device_that_fails_its_check_is_left_out(nodes: Any, tmp_path: Path) -> None:
    """One actor that cannot prove its device encodes nothing; where none can, the run ends in one line."""
    found = run_on_cluster(tmp_path / "one", TEXTS, FakeRecipe(tmp_path, "unfit"))
    assert any("stops: it does not agree with float32" in line for line in found.lines)
    assert len(list(tmp_path.glob("*.log"))) <= 2
    with pytest.raises(InputError, match="no actor is left to encode with: it does not agree with float32"):
        run_on_cluster(tmp_path / "none", TEXTS, FakeRecipe(tmp_path, "none fits"))


def test_texts_that_kill_every_actor_end_the_run(nodes: Any, tmp_path: Path) -> None:
    """Texts that were lost four times are named, and not tried for ever."""
    with pytest.raises(InputError, match=r"texts were lost 4 times .* the first is 'text "):
        run_on_cluster(tmp_path / "run", TEXTS[:20], FakeRecipe(tmp_path, "all die"))
