"""`python -m pipeline demo [RUN ...]`: a page on this machine that asks trained runs about texts."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from pipeline.project.stage import guard, log
from features.errors import InputError
from heads.parts.options import HeadError


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until the keyboard stops it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", nargs="*", help="runs to offer (default: all that are trained)")
    parser.add_argument(
        "--port", type=int, default=8642, help="on 127.0.0.1 (default: %(default)s; 0 takes a free one)"
    )
    given = parser.parse_args(arguments)
    if not 0 <= given.port <= 65535:
        parser.error("--port is 0 to 65535")
    guard(lambda: _serve(given.run, given.port), (InputError, HeadError))


def _serve(names: Sequence[str], port: int) -> None:
    from pipeline.commands.demo_runs import RunService
    from pipeline.commands.demo_server import DemoServer

    service = RunService(names)
    service.load_first()
    try:
        server = DemoServer(service, port)
    except OSError as error:
        raise InputError(
            f"port {port} cannot be had ({error.strerror}); give another with --port, or 0 for a free one"
        ) from None
    print(f"{server.url}  ({', '.join(service.runs)}; Ctrl-C stops)", flush=True)
    try:
        server.run()
    except KeyboardInterrupt:
        log.info("stopped")
        # Nothing is left to write, and what torch keeps running at the end of Python sometimes aborts.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
