"""From the models of `params.yaml` to what `features` takes."""

from __future__ import annotations

from pathlib import Path

from features.errors import InputError
from features.labels import LabelMap, class_labels, rating_labels
from features.preparing.columns import Columns
from features.preparing.ingest import SplitPlan
from features.preparing.tables import TableFormat
from pipeline.settings.params import CorpusParams

_SPLIT_NAMES = {"train": "train", "validation": "validation", "test": "test"}


def source_files(params: CorpusParams) -> dict[str | None, Path]:
    """The file of a corpus under None, or its file a split where `split.files` gives them.

    Raises:
        InputError: `split.files` without a training or test file.
    """
    source = Path(params.source)
    if params.split.files is None:
        return {None: source}
    if not {"train", "test"} <= params.split.files.keys():
        raise InputError(
            f"`split.files` names {', '.join(params.split.files) or 'nothing'}; expected at least train and "
            f"test (a validation split is taken from train where none is given)"
        )
    return {split: source / name for split, name in params.split.files.items()}


def columns(params: CorpusParams) -> Columns:
    """The declared columns and file format."""
    given = params.columns
    return Columns(
        text=given.text,
        label=given.label,
        pair=given.pair,
        group=given.group,
        split=given.split,
        split_names=dict(given.split_names or _SPLIT_NAMES),
        reject_unknown=given.unknown == "reject",
        only={column: tuple(values) for column, values in given.only.items()},
        first_of=given.first_of,
        form=TableFormat(given.separator, given.header, given.quoted, given.encoding),
    )


def label_map(params: CorpusParams) -> LabelMap:
    """The declared labels."""
    if params.labels.rating is not None:
        return rating_labels(*params.labels.rating)
    return class_labels(params.labels.classes or [])


def split_plan(params: CorpusParams) -> SplitPlan:
    """The declared split."""
    return SplitPlan(**params.split.model_dump(exclude={"files"}))


def dictionary_of(params: CorpusParams) -> Path | None:
    """The jieba user dictionary, where one is named."""
    return Path(params.words.dictionary) if params.words.dictionary else None
