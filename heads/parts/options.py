"""Options of heads and tasks: the keyword-only parameters of a class are what `params.yaml` may set."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints


class HeadError(ValueError):
    """A head or a task cannot do what was asked.

    The message is for the user and complete on its own line: what was found, what was expected, what to do.
    """


def checked_options(
    cls: type, options: Mapping[str, object], what: str, reserved: Collection[str] = ()
) -> dict[str, Any]:
    """The options, once each is known to `cls.__init__` and of its annotated type.

    A whole number passes where a float is declared, and is made one; True and False pass for bool alone.

    Args:
        cls: the class whose keyword-only parameters are the options.
        options: as read from `params.yaml`.
        what: what the options are for, to begin the message with.
        reserved: keyword-only parameters that the program fills, not the user.

    Raises:
        HeadError: an option is unknown or has the wrong type; the message lists the valid ones.
    """
    known = [
        p
        for p in inspect.signature(cls.__init__).parameters.values()  # type: ignore[misc]
        if p.kind is p.KEYWORD_ONLY and p.name not in reserved
    ]
    hints = get_type_hints(cls.__init__)  # type: ignore[misc]
    valid = ", ".join(f"{p.name}={p.default!r}" for p in known) or "none"
    names = {p.name for p in known}
    checked: dict[str, Any] = {}
    for name, value in options.items():
        if name not in names:
            raise HeadError(f"{what} has no option {name!r}; its options, with their defaults: {valid}")
        if not _fits(value, hints[name]):
            raise HeadError(
                f"{what}: option {name} is {value!r}, which is not {_spell(hints[name])}; "
                f"its options, with their defaults: {valid}"
            )
        checked[name] = float(value) if hints[name] is float and isinstance(value, int) else value
    return checked


def require(holds: bool, message: str) -> None:
    """Raise HeadError with the message unless the condition holds."""
    if not holds:
        raise HeadError(message)


def require_positive(**values: int) -> None:
    """Raise HeadError unless every option named is at least 1."""
    for name, value in values.items():
        require(value >= 1, f"option {name} is {value}; it must be at least 1")


def require_fraction(**values: float) -> None:
    """Raise HeadError unless every option named lies in [0, 1)."""
    for name, value in values.items():
        require(0 <= value < 1, f"option {name} is {value}; it must be at least 0 and below 1")


def _fits(value: object, hint: Any) -> bool:
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_origin(hint) in (Union, UnionType):
        return any(_fits(value, option) for option in get_args(hint))
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)


def _spell(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return " or ".join(repr(choice) for choice in get_args(hint))
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(_spell(option) for option in get_args(hint))
    names = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", NoneType: "null"}
    return names.get(hint, str(hint))
