"""The section `training` of `params.yaml`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[int, Field(ge=1)]


class TrainingParams(BaseModel):
    """The optimiser's settings, for all runs or overridden by one.

    optimiser: `lbfgs` solves a head that is linear in all it learns and chooses its L2 penalty on validation
        (`pipeline.learning.lbfgs`; of the others only `patience` then counts), `adamw` trains any head, and
        `auto` solves where it can.
    weight_decay: AdamW's, decoupled: each step takes learning rate x weight decay off every weight.
    schedule: what the learning rate does after its rise: stay, or fall to 0 at the last of `epochs`.
    warmup: share of all steps over which the learning rate rises from 0.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    epochs: Positive = 40
    batch_size: Positive = 64
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    patience: Positive = 5
    optimiser: Literal["auto", "adamw", "lbfgs"] = "auto"
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.0
