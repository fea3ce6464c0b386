"""The one error that a head's or a task's user can cause."""


class HeadError(ValueError):
    """A head or a task cannot do what was asked.

    The message is for the user and complete on its own line: what was found, what was expected, what to do.
    """
