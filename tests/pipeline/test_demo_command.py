"""`python -m pipeline demo` as a command: how it starts, refuses and stops."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.commands import demo
from tests.pipeline.films import ROOT


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["films-later"], "run 'films-later' is not trained yet; run `dvc repro evaluate@films-later` first"),
        (["nope"], "there is no run 'nope'"),
    ],
)
def test_a_run_that_cannot_be_shown_ends_in_one_line(
    project: Path, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An untrained or unknown run stops the command with 2 and what to do."""
    with pytest.raises(SystemExit) as stop:
        demo.main(arguments)
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


def test_where_nothing_is_trained_the_way_there_is_named(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a project without a trained run the command says to run DVC."""
    (tmp_path / "params.yaml").write_text((project / "params.yaml").read_text("utf-8"), "utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        demo.main([])
    assert stop.value.code == 2
    assert "none of the runs in params.yaml is trained yet; run `dvc repro`" in capsys.readouterr().err


def test_a_taken_port_is_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A port that something else listens on ends in one line."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SystemExit) as stop:
            demo.main(["films-linear", "--port", str(port)])
    assert stop.value.code == 2
    assert f"port {port} cannot be had" in capsys.readouterr().err


# A shell that starts tests in the background makes them, and what they start, deaf to the keyboard.
PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from pipeline.commands import demo
demo.main(["films-linear", "--port", "0"])
"""


def test_the_keyboard_stops_it_cleanly(project: Path) -> None:
    """The command prints its address on a free port, answers there, and leaves with 0 at Ctrl-C."""
    environment = {"PYTHONPATH": str(ROOT), "PATH": "", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[0].removeprefix("http://").rstrip("/")
        connection = http.client.HTTPConnection(address, timeout=60)
        connection.request("GET", "/runs")
        assert connection.getresponse().status == 200
        connection.close()
        process.send_signal(signal.SIGINT)
        _, error = process.communicate()
    assert process.returncode == 0
    assert error == "stopped\n"
