"""How close an engine's vectors are to plain float32, one text at a time."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np


class Fidelity(NamedTuple):
    """Cosines with the reference: mean and lowest over tokens, lowest over texts' mean vectors."""

    mean: float
    lowest: float
    pooled: float


def compare(found: Path, reference: Path) -> Fidelity:
    """Compare two files of token embeddings, one (L, D) array a text.

    Raises:
        SystemExit: the engines disagree about the number of tokens, so they did not encode the same texts.
    """
    tokens, pooled = [], []
    with np.load(found) as ours, np.load(reference) as theirs:
        for name in theirs.files:
            a, b = ours[name].astype(np.float64), theirs[name].astype(np.float64)
            if a.shape != b.shape:
                raise SystemExit(f"{found.name}, text {name}: {a.shape} tokens, the reference has {b.shape}")
            tokens.append(_cosines(a, b))
            pooled.append(_cosines(a.mean(0), b.mean(0)))
    cosines = np.concatenate(tokens)
    return Fidelity(float(cosines.mean()), float(cosines.min()), float(np.min(pooled)))


def _cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))
