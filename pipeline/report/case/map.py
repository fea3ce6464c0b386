"""One group's points on the corpus's t-SNE map, as paths of dots: small, without a script, and on paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.report.gather import CorpusResults
from pipeline.report.maps import quantise

WIDTH, HEIGHT = 560, 560
_EDGE = 12
_OTHERS = 4000  # points of other groups that are drawn


@dataclass(frozen=True)
class CaseMap:
    """Points of the group by label (their colour), and the others beneath them, as SVG paths.

    count: points of the group. of: points of the map.
    """

    width: int
    height: int
    others: str
    labels: tuple[str, ...]
    count: int
    of: int


def case_map(results: CorpusResults, code: int) -> CaseMap:
    """The map with the points of the group that has a code."""
    corpus, rows = results.corpus, results.map_rows
    side = WIDTH - 2 * _EDGE
    places = _EDGE + quantise(results.map_points).astype(np.float64) / 65_535 * side
    inside = corpus.group[rows] == code
    others = np.flatnonzero(~inside)
    others = np.random.default_rng(13).permutation(others)[:_OTHERS]
    labels = corpus.label[rows]
    return CaseMap(
        width=WIDTH,
        height=HEIGHT,
        others=_dots(places[others]),
        labels=tuple(_dots(places[inside & (labels == value)]) for value in corpus.labels.values),
        count=int(inside.sum()),
        of=len(rows),
    )


def _dots(places: npt.NDArray[np.float64] | Sequence[Sequence[float]]) -> str:
    """Dots as strokes without length, which round ends make visible."""
    return "".join(f"M{x:.0f} {y:.0f}h0" for x, y in places)
