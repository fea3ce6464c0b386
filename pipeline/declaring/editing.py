"""Adding entries to `params.yaml` without touching another byte of it: comments and alignment stay."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from features.errors import InputError
from pipeline.declaring.proposing import Entry
from pipeline.settings.params import Params, load_params

_PLAIN = re.compile(r"[A-Za-z_\u4e00-\u9fff][\w./-]*(?: [\w./-]+)*")
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})  # not text to some readers
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def entry_lines(entry: Entry, indent: int = 2) -> dict[str, list[str]]:
    """The lines of an entry for each section of the file, indented by `indent`."""
    pad = " " * indent
    corpus = [f"{pad}{entry.name}:"]
    corpus += [f"{pad}{pad}{key}: {flow(value)}" for key, value in entry.corpus.items()]
    return {
        "corpora": corpus,
        "runs": [f"{pad}{name}: {flow(value)}" for name, value in entry.runs.items()],
    }


def add_entry(path: Path, entry: Entry) -> Params:
    """Write an entry to the end of `corpora:` and `runs:`; the file is replaced whole, or stays as it was.

    Returns:
        The file's content afterwards, read back and checked.

    Raises:
        InputError: a name is taken, the file has no such sections, or it would not be valid any more.
    """
    params = load_params(path)
    taken = {entry.name} & params.corpora.keys() | entry.runs.keys() & params.runs.keys()
    if taken:
        raise InputError(f"{path} has {min(taken)!r} already; choose another name with --name")
    text = path.read_text("utf-8")
    for section in ("corpora", "runs"):
        text = _insert(path, text, section, entry)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, "utf-8")
    try:
        after = load_params(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return after


def flow(value: Any) -> str:
    """A value as YAML on one line; whatever could be read as anything but text is quoted.

    >>> flow({"text": "0", "label": "Movie_Name", "header": False, "layers": [-1]})
    '{text: "0", label: Movie_Name, header: false, layers: [-1]}'
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flow(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    # JSON is YAML, but for characters that YAML wants escaped and JSON does not.
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))


def _insert(path: Path, text: str, section: str, entry: Entry) -> str:
    data = YAML().load(text)
    lines = text.splitlines()
    block = data[section]
    first = data.lc.key(section)[0]
    following = [data.lc.key(key)[0] for key in data if data.lc.key(key)[0] > first]
    end = min(following, default=len(lines))
    indent = 2
    if block:
        if block.fa.flow_style():
            raise InputError(
                f"`{section}:` in {path} stands on one line; write one entry a line, then try again"
            )
        indent = block.lc.key(next(iter(block)))[1]
    else:
        lines[first] = re.sub(r":\s*(\{\s*\}|null|~)?", ":", lines[first], count=1)
    # Blank lines and comments at the margin belong to what follows.
    while end > first + 1 and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
        end -= 1
    return "\n".join([*lines[:end], *entry_lines(entry, indent)[section], *lines[end:]]) + "\n"
