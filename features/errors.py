"""The one error that a user's input can cause."""

from __future__ import annotations


class InputError(Exception):
    """Something the user gave cannot be used.

    The message is for the user and complete on its own line: what was found, what was expected, what to do.
    Stages print it and exit with code 2; nothing else is caught.
    """
