"""One corpus and its runs as lines of `params.yaml`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from features.errors import InputError
from pipeline.project.files import replaced
from pipeline.project.params import load_params

_PLAIN = re.compile(r"[A-Za-z_\u4e00-\u9fff][\w./-]*(?: [\w./-]+)*")
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})  # not text to some readers
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


@dataclass(frozen=True)
class Entry:
    """One corpus and its runs, as plain values under the names that `params.yaml` uses.

    remarks: a line for each choice that people may want to change, and how.
    """

    name: str
    corpus: Mapping[str, Any]
    runs: Mapping[str, Mapping[str, Any]]
    remarks: tuple[str, ...] = ()

    def lines(self, indent: int = 2) -> dict[str, list[str]]:
        """The lines for each section of the file, indented by `indent`."""
        pad = " " * indent
        corpus = [f"{pad}{self.name}:"]
        corpus += [f"{pad}{pad}{key}: {flow(value)}" for key, value in self.corpus.items()]
        return {
            "corpora": corpus,
            "runs": [f"{pad}{name}: {flow(value)}" for name, value in self.runs.items()],
        }

    def renamed(self, name: str) -> Entry:
        """The same corpus and runs under another name."""
        runs = {
            re.sub(f"^{re.escape(self.name)}-", f"{name}-", run): {**options, "corpus": name}
            for run, options in self.runs.items()
        }
        return Entry(name, self.corpus, runs, self.remarks)

    def add_to(self, path: Path) -> None:
        """Write it to the end of `corpora:` and `runs:`; the file is replaced whole, or stays as it was.

        Raises:
            InputError: a name is taken, the file has no such sections, or it would not be valid any more.
        """
        params = load_params(path)
        taken = {self.name} & params.corpora.keys() | self.runs.keys() & params.runs.keys()
        if taken:
            raise InputError(f"{path} has {min(taken)!r} already; choose another name with --name")
        text = path.read_text("utf-8")
        for section in ("corpora", "runs"):
            text = self._inserted(path, text, section)
        with replaced(path) as partial:
            partial.write_text(text, "utf-8")
            load_params(partial)

    def _inserted(self, path: Path, text: str, section: str) -> str:
        """The file's text with this entry in a section."""
        data = YAML().load(text)
        lines = text.splitlines()
        block = data[section]
        first = data.lc.key(section)[0]
        end = min((line for key in data if (line := data.lc.key(key)[0]) > first), default=len(lines))
        indent = 2
        if block:
            if block.fa.flow_style():
                raise InputError(f"`{section}:` in {path} stands on one line; write one entry a line")
            indent = block.lc.key(next(iter(block)))[1]
        else:
            lines[first] = re.sub(r":\s*(\{\s*\}|null|~)?", ":", lines[first], count=1)
        # Blank lines and comments at the margin belong to what follows.
        while end > first + 1 and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
            end -= 1
        return "\n".join([*lines[:end], *self.lines(indent)[section], *lines[end:]]) + "\n"


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
