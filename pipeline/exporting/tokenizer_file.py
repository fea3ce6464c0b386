"""The encoder's tokenizer as one file that cleans, cuts and pads as the pipeline does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from features.encoding import weights

# As `clean_text`, in the same order, in the syntax of the tokenizers' own expressions.
_CLEANING = (
    (r"(?i)<br\s*/?>", " "),
    (
        r"[\x{0000}-\x{0008}\x{000e}-\x{001f}\x{007f}\x{200b}\x{2060}\x{feff}\x{fffe}\x{fff9}-\x{fffb}]",
        "",
    ),
    (r"\s+", " "),
)


def write_tokenizer(folder: Path, max_length: int, path: Path) -> None:
    """Write the tokenizer of an encoder's folder so that raw texts may be given to it.

    A text that names the encoder's special tokens is cleaned in parts, between these.

    Args:
        folder: where the encoder lies.
        max_length: pieces a text, or a text and its pair together, is cut at; special tokens included.
        path: file to write, for `tokenizers.Tokenizer.from_file`.
    """
    from tokenizers import Regex, Tokenizer, normalizers

    loaded: Any = weights.load_tokenizer(folder)
    tokenizer = Tokenizer.from_str(loaded.backend_tokenizer.to_str())
    cleaning = [normalizers.Replace(Regex(pattern), by) for pattern, by in _CLEANING]
    own = [] if tokenizer.normalizer is None else [tokenizer.normalizer]
    tokenizer.normalizer = normalizers.Sequence([*cleaning, normalizers.Strip(), *own])
    tokenizer.enable_truncation(max_length, strategy="longest_first")
    tokenizer.enable_padding(
        pad_id=loaded.pad_token_id or 0,
        pad_type_id=loaded.pad_token_type_id,
        pad_token=loaded.pad_token or tokenizer.id_to_token(0),
    )
    tokenizer.save(str(path))
