"""The sections `columns`, `labels` and `split` of a corpus in `params.yaml`: how a table becomes rows."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Size = Annotated[float, Field(ge=0, lt=1)] | Annotated[int, Field(ge=1)]
Positive = Annotated[int, Field(ge=1)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ColumnsParams(_Model):
    """Which column plays which role, which rows are wanted, and how the file is written.

    only: column: [value, ...]; rows that hold another value there are left out.
    first_of: of the rows of a file with one value in this column, the first alone is used.
    """

    text: str
    label: str
    pair: str | None = None
    group: str | None = None
    split: str | None = None
    split_names: dict[str, Literal["train", "validation", "test"]] | None = None
    separator: str | None = None
    header: bool = True
    quoted: bool | None = None
    encoding: str = "utf-8-sig"
    unknown: Literal["stop", "reject"] = "stop"
    only: dict[str, Annotated[list[str], Field(min_length=1)]] = {}
    first_of: str | None = None


class LabelsParams(_Model):
    """Either `rating: [lowest, highest]`, or `classes:` as a list, or as spelling: name."""

    rating: tuple[int, int] | None = None
    classes: list[str] | dict[str, str] | None = None

    @model_validator(mode="before")
    @classmethod
    def _sequence_is_pair(cls, data: object) -> object:
        # Strict models refuse YAML's list where a pair is declared; a list of two is what people write.
        if isinstance(data, dict) and isinstance(rating := data.get("rating"), list):
            return {**data, "rating": tuple(rating)}
        return data

    @model_validator(mode="after")
    def _one_of_two(self) -> LabelsParams:
        if (self.rating is None) == (self.classes is None):
            raise ValueError("give either `rating: [1, 5]` or `classes: [...]`, and not both")
        return self


class SplitParams(_Model):
    """Sizes as shares or numbers of texts; see `features.preparing.ingest.SplitPlan`.

    files: where splits are given as files, their names inside the folder `source`.
    repeats: rows whose text stands in a cleaner split too are moved there, or dropped.
    """

    files: dict[Literal["train", "validation", "test"], str] | None = None
    test: Size = 0.2
    validation: Size = 0.1
    seed: int = 13
    by_group: bool = False
    rows: Positive | None = None
    repeats: Literal["move", "drop"] = "move"
