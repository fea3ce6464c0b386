"""An exported folder at work in ONNX Runtime, as whoever takes it away would run it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from features.encoded import Text

MODEL, TOKENIZER = "model.onnx", "tokenizer.json"
_FIELDS = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
_BATCH = 32


@dataclass(frozen=True)
class Answers:
    """What the exported model says about n texts.

    predicted: (n,) int64 label values.
    value: (n,) float32, the expected label, or a regressor's raw output.
    probabilities: (n, C) float32, or None from a regressor.
    """

    predicted: npt.NDArray[np.int64]
    value: npt.NDArray[np.float32]
    probabilities: npt.NDArray[np.float32] | None


class ExportedModel:
    """The two files, opened: `model.onnx` and `tokenizer.json`."""

    def __init__(self, folder: Path) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        self._session: Any = onnxruntime.InferenceSession(folder / MODEL, providers=["CPUExecutionProvider"])
        self._tokenizer: Any = Tokenizer.from_file(str(folder / TOKENIZER))
        self._inputs = [item.name for item in self._session.get_inputs()]
        self._outputs = [item.name for item in self._session.get_outputs()]

    def run(self, texts: Sequence[Text]) -> dict[str, npt.NDArray[Any]]:
        """Every output for one batch of texts, by name."""
        given = [text.text if text.pair is None else (text.text, text.pair) for text in texts]
        pieces = self._tokenizer.encode_batch(given)
        inputs = {name: np.array([getattr(one, _FIELDS[name]) for one in pieces]) for name in self._inputs}
        return dict(zip(self._outputs, self._session.run(None, inputs), strict=True))

    def predict(self, texts: Sequence[Text]) -> Answers:
        """Answers for texts, in their order; texts of like length are run together."""
        order = np.argsort([len(text.joined) for text in texts], kind="stable")
        batches = [order[first : first + _BATCH] for first in range(0, len(order), _BATCH)]
        found = [self.run([texts[i] for i in batch]) for batch in batches]
        back = np.argsort(order, kind="stable")

        def joined(name: str) -> npt.NDArray[Any]:
            return np.concatenate([part[name] for part in found])[back]

        return Answers(
            joined("predicted"),
            joined("value"),
            joined("probabilities") if "probabilities" in self._outputs else None,
        )
