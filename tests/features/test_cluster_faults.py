"""Accidents on a real Ray cluster of three nodes: every text ends in the result once, and none is lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from features.cluster.reports import State
from features.cluster.settings import Settings
from features.errors import InputError
from tests.features.cluster_runs import FakeRecipe, digests_of, encoded, run_on_cluster, texts_in
from tests.features.runs import texts_of

pytestmark = pytest.mark.ray
COUNT = 1500
TEXTS = texts_of(COUNT)
ALL = digests_of(TEXTS)
BOTH = pytest.mark.parametrize("collected", [False, True], ids=["shared", "collected"])
CHILD = """
import sys
from pathlib import Path

from tests.features.cluster_runs import FakeRecipe, run_on_cluster
from tests.features.runs import texts_of

root, log = Path(sys.argv[1]), Path(sys.argv[2])
run_on_cluster(
    root, texts_of(int(sys.argv[3])), FakeRecipe(log, 0.05), None, lambda state: print(state.done, flush=True)
)
"""


def disk(tmp_path: Path, collected: bool) -> Settings:
    return Settings(collect=tmp_path / "disk" if collected else None)


@BOTH
def test_an_actor_is_killed_in_the_middle_of_a_shard(nodes: Any, tmp_path: Path, collected: bool) -> None:
    """After SIGKILL only texts of no whole shard are encoded again, and the run says so."""
    recipe = FakeRecipe(tmp_path, 0.02, "die")
    found = run_on_cluster(tmp_path / "run", TEXTS, recipe, disk(tmp_path, collected))
    (line,) = found.cluster.retried
    assert "was lost, its process or its node ended" in line
    assert f"retried: {line}" in found.lines
    assert texts_in(tmp_path / "run") == ALL
    counts = encoded(tmp_path)
    repeated = {digest for digest, times in counts.items() if times > 1}
    whole = (tmp_path / "claimed").read_text().splitlines()
    assert 0 < len(repeated) <= 8 * 16
    assert len(texts_in(tmp_path / "run", whole)) >= 2 * 16
    assert not repeated & texts_in(tmp_path / "run", whole)


def test_a_node_is_removed_in_the_middle_of_the_run(nodes: Any, tmp_path: Path) -> None:
    """The nodes that are left finish what the third had, and the run says so."""
    removed: list[int] = []

    def remove(state: State) -> None:
        if state.actors == 3 and state.done >= 100 and not removed:
            removed.append(state.done)
            nodes.remove_one()

    try:
        recipe = FakeRecipe(tmp_path, 0.05, together=3)
        found = run_on_cluster(tmp_path / "run", TEXTS, recipe, None, remove)
    finally:
        nodes.add_one()
    assert 100 <= removed[0] < COUNT
    assert len(found.cluster.retried) == 1
    assert texts_in(tmp_path / "run") == set(encoded(tmp_path)) == ALL


def test_the_driver_is_killed_and_started_again(nodes: Any, tmp_path: Path) -> None:
    """The second run encodes only texts that no whole shard of the first one holds."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    command = [sys.executable, "-c", CHILD, str(tmp_path / "run"), str(first), str(COUNT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if int(line) >= 300:
                break
        child.kill()
    kept = texts_in(tmp_path / "run")
    assert 0 < len(kept) < COUNT
    found = run_on_cluster(tmp_path / "run", TEXTS, FakeRecipe(second))
    again = encoded(second)
    assert not set(again) & kept
    assert set(again.values()) == {1}
    assert found.extraction.new + found.extraction.reused == COUNT
    assert found.extraction.reused >= len(kept)
    assert texts_in(tmp_path / "run") == ALL


@BOTH
def test_the_disk_of_one_node_is_full(nodes: Any, tmp_path: Path, collected: bool) -> None:
    """The actor whose system refuses to write stops with one line, and the others take its texts."""
    recipe = FakeRecipe(tmp_path, 0.02, "full")
    found = run_on_cluster(tmp_path / "run", TEXTS, recipe, disk(tmp_path, collected))
    assert any("stops: the disk of" in line and "is full" in line for line in found.lines)
    (line,) = found.cluster.retried
    assert "has stopped" in line
    assert texts_in(tmp_path / "run") == set(encoded(tmp_path)) == ALL


def test_ctrl_c_keeps_what_every_actor_has_encoded(nodes: Any, tmp_path: Path) -> None:
    """Actors write what they have before the run ends, and the next one encodes only the rest."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()

    def interrupt(state: State) -> None:
        if state.done >= 200:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_on_cluster(tmp_path / "run", TEXTS, FakeRecipe(first, 0.05), None, interrupt)
    kept = texts_in(tmp_path / "run")
    assert kept == set(encoded(first))
    assert 200 <= len(kept) < COUNT
    run_on_cluster(tmp_path / "run", TEXTS, FakeRecipe(second))
    assert set(encoded(second)) == ALL - kept


def test_a_device_that_fails_its_check_is_left_out(nodes: Any, tmp_path: Path) -> None:
    """One actor that cannot prove its device encodes nothing; where none can, the run ends in one line."""
    found = run_on_cluster(tmp_path / "one", TEXTS, FakeRecipe(tmp_path, accident="unfit"))
    assert any("stops: it does not agree with float32" in line for line in found.lines)
    assert sum(actor.texts > 0 for actor in found.cluster.actors) <= 2
    with pytest.raises(InputError, match="no actor is left to encode with: nothing fits"):
        run_on_cluster(tmp_path / "none", TEXTS, FakeRecipe(tmp_path, accident="none fits"))
