"""Which column of a table plays which role, and which rows are wanted at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from features.preparing.splits import SPLITS
from features.preparing.tables import TableFormat


@dataclass(frozen=True)
class Columns:
    """Which column plays which role; names from the header, or "0", "1", ... where there is none.

    split_names: spelling in the split column to `train`, `validation` or `test`.
    reject_unknown: labels that are not declared reject their row instead of stopping the run.
    only: the values that a column must hold for its row to be used; all of several columns must.
    first_of: of the rows of a file with one value in this column, the first alone is used.
    """

    text: str
    label: str
    pair: str | None = None
    group: str | None = None
    split: str | None = None
    split_names: Mapping[str, str] = field(default_factory=lambda: {name: name for name in SPLITS})
    reject_unknown: bool = False
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    first_of: str | None = None
    form: TableFormat = field(default_factory=TableFormat)
