"""`python -m pipeline new data.csv`: look at a table, say what it is, and write it into `params.yaml`.

`python -m pipeline new --preset NAME` writes the entry of a known corpus.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.project.stage import guard
from pipeline.commands.entry import Entry
from pipeline.commands.presets import load_preset, preset_names
from pipeline.commands.proposal import propose
from pipeline.commands.roles import Roles, assign_roles
from pipeline.commands.table_profile import Profile, profile
from pipeline.project.params import PARAMS, load_params

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
    table = profile(path)
    roles = assign_roles(table, text, label)
    entry = propose(name or _slug(path.stem), table, roles, params)
    for line in _described(table, roles, entry):
        print(line)
    _write(entry, dry_run)
    return entry


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
    entry = found.entry.renamed(name or found.entry.name)
    if source is not None:
        entry = replace(entry, corpus={**entry.corpus, "source": source.as_posix()})
    print(f"{found.title}\nlicence: {found.licence}\nheadline: {found.metric}")
    declared = Path(entry.corpus["source"])
    if not declared.exists():
        print(f"{declared} is not there yet: `python -m pipeline fetch {preset}` gets it")
    _write(entry, dry_run)
    return entry


def _described(table: Profile, roles: Roles, entry: Entry) -> Iterator[str]:
    """What was understood, as lines for people: the file, its columns, its labels, examples, choices."""
    form = table.table.form
    yield (
        f"{table.table.path}: {table.rows:,} rows, {len(table.columns)} columns, separated by "
        f"{_SEPARATORS.get(form.separator or ',')}, {'a' if form.header else 'no'} header, "
        f"{'quotes' if form.quoted else 'no quotes'}, {form.encoding.removesuffix('-sig')}"
    )
    if table.ragged:
        yield (
            f"  {table.ragged:,} rows have a stray quote or another number of fields, and will be rejected "
            f"with their reason"
        )
    used = {role: getattr(roles, role) for role in ("text", "pair", "label", "group", "split")}
    yield from (f"  {role:6} {column!r}" for role, column in used.items() if column is not None)
    if unused := [repr(column.name) for column in table.columns if column.name not in used.values()]:
        yield f"  unused {', '.join(unused)}"
    yield f"labels of {roles.label!r}:"
    yield from (f"  {count:9,}  {label}" for label, count in roles.labels.counts.items())
    if roles.labels.missing:
        yield f"  {roles.labels.missing:9,}  without a label, to be rejected"
    yield "three of its rows:"
    places = [table.table.columns.index(name) for name in (roles.label, roles.text)]
    for row in table.sample[:3]:
        yield "  " + " | ".join(_short(row[place]) for place in places)
    if entry.remarks:
        yield "what was chosen, and how to change it:"
        yield from (f"  - {remark}" for remark in entry.remarks)


def _write(entry: Entry, dry_run: bool) -> None:
    for section, lines in entry.lines().items():
        print("\n".join(["", f"{section}:", *lines]))
    if dry_run:
        print("\nnothing was written (--dry-run)")
        return
    entry.add_to(PARAMS)
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
