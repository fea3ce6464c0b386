"""From what a table looks like to what `params.yaml` would say about it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from pipeline.commands.entry import Entry
from pipeline.commands.roles import Roles
from pipeline.commands.table_profile import Profile, bare
from pipeline.project.params import Params

_CHINESE = 0.2  # share of Chinese letters from which words are found by jieba
_LENGTHS = (32, 64, 128, 256)  # pieces; a step is chosen that holds nine texts in ten
_PIECES_PER_WORD = 1.4
_MANY_ROWS = 200_000
_SAMPLED = 50_000


def propose(name: str, profile: Profile, roles: Roles, params: Params) -> Entry:
    """The entry for a table whose columns have their roles."""
    remarks = list(roles.remarks)
    language = "zh" if profile.column(roles.text).chinese >= _CHINESE else "en"
    corpus = {
        "source": _source(profile.table.path),
        "columns": _columns(profile, roles, remarks),
        "labels": _labels(roles, remarks),
        "split": _split(profile, roles, remarks),
        "language": language,
        "encode": _encode(profile, roles, language, params, remarks),
        "words": {"top": 30},
        "tsne": {"vector": "mean", "points": 1500, "perplexity": 30.0, "seed": 13},
    }
    return Entry(name, corpus, _runs(name, roles.labels.rating is not None), tuple(remarks))


def _runs(name: str, rating: bool) -> dict[str, dict[str, Any]]:
    """A linear and an attentive head; for ratings the attentive one as a regressor too."""
    tasks = {"attn-classify": "classify", "attn-regress": "regress"} if rating else {"attn": "classify"}
    attentive = {"corpus": name, "head": "self_attentive", "options": {"hops": 4}}
    return {
        f"{name}-linear": {"corpus": name, "head": "linear", "task": "classify"},
        **{f"{name}-{ending}": {**attentive, "task": task} for ending, task in tasks.items()},
    }


def _source(path: Path) -> str:
    """Relative to the project's folder where the file is inside it, so that the project can move."""
    whole, here = path.resolve(), Path.cwd().resolve()
    return (whole.relative_to(here) if whole.is_relative_to(here) else whole).as_posix()


def _columns(profile: Profile, roles: Roles, remarks: list[str]) -> dict[str, Any]:
    form = profile.table.form
    columns: dict[str, Any] = {"text": roles.text, "label": roles.label}
    for role in ("pair", "group", "split"):
        if (name := getattr(roles, role)) is not None:
            columns[role] = name
    if roles.split is not None:
        columns["split_names"] = dict(roles.split_names)
    if form.separator != ("\t" if profile.table.path.suffix.lower() == ".tsv" else ","):
        columns["separator"] = form.separator
    if not form.header:
        columns["header"] = False
        remarks.append(
            "no header was found, so that columns are called 0, 1, ...: if there is one, drop `header:`"
        )
    if form.quoted is not (form.separator == ","):
        columns["quoted"] = form.quoted
        if not form.quoted:
            remarks.append(
                "quotes enclose no fields, or do not balance, and are read as plain characters; if they "
                "enclose fields, drop `quoted:`"
            )
    if form.encoding != "utf-8-sig":
        columns["encoding"] = form.encoding
        remarks.append(f"the file is no UTF-8; {form.encoding} fits: change it under `encoding:`")
    if roles.labels.slips:
        columns["unknown"] = "reject"
        remarks.append(
            f"{roles.labels.slips} rows have a label that is none of those above; `unknown: reject` sets "
            f"them aside, without it they stop the run"
        )
    return columns


def _labels(roles: Roles, remarks: list[str]) -> dict[str, Any]:
    labels = roles.labels
    if labels.rating is not None:
        remarks.append(
            f"{roles.label!r} is read as a rating from {labels.rating[0]} to {labels.rating[1]}, whose order "
            f"counts; for classes without order write `classes: [...]`"
        )
        return {"rating": list(labels.rating)}
    if any(spelling != name for spelling, name in labels.classes.items()):
        return {"classes": dict(labels.classes)}
    if all(name.lstrip("+-").isdigit() for name in labels.classes):
        remarks.append(
            f"{roles.label!r} is read as classes; name them with `classes: {{'0': bad, '1': good}}`, or "
            f"write `rating: [lowest, highest]` if their order counts"
        )
    return {"classes": list(labels.classes)}


def _split(profile: Profile, roles: Roles, remarks: list[str]) -> dict[str, Any]:
    split: dict[str, Any] = {"test": 0.2, "validation": 0.1, "seed": 13}
    if roles.group is not None and bare(roles.group) == "sentenceid":
        split["by_group"] = True
        remarks.append("phrases of one sentence stay in one split (`by_group: true`), or they would leak")
    if profile.rows > _MANY_ROWS:
        split["rows"] = _SAMPLED
        remarks.append(
            f"of {profile.rows:,} rows a seeded sample of {_SAMPLED:,} is used (`rows:`); drop it to "
            f"encode all"
        )
    return split


def _encode(
    profile: Profile, roles: Roles, language: str, params: Params, remarks: list[str]
) -> dict[str, Any]:
    encoder = next((name for name in params.encoders if name.startswith(language)), None)
    if encoder is None:
        encoder = next(iter(params.encoders), language)
        remarks.append(f"no encoder for {language!r} is declared; {encoder!r} was taken: see `encoders:`")
    columns = [profile.column(name) for name in (roles.text, roles.pair) if name is not None]
    long = sum(_tenth_longest(column.values, language) for column in columns) + 3
    length = next((step for step in _LENGTHS if step >= long), _LENGTHS[-1])
    if long > length:
        remarks.append(
            f"one text in ten is longer than about {long} pieces and is cut at {length}; see `max_length:`"
        )
    return {"encoder": encoder, "max_length": length, "layers": [-1]}


def _tenth_longest(values: tuple[str, ...], language: str) -> int:
    pieces = sorted(
        len(value) if language == "zh" else math.ceil(_PIECES_PER_WORD * len(value.split()))
        for value in values
    )
    return pieces[int(0.9 * (len(pieces) - 1))] if pieces else 0
