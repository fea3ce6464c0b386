"""Extractions that are killed: what was finished is never computed again, and nothing is ever wrong."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from features.errors import InputError
from features.store.extraction import extract
from features.store.files import verify
from features.store.shards import read_shard
from features.store.store import text_digests
from tests.features.fake_encoder import FakeEncoder, fake_manifest
from tests.features.runs import assert_holds, run, texts_of

COUNT = 240
TEXTS = texts_of(COUNT)
KILLS = int(os.environ.get("ENCODE_ONCE_KILLS", "8"))
CHILD = """
import os
import signal
import sys
from pathlib import Path

import numpy as np

from features.errors import InputError
from features.store.extraction import extract
from tests.features.fake_encoder import FakeEncoder, fake_manifest
from tests.features.runs import texts_of

# A shell starts its background jobs deaf to the keyboard; this child must hear it wherever tests run.
signal.signal(signal.SIGINT, signal.default_int_handler)
root, count, user, tokens = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
wait_at, last_step = int(sys.argv[5]), int(sys.argv[6])
if user:
    os.setuid(user)


class Steps:
    'Everything that is done to a file; the process kills itself before the last one.'
    done = 0

    def __call__(self, event, given):
        if (event == 'open' or event.startswith('os.')) and given and str(given[0]).startswith(str(root)):
            self.done += 1
            if self.done == last_step:
                os.kill(os.getpid(), signal.SIGKILL)


def show(done, total, note):
    if done == wait_at:
        print('waiting', flush=True)
        sys.stdin.readline()


steps = Steps()
sys.addaudithook(steps)
try:
    encoder = FakeEncoder(fake_manifest(tokens=tokens), batch=4)
    places = root / 'store', root / 'out'
    extract(texts_of(count), np.arange(count), encoder, *places, print, show, shard_bytes=3000)
except InputError as error:
    print(error)
    sys.exit(2)
except KeyboardInterrupt:
    sys.exit(130)
print(steps.done)
"""


def start(
    root: Path, *, user: int = 0, at_rest: str = "float16", wait_at: int = 0, last_step: int = 0
) -> subprocess.Popen[str]:
    """A process that extracts; returns once it has ended, or waits after `wait_at` texts."""
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, *map(str, (root, COUNT, user, at_rest, wait_at, last_step))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    if wait_at:
        assert any(line == "waiting\n" for line in process.stdout)
    return process


def finish(process: subprocess.Popen[str]) -> str:
    """Let a process go on to its end; gives the rest of what it says."""
    return process.communicate("\n", timeout=60)[0]


def kill(process: subprocess.Popen[str]) -> None:
    """End a process that waits."""
    process.kill()
    process.communicate()


def finished_texts(root: Path) -> set[bytes]:
    """Digests of the texts in shards that are whole, by their own names."""
    shards = [path for path in (root / "store").glob("*/shards/*.h5") if verify(path)]
    return {digest.tobytes() for path in shards for digest in read_shard(path).digests}


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> int:
    """How often an uninterrupted extraction does something to a file, where it has the fewest shards."""
    process = start(tmp_path_factory.mktemp("whole"), at_rest="int8")
    said = finish(process)
    assert process.returncode == 0
    return int(said.splitlines()[-1])


@pytest.mark.parametrize("seed", range(KILLS))
def test_a_killed_run_loses_no_finished_shard(tmp_path: Path, steps: int, seed: int) -> None:
    """After `kill -9` before any step on a file the next run encodes just the texts of no finished shard."""
    at_rest = ("float16", "int8")[seed % 2]
    process = start(tmp_path, at_rest=at_rest, last_step=random.Random(seed).randrange(1, steps))
    finish(process)
    assert process.returncode == -signal.SIGKILL
    kept = finished_texts(tmp_path)
    names = {path.name for path in (tmp_path / "store").glob("*/shards/*.h5")}
    again = run(tmp_path, TEXTS, encoder=FakeEncoder(fake_manifest(tokens=at_rest)))
    encoded = {digest.tobytes() for digest in text_digests(again.encoded)}
    everything = {digest.tobytes() for digest in text_digests(TEXTS)}
    assert not encoded & kept
    assert encoded | kept == everything
    assert len(again.encoded) == len(encoded)
    assert not any("damaged" in line for line in again.lines)
    assert names <= {path.name for path in (tmp_path / "store").glob("*/shards/*.h5")}
    assert not list(tmp_path.rglob("*.partial"))


def test_a_run_killed_again_and_again_gets_there(tmp_path: Path) -> None:
    """Each of several killed runs goes on from the last; together they encode the corpus."""
    kept: set[bytes] = set()
    for _ in range(3):
        kill(start(tmp_path, wait_at=60))
        assert kept < finished_texts(tmp_path)
        kept = finished_texts(tmp_path)
    assert len(run(tmp_path, TEXTS).encoded) == COUNT - len(kept) > 0


def test_ctrl_c_keeps_the_shard_that_was_filling(tmp_path: Path) -> None:
    """An interrupt from the keyboard ends the run and leaves no work behind."""
    process = start(tmp_path, wait_at=100)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=60)
    finish(process)
    assert process.returncode == 130
    assert not list(tmp_path.rglob("*.partial"))
    assert len(finished_texts(tmp_path)) == 100
    assert len(run(tmp_path, TEXTS).encoded) == COUNT - 100


def test_two_extractions_at_once_do_not_meet(tmp_path: Path) -> None:
    """The second process is told which one holds the store, and the first finishes undisturbed."""
    process = start(tmp_path, wait_at=4)
    with pytest.raises(InputError, match=f"being written by process {process.pid} on"):
        extract(TEXTS, np.arange(COUNT), FakeEncoder(), tmp_path / "store", tmp_path / "out", print)
    finish(process)
    assert process.returncode == 0
    assert_holds(tmp_path / "out", TEXTS, FakeEncoder())


def test_a_killed_process_holds_no_lock(tmp_path: Path) -> None:
    """The lock dies with its process."""
    kill(start(tmp_path, wait_at=4))
    run(tmp_path, TEXTS)


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of folders are another matter there")
def test_a_read_only_store_is_one_clear_line() -> None:
    """A store that may be read but not written ends in one line that says what to do."""
    with tempfile.TemporaryDirectory() as name:  # a superuser's tests are run as nobody, who must get here
        root = Path(name)
        run(root, TEXTS[:8])
        for path in (root, *(path for path in root.rglob("*") if path.is_dir())):
            path.chmod(0o555)
        (lock,) = (root / "store").glob("*/.lock")
        lock.chmod(0o444)
        process = start(root, user=65534 if os.geteuid() == 0 else 0)
        said = finish(process)
        for path in (root, *(path for path in root.rglob("*") if path.is_dir())):
            path.chmod(0o755)
    assert "cannot be written (Permission denied); give it a folder that can" in said
    assert process.returncode == 2
