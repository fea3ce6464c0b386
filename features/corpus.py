"""A corpus as every stage sees it: rows with labels and splits over unique texts, in one HDF5 file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from features.cleaning import clean_text
from features.encoded import Text
from features.errors import InputError
from features.labels import Labels
from features.splits import SPLITS

__all__ = ["Corpus", "clean_text"]

_FORMAT = "encode-once corpus 1"
_NO_PAIR = -1


@dataclass(frozen=True)
class Corpus:
    """N rows over U unique texts.

    name: as in `params.yaml`.
    language: `en` or `zh`: how words are found for counting and heatmaps; encoding does not look at it.
    labels: what the label values mean.
    texts: U unique texts (with their pairs) in order of first appearance.
    text: (N,) int64, row to text.
    label: (N,) int64 label values, `labels.low` to `labels.low + C - 1`.
    split: (N,) int8 codes into `features.splits.SPLITS`.
    number: (N,) int64, record number in the source file, 1 for the first after the header.
    groups: G names (movies, sources); empty where none was declared.
    group: (N,) int32 codes into `groups`, -1 for none.
    """

    name: str
    language: str
    labels: Labels
    texts: tuple[Text, ...]
    text: npt.NDArray[np.int64]
    label: npt.NDArray[np.int64]
    split: npt.NDArray[np.int8]
    number: npt.NDArray[np.int64]
    groups: tuple[str, ...] = ()
    group: npt.NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))

    def __len__(self) -> int:
        """Number of rows N."""
        return len(self.label)

    def rows(self, split: str) -> npt.NDArray[np.int64]:
        """Row numbers of one split, ascending: (n,) int64."""
        return np.flatnonzero(self.split == SPLITS.index(split)).astype(np.int64)

    def row_texts(self, rows: Sequence[int] | npt.NDArray[np.int64]) -> list[str]:
        """The texts of rows, each joined with its pair by a space where it has one."""
        return [self.texts[i].joined for i in self.text[np.asarray(rows, dtype=np.int64)]]

    def save(self, path: Path) -> None:
        """Write everything but the corpus's place on disk; atomic, and byte-identical for equal corpora."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        with h5py.File(partial, "w", track_order=False) as file:
            file.attrs.update({"format": _FORMAT, "name": self.name, "language": self.language})
            file.attrs.update({"low": self.labels.low, "ordered": self.labels.ordered})
            _write_strings(file, "label_names", self.labels.names)
            _write_strings(file, "texts", [text for text, _ in self.texts])
            _write_strings(file, "pairs", [pair or "" for _, pair in self.texts])
            has_pair = [_NO_PAIR if pair is None else 1 for _, pair in self.texts]
            file["has_pair"] = np.array(has_pair, dtype=np.int8)
            _write_strings(file, "groups", self.groups)
            for name in ("text", "label", "split", "number", "group"):
                file[name] = getattr(self, name)
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> Corpus:
        """Read what `save` wrote.

        Raises:
            InputError: the file is missing or is not a corpus.
        """
        try:
            with h5py.File(path, "r") as file:
                if file.attrs.get("format") != _FORMAT:
                    raise InputError(f"{path} is not a prepared corpus; run the prepare stage again")
                return cls._read(file)
        except OSError as error:
            raise InputError(
                f"the prepared corpus {path} cannot be opened ({error}); run `dvc repro` to make it"
            ) from None

    @classmethod
    def _read(cls, file: h5py.File) -> Corpus:
        has_pair = (file["has_pair"][()] != _NO_PAIR).tolist()
        strings = zip(_read_strings(file, "texts"), _read_strings(file, "pairs"), has_pair, strict=True)
        names = _read_strings(file, "label_names")
        return cls(
            name=str(file.attrs["name"]),
            language=str(file.attrs["language"]),
            labels=Labels(names, int(file.attrs["low"]), bool(file.attrs["ordered"])),
            texts=tuple(Text(text, pair if paired else None) for text, pair, paired in strings),
            groups=_read_strings(file, "groups"),
            **{name: file[name][()] for name in ("text", "label", "split", "number", "group")},
        )


def _write_strings(file: h5py.File, name: str, strings: Sequence[str]) -> None:
    """Arrow's layout: one run of UTF-8 bytes and where each string ends; h5py's own strings are slow."""
    encoded = [string.encode("utf-8") for string in strings]
    file[f"{name}/bytes"] = np.frombuffer(b"".join(encoded), dtype=np.uint8)
    file[f"{name}/ends"] = np.cumsum([len(item) for item in encoded], dtype=np.int64)


def _read_strings(file: h5py.File, name: str) -> tuple[str, ...]:
    data = file[f"{name}/bytes"][()].tobytes()
    ends = file[f"{name}/ends"][()].tolist()
    return tuple(data[start:end].decode("utf-8") for start, end in zip([0, *ends], ends, strict=False))
