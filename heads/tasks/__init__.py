"""Tasks: what a head's scores mean, how they are trained and how they become labels."""

from __future__ import annotations

from collections.abc import Mapping

from heads.parts.options import HeadError, checked_options
from heads.tasks.base import Decoded, Task
from heads.tasks.classify import Binary, Classify
from heads.tasks.ordinal import Ordinal
from heads.tasks.regress import Regress

__all__ = ["TASKS", "Decoded", "Task", "build_task"]

TASKS: dict[str, type[Task]] = {
    "classify": Classify,
    "regress": Regress,
    "ordinal": Ordinal,
    "binary": Binary,
}


def build_task(name: str, low: int, size: int, ordered: bool, options: Mapping[str, object]) -> Task:
    """Build a task by its name in `params.yaml`.

    Args:
        name: one of `TASKS`.
        low: the label value of class 0.
        size: how many labels there are.
        ordered: whether labels are ratings, not classes.
        options: values for its keyword-only parameters.

    Raises:
        HeadError: there is no such task, an option is unknown or of the wrong type, or the task needs
            labels with an order, or exactly two.
    """
    if name not in TASKS:
        raise HeadError(f"there is no task {name!r}; there are {', '.join(TASKS)}")
    cls = TASKS[name]
    if cls.ordered_only and not ordered:
        raise HeadError(f"task {name!r}: the labels are classes without an order; use classify")
    values = checked_options(cls, options, f"task {name!r}")
    try:
        return cls(low, size, **values)
    except HeadError as error:
        raise HeadError(f"task {name!r}: {error}") from None
