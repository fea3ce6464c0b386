"""Plain text files to pieces: what the packing and the masking work on.

A file holds one text a line. A labelled file holds `label<TAB>text` a line and is named `task=path`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm
from transformers import PreTrainedTokenizerFast

from features.errors import InputError

HAN = re.compile(r"[㐀-鿿豈-﫿]")


@dataclass(frozen=True)
class Texts:
    """N texts; `task` is -1 and `label` is -1 where a text has no label.

    task: (N,) int16 index into `tasks`. label: (N,) int16 index into that task's names.
    tasks: task name → its label names, sorted.
    """

    texts: list[str]
    task: npt.NDArray[np.int16]
    label: npt.NDArray[np.int16]
    tasks: dict[str, list[str]]


@dataclass(frozen=True)
class Pieces:
    """All texts as one flat run of pieces, without special tokens.

    ids: (T,) int32. starts: (T,) bool, true where a word begins. bounds: (N + 1,) int64.
    """

    ids: npt.NDArray[np.int32]
    starts: npt.NDArray[np.bool_]
    bounds: npt.NDArray[np.int64]


def read_texts(plain: Sequence[Path], labelled: Sequence[tuple[str, Path]]) -> Texts:
    """Read every file; blank lines are skipped. Raises InputError on a missing, empty or malformed file."""
    if not plain and not labelled:
        raise InputError("no texts given; name files with --text, --labelled or both")
    texts: list[str] = []
    task: list[int] = []
    names: list[str] = []
    for path in plain:
        lines = _lines(path)
        texts += lines
        task += [-1] * len(lines)
        names += [""] * len(lines)
    tasks: dict[str, list[str]] = {}
    for index, name in enumerate(dict.fromkeys(name for name, _ in labelled)):
        rows = [row for other, path in labelled if other == name for row in _rows(path)]
        tasks[name] = sorted({label for label, _ in rows})
        texts += [text for _, text in rows]
        task += [index] * len(rows)
        names += [label for label, _ in rows]
    place = [{label: code for code, label in enumerate(known)} for known in tasks.values()]
    label = [place[t][name] if t >= 0 else -1 for t, name in zip(task, names, strict=True)]
    return Texts(texts, np.array(task, np.int16), np.array(label, np.int16), tasks)


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise InputError(f"no text file at {path}; expected a UTF-8 file with one text a line")
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").split("\n")]
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 at byte {error.start}; convert the file first") from None
    lines = [line for line in lines if line]
    if not lines:
        raise InputError(f"{path} holds no text; expected one text a line")
    return lines


def _rows(path: Path) -> list[tuple[str, str]]:
    rows = []
    for number, line in enumerate(_lines(path), 1):
        label, tab, text = line.partition("\t")
        if not tab or not text.strip():
            raise InputError(f"{path}, text {number}: found no tab; expected `label<TAB>text`")
        rows.append((label.strip(), text.strip()))
    return rows


def word_starts(text: str, spans: Sequence[tuple[int, int]], words: str) -> list[bool]:
    """Which of a text's pieces begin a word, given each piece's character span.

    Args:
        text: the text the spans point into.
        spans: character start and end of each piece.
        words: "jieba" joins the pieces of a Chinese word; "pieces" joins those that touch (WordPiece's ##).
    """
    if words == "jieba" and HAN.search(text):
        word_of = _jieba_words(text)
        owners = [word_of[start] for start, _ in spans]
        return [i == 0 or owners[i] != owners[i - 1] for i in range(len(spans))]
    alnum = [text[start].isalnum() for start, _ in spans]
    return [
        i == 0 or spans[i][0] != spans[i - 1][1] or not (alnum[i] and alnum[i - 1]) for i in range(len(spans))
    ]


def _jieba_words(text: str) -> list[int]:
    import jieba

    jieba.setLogLevel("WARNING")
    return [number for number, word in enumerate(jieba.cut(text)) for _ in word]


def encode(texts: Sequence[str], tokenizer: PreTrainedTokenizerFast, words: str, cache: Path) -> Pieces:
    """Encode the texts once; a second call with the same texts and tokenizer reads the file in `cache`."""
    digest = hashlib.sha256(words.encode())
    digest.update(tokenizer.backend_tokenizer.to_str().encode())
    digest.update("\n".join(texts).encode("utf-8", "surrogatepass"))
    path = cache / f"pieces-{digest.hexdigest()[:16]}.npz"
    if path.is_file():
        with np.load(path, allow_pickle=False) as stored:
            return Pieces(stored["ids"], stored["starts"], stored["bounds"])
    ids: list[npt.NDArray[np.int32]] = []
    starts: list[npt.NDArray[np.bool_]] = []
    for text_ids, text_starts in _encoded(texts, tokenizer, words):
        ids.append(np.array(text_ids, np.int32))
        starts.append(np.array(text_starts, np.bool_))
    bounds = np.cumsum([0, *map(len, ids)], dtype=np.int64)
    pieces = Pieces(np.concatenate(ids), np.concatenate(starts), bounds)
    cache.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez(file, ids=pieces.ids, starts=pieces.starts, bounds=pieces.bounds)
    partial.replace(path)
    return pieces


def _encoded(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerFast, words: str
) -> Iterator[tuple[list[int], list[bool]]]:
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    with tqdm(total=len(texts), desc="encode", unit="text", mininterval=2) as bar:
        for first in range(0, len(texts), 1000):
            chunk = list(texts[first : first + 1000])
            encodings = backend.encode_batch(chunk, add_special_tokens=False)
            for text, encoding in zip(chunk, encodings, strict=True):
                yield encoding.ids, word_starts(text, encoding.offsets, words)
            bar.update(len(chunk))
