"""What is taken out of a text before anything else sees it."""

from __future__ import annotations

import re

_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
# Zero-width marks, byte-order marks and controls carry no meaning here and would make equal texts unequal.
# Joiners (200C, 200D) stay: emoji and several scripts need them.
_INVISIBLE = re.compile(
    "[\u0000-\u0008\u000e-\u001f\u007f\u200b\u2060\ufeff\ufffe\ufff9-\ufffb\ud800-\udfff]"
)
_SPACES = re.compile(r"\s+")


def clean_text(raw: str) -> str:
    """Drop HTML line breaks and invisible characters, fold white space (also full-width) to single spaces."""
    text = raw.strip()
    # Most texts are clean. Whatever the patterns look for is not printable, save breaks and plain spaces.
    if text.isprintable() and "  " not in text and "<" not in text:
        return text
    return _SPACES.sub(" ", _INVISIBLE.sub("", _BREAK.sub(" ", text))).strip()
