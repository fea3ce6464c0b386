"""The way to Ray: an existing cluster, or a local one for the time of the run; quiet, without statistics."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import TextIO

from features.errors import InputError

# What a local cluster keeps for texts on their way; a few chunks an actor are enough.
_OBJECT_STORE = 256 * 2**20


class _WithoutRaylets(io.TextIOBase):
    """What is printed, but for what Ray says of its own processes: pages, where the driver has one line."""

    def __init__(self, target: TextIO) -> None:
        self._target = target
        self._left_out = False

    def write(self, text: str) -> int:
        if "(raylet" in text:
            self._left_out = True
        elif self._left_out and text == "\n":  # `print` writes the end of a line by itself
            self._left_out = False
        else:
            self._target.write(text)
        return len(text)

    def flush(self) -> None:
        self._target.flush()


def import_ray() -> ModuleType:
    """Ray, which is an extra.

    Raises:
        InputError: it is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # A busy machine takes its time to start Ray's helpers; by default a node dies of that.
    os.environ.setdefault("RAY_agent_register_timeout_ms", "600000")
    try:
        import ray
    except ImportError:
        raise InputError(
            'the engine is `ray`, but Ray is not installed: run `pip install ".[ray]"`, or unset '
            "ENCODE_ONCE_ENGINE"
        ) from None
    return ray


@contextlib.contextmanager
def connected() -> Iterator[ModuleType]:
    """Ray, connected to the cluster at RAY_ADDRESS, or to a local one that ends with the block.

    A connection that stands already is used and left as it is.

    Raises:
        InputError: Ray is not installed, or nothing answers at RAY_ADDRESS.
    """
    ray = import_ray()
    if ray.is_initialized():
        yield ray
        return
    address = os.environ.get("RAY_ADDRESS", "")
    with _own_signals(), contextlib.redirect_stdout(_WithoutRaylets(sys.stdout)):
        local = {} if address else {"object_store_memory": _OBJECT_STORE, "include_dashboard": False}
        try:
            ray.init(address=address or "local", log_to_driver=False, logging_level=logging.CRITICAL, **local)
        except Exception as error:  # a bare one where a node does not come up in time
            ray.shutdown()
            where = f"RAY_ADDRESS is `{address}`, but it" if address else "a local Ray cluster"
            raise InputError(
                f"{where} cannot be used ({' '.join(str(error).split())[:200]}); check with `ray status`, "
                f"or unset RAY_ADDRESS for a local cluster"
            ) from None
        try:
            yield ray
        finally:
            ray.shutdown()


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Ray takes SIGTERM for itself; the run gives it back."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
