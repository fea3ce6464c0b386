"""The texts of a corpus as a sequence that reads them from disk when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
import numpy.typing as npt

from features.encoded import Text
from features.strings import Strings


class StoredTexts(Sequence[Text]):
    """U texts, each with its pair where it has one; equal to any sequence of the same texts.

    texts: U strings. pairs: U strings, or None where no text has a pair.
    paired: (U,) bool, which of them have a pair; None for all that `pairs` holds.
    """

    def __init__(
        self, texts: Strings, pairs: Strings | None = None, paired: npt.NDArray[np.bool_] | None = None
    ) -> None:
        self.texts = texts
        self.pairs = pairs
        self._paired = paired

    @classmethod
    def of(cls, texts: Sequence[Text]) -> StoredTexts:
        """Texts that are in memory."""
        if isinstance(texts, StoredTexts):
            return texts
        paired = np.array([text.pair is not None for text in texts], np.bool_)
        pairs = Strings.of(text.pair or "" for text in texts) if paired.any() else None
        return cls(Strings.of(text.text for text in texts), pairs, paired)

    @property
    def paired(self) -> npt.NDArray[np.bool_]:
        """Which texts have a pair, (U,) bool."""
        if self._paired is not None:
            return self._paired
        return np.full(len(self), self.pairs is not None)

    def __len__(self) -> int:
        """Number of texts U."""
        return len(self.texts)

    @overload
    def __getitem__(self, index: int) -> Text: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Text, ...]: ...
    def __getitem__(self, index: int | slice) -> Text | tuple[Text, ...]:
        """A text, or some of them; `select` gives some of them undecoded."""
        if isinstance(index, slice):
            return tuple(self.select(np.arange(len(self))[index]))
        if self.pairs is None or (self._paired is not None and not self._paired[index]):
            return Text(self.texts[index])
        return Text(self.texts[index], self.pairs[index])

    def __iter__(self) -> Iterator[Text]:
        """All texts in order."""
        if self.pairs is None:
            yield from map(Text, self.texts)
            return
        for text, pair, paired in zip(self.texts, self.pairs, self.paired.tolist(), strict=True):
            yield Text(text, pair if paired else None)

    def __eq__(self, other: object) -> bool:
        """Whether another sequence holds the same texts."""
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[type[tuple[Text, ...]], tuple[list[Text]]]:
        """Another process gets the texts themselves: the file they lie in may be gone there."""
        return tuple, (list(self),)

    def select(self, chosen: npt.NDArray[np.int64]) -> StoredTexts:
        """The texts at positions `chosen`, in that order."""
        pairs = None if self.pairs is None else self.pairs.select(chosen)
        paired = None if self._paired is None else self._paired[chosen]
        return StoredTexts(self.texts.select(chosen), pairs, paired)


def select(texts: Sequence[Text], chosen: npt.NDArray[np.int64]) -> Sequence[Text]:
    """The texts at positions `chosen`, in that order; those on disk stay there."""
    if isinstance(texts, StoredTexts):
        return texts.select(chosen)
    return [texts[i] for i in chosen.tolist()]
