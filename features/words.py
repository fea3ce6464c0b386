"""Words and where they stand: for counts, clouds and heatmaps. Encoding does not look at them."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple

from features.errors import InputError

# A word of a spaced language: letters and digits with inner apostrophes or hyphens ("don't", "well-made").
_WORD = re.compile(r"[^\W_]+(?:['’\-][^\W_]+)*")


class Span(NamedTuple):
    """A word's place in its text: characters `start` to `end` (exclusive)."""

    start: int
    end: int


Segmenter = Callable[[str], list[Span]]


def segmenter(language: str, dictionary: Path | None = None) -> Segmenter:
    """The function that finds words: jieba for `zh`, runs of letters for `en`. Punctuation is no word.

    dictionary: a jieba user dictionary for `zh`: one word a line, optionally a frequency and a tag.
    InputError where it is missing or jieba cannot read it.
    """
    if language != "zh":
        return lambda text: [Span(*match.span()) for match in _WORD.finditer(text)]
    import jieba

    jieba.setLogLevel(logging.WARNING)
    # An own tokenizer: the module's global one would carry one corpus's dictionary into the next.
    tokenizer = jieba.Tokenizer()
    if dictionary is not None:
        _add_words(tokenizer.load_userdict, dictionary)

    def spans(text: str) -> list[Span]:
        # jieba does not look across line ends and counts characters, so that spans are exact.
        found = tokenizer.tokenize(text)
        return [Span(start, end) for word, start, end in found if _WORD.search(word)]

    return spans


def _add_words(load: Callable[[BinaryIO], object], dictionary: Path) -> None:
    if not dictionary.is_file():
        raise InputError(f"the jieba dictionary {dictionary} does not exist; see `words.dictionary`")
    try:
        with dictionary.open("rb") as file:  # given a path, jieba leaves the file open
            load(file)
    except (ValueError, UnicodeDecodeError) as error:
        expected = "UTF-8 lines: word, frequency, tag"
        raise InputError(f"jieba cannot read {dictionary} ({error}); expected {expected}") from None


def read_stop_words(path: Path | None) -> frozenset[str]:
    """Words to leave out of counts, one a line, if any; InputError where the file is missing or not UTF-8."""
    if path is None:
        return frozenset()
    try:
        words = map(str.strip, path.read_text("utf-8-sig").lower().splitlines())
        return frozenset(filter(None, words))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the stop words {path} ({error}); expected a word a line") from None
