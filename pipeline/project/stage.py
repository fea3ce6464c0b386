"""What every stage does at its door: one argument, a log, a user's mistake in one line and exit code 2."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence

from features.errors import InputError

# Threads that wait for work sleep. By default they spin for it: on a machine whose processors are shared a
# training then takes two to three times as long, its own threads being in each other's way. It is read when
# torch is loaded, which is why stages import this module before all others of the project.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

log = logging.getLogger("encode-once")


def run_stage(
    main: Callable[[str], None],
    what: str,
    description: str,
    arguments: Sequence[str] | None = None,
    mistakes: tuple[type[Exception], ...] = (InputError,),
) -> None:
    """Parse `python -m pipeline.STAGE NAME`, and run the stage `main` with the name under `guard`.

    what: what the name is of, `corpus` or `run`. arguments: in place of `sys.argv`, for tests.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(what, help=f"name of a {what} in params.yaml")
    name = str(getattr(parser.parse_args(arguments), what))
    guard(lambda: main(name), mistakes)


def guard(action: Callable[[], None], mistakes: tuple[type[Exception], ...] = (InputError,)) -> None:
    """Run an action; a user's mistake, a full disk or Ctrl-C ends in one line, not in a traceback.

    mistakes: the errors that a user's input causes; with heads, `HeadError` is one of them.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        action()
    except mistakes as error:
        _stop(str(error), 2)
    except BrokenPipeError:
        # The reader of a pipe (`| head`) has had enough; what Python still holds must not go there at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(141) from None  # what a shell reports for SIGPIPE
    except OSError as error:
        _stop(f"{error.filename or 'the disk'}: {error.strerror or error}; nothing finished was lost", 2)
    except KeyboardInterrupt:
        _stop("stopped by the keyboard; what was finished is kept and the next run goes on from there", 130)


def _stop(message: str, code: int) -> None:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    raise SystemExit(code)
