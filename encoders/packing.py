"""Rows of fixed length filled with whole texts, so that no work goes into padding."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from encoders.text import Pieces

LOOKAHEAD = 256


class Part(NamedTuple):
    """A run of one text's pieces: text number, first flat piece, number of pieces."""

    text: int
    start: int
    length: int


class Batch(NamedTuple):
    """B rows of S pieces; G parts stand in them, each between its own [CLS] and [SEP].

    ids: (B, S) int64. words: (B, S) int64, number of the piece's word in the batch, -1 at special pieces.
    part: (B, S) int64, number of the piece's part in the batch, -1 at padding. positions: (B, S) int64,
    from 0 in each part. cls: (G,) int64, flat place of each part's [CLS]. text: (G,) int64, text number.
    """

    ids: npt.NDArray[np.int64]
    words: npt.NDArray[np.int64]
    part: npt.NDArray[np.int64]
    positions: npt.NDArray[np.int64]
    cls: npt.NDArray[np.int64]
    text: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Specials:
    """Ids of the special pieces."""

    pad: int
    cls: int
    sep: int
    mask: int
    unknown: int


def plan_rows(bounds: npt.NDArray[np.int64], row_length: int, rng: np.random.Generator) -> list[list[Part]]:
    """One epoch: every piece of every text once, in rows of `row_length` cells with [CLS] and [SEP].

    A text longer than a row is cut into parts. The longest of the next waiting parts that still fits is
    taken (best fit), so few cells stay empty and short texts are never cut.
    """
    room = row_length - 2
    queue = [
        Part(int(text), int(start), int(min(room, bounds[text + 1] - start)))
        for text in rng.permutation(len(bounds) - 1)
        for start in range(bounds[text], bounds[text + 1], room)
    ]
    rows: list[list[Part]] = []
    waiting: list[tuple[int, int]] = []
    upcoming = 0
    while waiting or upcoming < len(queue):
        row: list[Part] = []
        space = row_length
        while True:
            while len(waiting) < LOOKAHEAD and upcoming < len(queue):
                insort(waiting, (queue[upcoming].length, upcoming))
                upcoming += 1
            place = bisect_right(waiting, (space - 2, len(queue))) - 1
            if place < 0:
                break
            length, number = waiting.pop(place)
            row.append(queue[number])
            space -= length + 2
        rows.append(row)
    return [rows[i] for i in rng.permutation(len(rows))]


def fill(rows: list[list[Part]], pieces: Pieces, row_length: int, special: Specials) -> Batch:
    """Lay planned rows out as arrays."""
    shape = (len(rows), row_length)
    ids = np.full(shape, special.pad, np.int64)
    part = np.full(shape, -1, np.int64)
    begins = np.zeros(shape, np.bool_)
    inside = np.zeros(shape, np.bool_)
    positions = np.zeros(shape, np.int64)
    cls: list[int] = []
    text: list[int] = []
    for r, row in enumerate(rows):
        at = 0
        for item in row:
            end = at + item.length + 2
            ids[r, at], ids[r, end - 1] = special.cls, special.sep
            ids[r, at + 1 : end - 1] = pieces.ids[item.start : item.start + item.length]
            begins[r, at + 1 : end - 1] = pieces.starts[item.start : item.start + item.length]
            begins[r, at + 1] = True
            inside[r, at + 1 : end - 1] = True
            part[r, at:end] = len(cls)
            positions[r, at:end] = np.arange(end - at)
            cls.append(r * row_length + at)
            text.append(item.text)
            at = end
    words = np.where(inside, np.cumsum(begins).reshape(shape) - 1, -1)
    return Batch(ids, words, part, positions, np.array(cls, np.int64), np.array(text, np.int64))


def batches(
    pieces: Pieces, *, rows: int, row_length: int, special: Specials, seed: int, first: int
) -> Iterator[Batch]:
    """Batches of one shape without end, epoch after epoch, beginning with batch number `first`.

    Batch number k depends on the pieces, the seed and k alone: a resumed run sees what it would have seen.
    """
    epoch = 0
    while True:
        plan = plan_rows(pieces.bounds, row_length, np.random.default_rng([seed, epoch]))
        count = -(-len(plan) // rows)
        for index in range(first, count):
            chosen = plan[index * rows : (index + 1) * rows]
            yield fill(chosen + [[]] * (rows - len(chosen)), pieces, row_length, special)
        first = max(0, first - count)
        epoch += 1
