"""Whether the exported model says what the run said: over test rows, against what `evaluate` stored.

The two never agree to the last digit. The stored answers come from vectors that were computed with products
in the device's own precision and kept in float16; the exported model computes in float32 throughout.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from features.corpus import Corpus
from features.encoded import Text
from features.errors import InputError
from pipeline.exporting.runtime import Answers, ExportedModel
from pipeline.measuring.predictions import Predictions

LABELS = 0.01  # share of the rows that may get another label, as near ties do; one row always may
MEAN = 0.01  # mean difference allowed: of a probability, or of a regressor's value in labels


@dataclass(frozen=True)
class Check:
    """How the exported model compares with the stored predictions.

    rows: test rows compared. of: test rows there are.
    different: rows with another label.
    largest, mean: over rows, of the largest difference of a probability; of the value for a regressor.
    what: which of the two.
    """

    rows: int
    of: int
    different: int
    largest: float
    mean: float
    what: str

    @property
    def equal(self) -> float:
        """Share of the rows with the same label."""
        return 1 - self.different / self.rows

    @property
    def passed(self) -> bool:
        """Whether both differences are within what is allowed."""
        return self.different <= max(1, LABELS * self.rows) and self.mean <= MEAN

    def __str__(self) -> str:
        """One line for people."""
        return (
            f"{self.rows:,} of {self.of:,} test rows: {self.equal:.2%} with the same label; "
            f"difference of {self.what}: largest {self.largest:.4f}, mean {self.mean:.5f}"
        )


def check_export(model: ExportedModel, corpus: Corpus, stored: Predictions, limit: int) -> Check:
    """Run the exported model over test rows.

    Args:
        model: the exported model.
        corpus: where the texts are.
        stored: predictions of the run's test rows.
        limit: most rows to compare, evenly spaced over all; 0 for all.

    Raises:
        InputError: the corpus is another than the one that was evaluated, or there are no rows.
    """
    if len(stored) == 0 or stored.rows.max() >= len(corpus):
        raise InputError("the stored predictions are not of this corpus; run `dvc repro`")
    count = min(limit or len(stored), len(stored))
    chosen = np.unique(np.linspace(0, len(stored) - 1, count).round().astype(np.int64))
    texts: list[Text] = [corpus.texts[i] for i in corpus.text[stored.rows[chosen]]]
    return compare(model.predict(texts), stored, chosen)


def compare(found: Answers, stored: Predictions, chosen: npt.NDArray[np.int64]) -> Check:
    """Compare answers with those stored for the rows `chosen` (positions in `stored`)."""
    if found.probabilities is None or stored.probabilities is None:
        what, differences = "the value", np.abs(found.value - stored.value[chosen])
    else:
        what = "a probability"
        differences = np.abs(found.probabilities - stored.probabilities[chosen]).max(axis=1)
    different: Any = (found.predicted != stored.predicted[chosen]).sum()
    return Check(
        rows=len(chosen),
        of=len(stored),
        different=int(different),
        largest=float(differences.max()),
        mean=float(differences.mean()),
        what=what,
    )
