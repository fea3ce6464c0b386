"""Which training rows a run learns from: all, or the first of a seeded order, for learning curves."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from features.corpus import Corpus
from features.errors import InputError
from features.preparing.splits import unit_hash


def training_rows(corpus: Corpus, count: int | None, seed: int, run: str) -> npt.NDArray[np.int64]:
    """Training rows of a run, ascending: all (n,), or (count,) int64 of them.

    Raises:
        InputError: more rows are asked for than there are.
    """
    rows = corpus.rows("train")
    if count is None:
        return rows
    if count > len(rows):
        raise InputError(
            f"runs.{run}.rows is {count}, and corpus {corpus.name!r} has {len(rows)} training rows; "
            f"give fewer, or leave `rows` out to take all"
        )
    chosen: npt.NDArray[np.int64] = np.sort(nested_order(corpus, rows, seed)[:count])
    return chosen


def nested_order(corpus: Corpus, rows: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.int64]:
    """The rows in an order whose every beginning holds the labels in their proportions, to within a row.

    A text's keyed hash ranks it within its label; rows are sorted by that rank as a share of the label's
    rows. So a smaller beginning lies inside every larger one, and the file's order has no say.
    """
    texts = corpus.row_texts(rows)
    keys = np.array([unit_hash(seed, "train", text) for text in texts])
    share = np.empty(len(rows))
    for label in np.unique(corpus.label[rows]):
        members = np.flatnonzero(corpus.label[rows] == label)
        ranked = members[np.lexsort((rows[members], keys[members]))]
        share[ranked] = (np.arange(len(ranked)) + 0.5) / len(ranked)
    return rows[np.lexsort((rows, keys, share))]
