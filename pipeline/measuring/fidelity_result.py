"""What the fidelity stage found, as the report reads it."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline import layout
from pipeline.writing import read_json


@dataclass(frozen=True)
class Fidelity:
    """What the head made of a corpus's cached tokens.

    reason: why nothing could be checked, and all figures are 0; else empty.
    texts, pieces: checked; special tokens do not count.
    cached, fresh: share of pieces that the head names from the cached states, from float32 ones.
    same: share of pieces that both are given the same name, right or wrong.
    kept, precision: how tokens are kept at rest, and the arithmetic they were computed in.
    """

    corpus: str
    model: str
    kept: str
    precision: str
    reason: str = ""
    texts: int = 0
    pieces: int = 0
    cached: float = 0.0
    fresh: float = 0.0
    same: float = 0.0

    @property
    def line(self) -> str:
        """One line for people."""
        if self.reason:
            return f"not checked: {self.reason}"
        return (
            f"the masked-LM head names {self.cached:.2%} of {self.pieces:,} cached tokens ({self.kept}), "
            f"{self.fresh:.2%} of the same in float32; both say the same for {self.same:.2%}"
        )


def read_fidelity(corpus: str) -> Fidelity | None:
    """What the stage found, if it ran."""
    path = layout.fidelity_file(corpus)
    return Fidelity(**read_json(path)) if path.is_file() else None
