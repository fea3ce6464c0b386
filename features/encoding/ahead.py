"""Batches computed side by side, handed out in order, never more of them than there are workers and one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

Given = TypeVar("Given")
Computed = TypeVar("Computed")


def map_ahead(
    compute: Callable[[Given], Computed], items: Iterable[Given], workers: int
) -> Iterator[Computed]:
    """Map items in threads that each compute alone, and yield the results in the items' order.

    One batch a core beats all cores on one batch: nothing waits for the slowest core after every product,
    which on a machine that others use as well costs several times the work itself. And while a result is
    written away, the next ones are under way.

    Args:
        compute: called in a worker, in which torch uses one thread.
        items: drawn in the caller's thread, as workers become free.
        workers: number of threads.
    """
    pending: deque[Future[Computed]] = deque()
    with ThreadPoolExecutor(workers, "encode", torch.set_num_threads, (1,)) as pool:
        try:
            for item in items:
                pending.append(pool.submit(compute, item))
                if len(pending) > workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
