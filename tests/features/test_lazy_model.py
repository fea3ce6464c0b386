"""The model is built for the first text to encode, and not before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.corpus.texts import Text
from features.encoder.layers import Stack
from features.store.extraction import extract
from tests.features.encodings import load
from tests.features.tiny_models import write_tiny

TEXTS = [Text("a good film"), Text("never again")]


def test_where_all_is_cached_no_model_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second extraction of the same texts puts no model on a device; one new text does."""

    def again(texts: list[Text]) -> int:
        encoder = load(tmp_path / "bert")
        rows = np.arange(len(texts))
        return extract(texts, rows, encoder, tmp_path / "store", tmp_path / "out", print).new

    def refuse(*_: Any) -> None:
        raise AssertionError("the model was put on its device")

    write_tiny(tmp_path / "bert", "bert")
    assert again(TEXTS) == 2
    monkeypatch.setattr(Stack, "prepare", refuse)
    assert again(TEXTS) == 0
    with pytest.raises(AssertionError, match="put on its device"):
        again([*TEXTS, Text("a new one")])
