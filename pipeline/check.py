"""Stage: `params.yaml` is checked before its names become words of a shell and paths that DVC removes.

DVC fills `${key}` into commands and outputs by itself: it would run what `$(...)` or a quote in a name says,
and delete what a name with `..` leads to. So every stage waits for this one.
"""

from __future__ import annotations

from pipeline.project.stage import guard
from pipeline.project import layout
from pipeline.project.params import load_params


def main() -> None:
    """Check the file, and write that it was: the same bytes each time, so that nothing after it is stale."""
    load_params()
    layout.OUT.mkdir(exist_ok=True)
    layout.checked_file().write_text("params.yaml is valid\n", "utf-8")


if __name__ == "__main__":
    guard(main)
