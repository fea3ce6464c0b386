"""Computing one item ahead in a thread, while the caller uses the one before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")


def one_ahead(compute: Callable[[Given], Made], items: Iterable[Given]) -> Iterator[Made]:
    """Map items in order; at most one result waits while another is in use.

    Args:
        compute: called in a thread; copies of arrays and reads of files let the caller run meanwhile.
        items: drawn in the caller's thread.
    """
    rest = iter(items)
    with ThreadPoolExecutor(1, "prefetch") as pool:
        pending = [pool.submit(compute, item) for item in _first(rest)]
        while pending:
            made = pending.pop().result()
            pending += [pool.submit(compute, item) for item in _first(rest)]
            yield made


def _first(items: Iterator[Given]) -> list[Given]:
    for item in items:
        return [item]
    return []
