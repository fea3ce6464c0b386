"""From what a table looks like to what `params.yaml` would say about it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.commands.roles import Roles
from pipeline.commands.table_profile import Column, Profile, bare, chinese_share, has_kana
from pipeline.project.params import Params

_CHINESE = 0.2  # share of Chinese letters from which words are found by jieba
_LENGTHS = (32, 64, 128, 256)  # pieces; a step is chosen that holds nine texts in ten
_PIECES_PER_WORD = 1.4
_MANY_ROWS = 200_000
_SAMPLED = 50_000


@dataclass(frozen=True)
class Entry:
    """One corpus and its runs, as plain values under the names that `params.yaml` uses.

    remarks: a line for each choice that people may want to change, and how.
    """

    name: str
    corpus: Mapping[str, Any]
    runs: Mapping[str, Mapping[str, Any]]
    remarks: tuple[str, ...]


def propose(name: str, profile: Profile, roles: Roles, params: Params) -> Entry:
    """The entry for a table whose columns have their roles."""
    remarks = list(roles.remarks)
    texts = profile.column(roles.text)
    language = _language(texts, remarks)
    corpus = {
        "source": _source(profile.path),
        "columns": _columns(profile, roles, remarks),
        "labels": _labels(roles, remarks),
        "split": _split(profile, roles, remarks),
        "language": language,
        "encode": _encode(texts, roles, language, profile, params, remarks),
        "words": {"top": 30},
        "tsne": {"vector": "mean", "points": 1500, "perplexity": 30.0, "seed": 13},
    }
    return Entry(name, corpus, suggested_runs(name, roles.labels.rating is not None), tuple(remarks))


def suggested_runs(name: str, rating: bool) -> dict[str, dict[str, Any]]:
    """A linear and an attentive head; for ratings the attentive one as a regressor too."""
    runs: dict[str, dict[str, Any]] = {
        f"{name}-linear": {"corpus": name, "head": "linear", "task": "classify"}
    }
    tasks = {"attn-classify": "classify", "attn-regress": "regress"} if rating else {"attn": "classify"}
    for ending, task in tasks.items():
        runs[f"{name}-{ending}"] = {
            "corpus": name,
            "head": "self_attentive",
            "task": task,
            "options": {"hops": 4},
        }
    return runs


def _source(path: Path) -> str:
    """Relative to the project's folder where the file is inside it, so that the project can move."""
    whole, here = path.resolve(), Path.cwd().resolve()
    return (whole.relative_to(here) if whole.is_relative_to(here) else whole).as_posix()


def _columns(profile: Profile, roles: Roles, remarks: list[str]) -> dict[str, Any]:
    form = profile.written.form
    expected = "\t" if profile.path.suffix.lower() == ".tsv" else ","
    columns: dict[str, Any] = {"text": roles.text, "label": roles.label}
    for role in ("pair", "group", "split"):
        if (name := getattr(roles, role)) is not None:
            columns[role] = name
    if roles.split is not None:
        columns["split_names"] = dict(roles.split_names)
    if form.separator != expected:
        columns["separator"] = form.separator
    if not form.header:
        columns["header"] = False
        remarks.append(
            "no header was found, so that columns are called 0, 1, ...: if there is one, drop `header:`"
        )
    if form.quoted is not (form.separator == ","):
        columns["quoted"] = form.quoted
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
    if all(spelling == name for spelling, name in labels.classes.items()):
        if all(name.lstrip("+-").isdigit() for name in labels.classes):
            remarks.append(
                f"{roles.label!r} is read as classes; name them with `classes: {{'0': bad, '1': good}}`, or "
                f"write `rating: [lowest, highest]` if their order counts"
            )
        return {"classes": list(labels.classes)}
    return {"classes": dict(labels.classes)}


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


def _language(texts: Column, remarks: list[str]) -> str:
    share = chinese_share(texts.values)
    if has_kana(texts.values):
        remarks.append("the texts look Japanese; `language:` knows en and zh, and zh was taken for its words")
        return "zh"
    if 0.05 < share < 0.6:
        remarks.append(f"{share:.0%} of the letters are Chinese; `language:` says how words are found")
    return "zh" if share >= _CHINESE else "en"


def _encode(
    texts: Column, roles: Roles, language: str, profile: Profile, params: Params, remarks: list[str]
) -> dict[str, Any]:
    encoder = next((name for name in params.encoders if name.startswith(language)), None)
    if encoder is None:
        encoder = next(iter(params.encoders), language)
        remarks.append(f"no encoder for {language!r} is declared; {encoder!r} was taken: see `encoders:`")
    values = [texts.values] if roles.pair is None else [texts.values, profile.column(roles.pair).values]
    long = sum(_tenth_longest(column, language) for column in values) + 3
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
