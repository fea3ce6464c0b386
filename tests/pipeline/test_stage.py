from __future__ import annotations

import errno

import pytest

from pipeline.project.stage import guard, run_stage
from features.errors import InputError
from heads.parts.options import HeadError


@pytest.mark.parametrize("error", [InputError("no such\n thing"), HeadError("no such thing")])
def test_a_users_mistake_is_one_line_and_exit_code_2(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message is printed on one line, without a traceback."""

    def fail() -> None:
        raise error

    with pytest.raises(SystemExit) as stopped:
        guard(fail, (InputError, HeadError))
    assert stopped.value.code == 2
    assert capsys.readouterr().err == "error: no such thing\n"


def test_a_full_disk_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Errors of the operating system name the file and what went wrong."""

    def fail() -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "out/x")

    with pytest.raises(SystemExit) as stopped:
        guard(fail)
    assert stopped.value.code == 2
    assert "out/x: No space left on device" in capsys.readouterr().err


def test_a_defect_of_the_program_keeps_its_traceback() -> None:
    """Errors that no user caused are not dressed up as theirs."""
    with pytest.raises(ZeroDivisionError):
        guard(lambda: print(1 // 0))


def test_the_name_on_the_command_line_reaches_the_stage() -> None:
    """`python -m pipeline.STAGE NAME` runs the stage with that name."""
    seen: list[str] = []
    run_stage(seen.append, "corpus", "A stage.", ["imdb"])
    assert seen == ["imdb"]
