"""What a run says about a text, whichever engine computed it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.corpus.labels import Labels
from features.corpus.rows import clean_text
from features.corpus.texts import Text
from features.errors import InputError
from pipeline.evaluation.attention import WordAttention
from pipeline.evaluation.predictions import Predictions


@dataclass(frozen=True)
class Prediction:
    """What a run says about one text.

    text: as the encoder got it: cleaned, and a pair after its text and one space.
    predicted: label value. label: its name.
    value: in label units: the expected label sum_k k p(k), or a regressor's raw output; it means something
        for ratings only.
    confidence: in [0, 1], as `pipeline.evaluation.predictions.Predictions.confidence` defines it.
    probabilities: one a label in the order of the labels, summing to 1; None from a plain regressor.
    attention: where the head looked, if that was asked for and the head attends.
    truncated: whether the text is longer than what the encoder reads, so that its end does not count.
    """

    text: str
    predicted: int
    label: str
    value: float
    confidence: float
    probabilities: tuple[float, ...] | None
    attention: WordAttention | None = None
    truncated: bool = False


def cleaned_texts(texts: Sequence[str | Text], run: str, paired: bool) -> list[Text]:
    """Texts as a corpus would keep them.

    Args:
        texts: strings, or texts with their pairs.
        run: its name, for messages.
        paired: whether the run's texts have a second part; one that is not given is empty.

    Raises:
        InputError: nothing is left of a text after cleaning, or a pair is given to a run that has none.
    """
    result = []
    for position, text in enumerate(texts):
        first, second = (text, None) if isinstance(text, str) else text
        if second is not None and not paired:
            raise InputError(
                f"text {position} comes with a pair, but the corpus of run {run!r} declares none; "
                f"give the text alone"
            )
        cleaned = clean_text(first)
        if not cleaned:
            raise InputError(
                f"text {position} is empty ({first[:40]!r}); expected some characters: leave it out"
            )
        result.append(Text(cleaned, clean_text(second or "") if paired else None))
    return result


def make_predictions(
    texts: Sequence[Text],
    labels: Labels,
    predicted: npt.NDArray[np.int64],
    value: npt.NDArray[np.float64],
    probabilities: npt.NDArray[np.float64] | None,
    attention: Sequence[WordAttention | None],
    truncated: Sequence[bool],
) -> list[Prediction]:
    """One prediction a text out of the arrays of B texts.

    Args:
        texts: B cleaned texts.
        labels: what the label values mean.
        predicted: (B,) label values.
        value: (B,) expected labels, or a regressor's raw output.
        probabilities: (B, C), or None from a plain regressor.
        attention: B items, None where there is none to show.
        truncated: B answers to whether the end of a text was left out.

    Raises:
        InputError: a number is not finite, as after a training that diverged.
    """
    if not np.isfinite(value).all() or not (probabilities is None or np.isfinite(probabilities).all()):
        raise InputError(
            "the run answers with numbers that are not finite, so its training went wrong; train it again "
            "with a lower learning rate"
        )
    # Nobody knows the actual labels here, and the confidence does not look at them.
    confidence = Predictions(
        np.arange(len(texts)), predicted, predicted, value, probabilities, labels.low, labels.size
    ).confidence()
    return [
        Prediction(
            text=text.joined,
            predicted=int(predicted[i]),
            label=labels.name(int(predicted[i])),
            value=float(value[i]),
            confidence=float(confidence[i]),
            probabilities=None if probabilities is None else tuple(probabilities[i].tolist()),
            attention=attention[i],
            truncated=truncated[i],
        )
        for i, text in enumerate(texts)
    ]
