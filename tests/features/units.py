"""Named units, as splits take them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from features.corpus.splits import name_hashes


def units(
    names: Sequence[str], seed: int, salt: str = "split"
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
    """Unit of each row, and a number for each unit, from the name of each row."""
    known = {name: number for number, name in enumerate(dict.fromkeys(names))}
    encoded = (name.encode("utf-8", "surrogatepass") for name in known)
    return np.array([known[name] for name in names], np.int64), name_hashes(encoded, seed, salt)
