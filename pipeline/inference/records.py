"""Predictions as rows of a table and as JSON objects: what programs read."""

from __future__ import annotations

from typing import Any

from features.labels import Labels
from pipeline.inference.predictor import Prediction

EMPTY = "empty text"


def column_names(labels: Labels, probabilities: bool, prefix: str = "") -> tuple[str, ...]:
    """The columns that a prediction adds to a table; `value` for ratings only, where it means something.

    >>> column_names(Labels(("bad", "good"), 0, ordered=False), True)
    ('predicted', 'confidence', 'p(bad)', 'p(good)', 'reason')
    """
    value = ("value",) if labels.ordered else ()
    shares = tuple(f"p({name})" for name in labels.names) if probabilities else ()
    return tuple(f"{prefix}{name}" for name in ("predicted", *value, "confidence", *shares, "reason"))


def as_fields(prediction: Prediction, labels: Labels) -> tuple[str, ...]:
    """The fields under `column_names`; the reason is empty."""
    value = (f"{prediction.value:.6g}",) if labels.ordered else ()
    shares = tuple(f"{share:.6f}" for share in prediction.probabilities or ())
    return (prediction.label, *value, f"{prediction.confidence:.6f}", *shares, "")


def no_fields(labels: Labels, probabilities: bool, reason: str) -> tuple[str, ...]:
    """The fields of a row that could not be predicted, with the reason."""
    return (*[""] * (len(column_names(labels, probabilities)) - 1), reason)


def as_record(prediction: Prediction, labels: Labels) -> dict[str, Any]:
    """What one JSON line holds: text, prediction, and where the head attends its words in their order."""
    record: dict[str, Any] = {"text": prediction.text, "predicted": prediction.label}
    if labels.ordered:
        record["value"] = prediction.value
    record["confidence"] = prediction.confidence
    record["truncated"] = prediction.truncated
    if prediction.probabilities is not None:
        record["probabilities"] = dict(zip(labels.names, prediction.probabilities, strict=True))
    if (seen := prediction.attention) is not None:
        record["attention"] = [
            {"word": prediction.text[word.start : word.end], "start": word.start, "weight": float(weight)}
            for word, weight in zip(seen.words, seen.mean, strict=True)
        ]
    return record


def no_record(text: str, reason: str) -> dict[str, Any]:
    """What a JSON line holds for a text that could not be predicted."""
    return {"text": text, "predicted": None, "reason": reason}
