"""`python -m pipeline new data.csv`: look at a table, say what it is, and write it into `params.yaml`.

`python -m pipeline new --preset NAME` writes the entry of a known corpus.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from features.errors import InputError
from pipeline.commands.presets import adapted, load_preset, preset_names
from pipeline.commands.proposal import Entry, propose
from pipeline.commands.roles import Roles, assign_roles
from pipeline.commands.table_profile import Profile, profile, sniff
from pipeline.project.params import PARAMS, Params, load_params
from pipeline.project.stage import guard

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


_EXCERPT = 60  # characters of an example
_SEPARATORS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar"}


def main(arguments: Sequence[str] | None = None) -> None:
    """Propose an entry for a table, print it, and write it unless it is a dry run."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if (given.table is None) == (given.preset is None):
        parser.error("give a table, or --preset NAME")
    if given.source is not None and given.preset is None:
        parser.error("--source goes with --preset")

    def action() -> None:
        if given.preset is not None:
            from_preset(given.preset, given.name, given.source, dry_run=given.dry_run)
        else:
            new(given.table, given.name, given.text, given.label, dry_run=given.dry_run)

    guard(action)


def from_preset(preset: str, name: str | None, source: Path | None, *, dry_run: bool = False) -> Entry:
    """Declare a known corpus.

    Args:
        preset: its name under `presets/`.
        name: of the corpus, in place of the preset's own.
        source: file or folder, in place of the preset's own.
        dry_run: print what would be written, and write nothing.

    Raises:
        InputError: there is no such preset, or the name is taken.
    """
    found = load_preset(preset)
    entry = adapted(found.entry, name, None if source is None else source.as_posix())
    print(f"{found.title}\nlicence: {found.licence}\nheadline: {found.metric}")
    declared = Path(entry.corpus["source"])
    if not declared.exists():
        print(f"{declared} is not there yet: `python -m pipeline fetch {preset}` gets it")
    _show_lines(entry)
    _write(entry, dry_run)
    return entry


def new(
    path: Path, name: str | None, text: str | None = None, label: str | None = None, *, dry_run: bool = False
) -> Entry:
    """Look at a table and declare it.

    Args:
        path: the table.
        name: of the corpus; None makes one from the file's name.
        text: its column, where the choice is not to be left to this.
        label: the same for the label.
        dry_run: print what would be written, and write nothing.

    Raises:
        InputError: the table cannot be read, has no text or no labels, or the name is taken.
    """
    params = load_params()
    table = profile(path, sniff(path))
    roles = assign_roles(table, text, label)
    entry = propose(name or _slug(path.stem), table, roles, params)
    for line in describe(table, roles, entry):
        print(line)
    _show_lines(entry)
    _write(entry, dry_run)
    return entry


def describe(table: Profile, roles: Roles, entry: Entry) -> Iterator[str]:
    """What was understood, as lines for people: the file, its columns, its labels, examples, choices."""
    form = table.written.form
    yield (
        f"{table.path}: {table.rows:,} rows, {len(table.columns)} columns, separated by "
        f"{_SEPARATORS.get(form.separator or ',')}, {'a' if form.header else 'no'} header, "
        f"{'quotes' if form.quoted else 'no quotes'}, {form.encoding.removesuffix('-sig')}"
    )
    if table.ragged:
        yield f"  {table.ragged:,} rows have another number of fields and will be rejected with their reason"
    for role in ("text", "pair", "label", "group", "split"):
        if (column := getattr(roles, role)) is not None:
            yield f"  {role:6} {column!r}"
    used = {roles.text, roles.pair, roles.label, roles.group, roles.split}
    if unused := [repr(column.name) for column in table.columns if column.name not in used]:
        yield f"  unused {', '.join(unused)}"
    yield f"labels of {roles.label!r}:"
    for label, count in roles.labels.counts.items():
        yield f"  {count:9,}  {label}"
    if roles.labels.missing:
        yield f"  {roles.labels.missing:9,}  without a label, to be rejected"
    names = [column.name for column in table.columns]
    yield "three of its rows:"
    places = [names.index(name) for name in (roles.label, roles.text)]
    for row in table.sample[:3]:
        yield "  " + " | ".join(_short(row[place]) for place in places)
    if entry.remarks:
        yield "what was chosen, and how to change it:"
        yield from (f"  - {remark}" for remark in entry.remarks)


def _show_lines(entry: Entry) -> None:
    for section, lines in entry_lines(entry).items():
        print("\n".join(["", f"{section}:", *lines]))


def _write(entry: Entry, dry_run: bool) -> None:
    if dry_run:
        print("\nnothing was written (--dry-run)")
        return
    add_entry(PARAMS, entry)
    print(f"\nwritten to {PARAMS}; `dvc repro` runs it from raw text to the report")


def _short(field: str) -> str:
    line = " ".join(field.split())
    shown = "".join(character if character.isprintable() else "?" for character in line[:_EXCERPT])
    return shown + ("..." if len(line) > _EXCERPT else "")


def _slug(stem: str) -> str:
    """A name for folders and stages out of a file's name.

    >>> _slug("IMDB Dataset")
    'imdb-dataset'
    """
    return re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-") or "corpus"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path, nargs="?", help="a CSV, TSV or separated text file")
    parser.add_argument("--preset", metavar="NAME", help=f"a known corpus: {', '.join(preset_names())}")
    parser.add_argument("--source", type=Path, metavar="PATH", help="where the preset's file or folder is")
    parser.add_argument("--name", help="of the corpus (default: after the file)")
    parser.add_argument("--text", metavar="COLUMN", help="the column of the text")
    parser.add_argument("--label", metavar="COLUMN", help="the column of the label")
    parser.add_argument("--dry-run", action="store_true", help="print only")
    return parser
