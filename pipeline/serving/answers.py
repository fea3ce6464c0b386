"""Predictions as the JSON that the page draws: text in pieces, shares of attention for each of its words."""

from __future__ import annotations

from typing import Any

import numpy as np

from features.labels import Labels
from pipeline.drawing.word_attention import WordAttention
from pipeline.inference import Prediction


def as_answer(prediction: Prediction, labels: Labels) -> dict[str, Any]:
    """What `POST /predict` gives.

    `probabilities` is null from a plain regressor, `value` for classes, `attention` from heads that do not
    attend. All strings are as the data has them: escaping is the page's business.
    """
    shares, seen = prediction.probabilities, prediction.attention
    return {
        "predicted": prediction.label,
        "ordered": labels.ordered,
        "labels": list(labels.names),
        "low": labels.low,
        "value": prediction.value if labels.ordered else None,
        "confidence": prediction.confidence,
        "probabilities": None if shares is None else list(shares),
        "truncated": prediction.truncated,
        "attention": None if seen is None else _attention(prediction.text, seen),
    }


def _attention(text: str, seen: WordAttention) -> dict[str, Any]:
    """Pieces in order, `word` the place of a word in the rows of weights or null for what is between words.

    Weights are the attention that falls on each word; each row and its `rest` sum to 1.
    """
    return {
        "pieces": _pieces(text, seen),
        "mean": _rounded(seen.mean),
        "hops": [_rounded(row) for row in seen.weights],
        "rest": _rounded(seen.rest),
    }


def _pieces(text: str, seen: WordAttention) -> list[dict[str, Any]]:
    pieces: list[dict[str, Any]] = []
    place = 0
    for number, (start, end) in enumerate(seen.words):
        if start > place:
            pieces.append({"text": text[place:start], "word": None})
        pieces.append({"text": text[start:end], "word": number})
        place = end
    if place < len(text):
        pieces.append({"text": text[place:], "word": None})
    return pieces


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 5) for value in values]
