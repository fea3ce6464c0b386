"""Extractions that are killed: what was finished is never computed again, and nothing is ever wrong."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
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
AT_REST = ("float16", "int8")
KILLS = int(os.environ.get("ENCODE_ONCE_KILLS", "5"))
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
root, count, pause, user = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
tokens = sys.argv[5]
if user:
    os.setuid(user)


def say(line):
    print(line, flush=True)


say("ready")
try:
    extract(
        texts_of(count),
        np.arange(count),
        FakeEncoder(fake_manifest(tokens=tokens), batch=4, pause=pause),
        root / "store",
        root / "out",
        say,
        lambda done, total, note: say(f"done {done}"),
        shard_bytes=3000,
    )
except InputError as error:
    say(error)
    sys.exit(2)
except KeyboardInterrupt:
    sys.exit(130)
"""


def start(root: Path, pause: float = 0.004, user: int = 0, at_rest: str = "float16") -> subprocess.Popen[str]:
    """A process that extracts slowly; returns once it has begun."""
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, *map(str, (root, COUNT, pause, user, at_rest))],
        stdout=subprocess.PIPE,
        text=True,
    )
    wait_for(process, "ready")
    return process


def wait_for(process: subprocess.Popen[str], line: str) -> None:
    """Read what a process says up to a line."""
    assert process.stdout is not None
    for said in process.stdout:
        if said.strip() == line:
            return
    raise AssertionError(f"the process never said {line!r}")


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for the end; gives the rest of what the process says."""
    assert process.stdout is not None
    output = process.stdout.read()
    process.stdout.close()
    process.wait(timeout=60)
    return output


def finished_texts(root: Path) -> set[bytes]:
    """Digests of the texts in shards that are whole, by their own names."""
    shards = [path for path in (root / "store").glob("*/shards/*.h5") if verify(path)]
    return {digest.tobytes() for path in shards for digest in read_shard(path).digests}


@pytest.fixture(scope="module")
def duration(tmp_path_factory: pytest.TempPathFactory) -> float:
    """Seconds that an uninterrupted extraction takes."""
    process = start(tmp_path_factory.mktemp("whole"))
    began = time.monotonic()
    finish(process)
    assert process.returncode == 0
    return time.monotonic() - began


@pytest.mark.parametrize("seed", range(KILLS))
@pytest.mark.parametrize("at_rest", AT_REST)
def test_a_killed_run_loses_no_finished_shard(
    tmp_path: Path, duration: float, at_rest: str, seed: int
) -> None:
    """After `kill -9` at a random moment the next run encodes exactly the texts of no finished shard."""
    process = start(tmp_path, at_rest=at_rest)
    time.sleep(random.Random(seed).uniform(0, duration))
    process.kill()
    finish(process)
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


def test_a_run_killed_again_and_again_gets_there(tmp_path: Path) -> None:
    """Each of several killed runs goes on from the last; together they encode the corpus."""
    kept: set[bytes] = set()
    for _ in range(3):
        process = start(tmp_path)
        wait_for(process, "done 60")
        process.kill()
        finish(process)
        assert kept < finished_texts(tmp_path)
        kept = finished_texts(tmp_path)
    assert len(run(tmp_path, TEXTS).encoded) == COUNT - len(kept)


def test_ctrl_c_keeps_the_shard_that_was_filling(tmp_path: Path) -> None:
    """An interrupt from the keyboard ends the run and leaves no work behind."""
    process = start(tmp_path, pause=0.02)
    wait_for(process, "done 100")
    process.send_signal(signal.SIGINT)
    finish(process)
    assert process.returncode == 130
    assert not list(tmp_path.rglob("*.partial"))
    kept = len(finished_texts(tmp_path))
    assert 100 <= kept < COUNT
    assert len(run(tmp_path, TEXTS).encoded) == COUNT - kept


def test_two_extractions_at_once_do_not_meet(tmp_path: Path) -> None:
    """The second process is told which one holds the store, and the first finishes undisturbed."""
    process = start(tmp_path, pause=0.02)
    wait_for(process, "done 4")
    with pytest.raises(InputError, match=f"being written by process {process.pid} on"):
        extract(TEXTS, np.arange(COUNT), FakeEncoder(), tmp_path / "store", tmp_path / "out", print)
    finish(process)
    assert process.returncode == 0
    assert_holds(tmp_path / "out", TEXTS, FakeEncoder())


def test_a_killed_process_holds_no_lock(tmp_path: Path) -> None:
    """The lock dies with its process."""
    process = start(tmp_path)
    wait_for(process, "done 4")
    process.kill()
    finish(process)
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
