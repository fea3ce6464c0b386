"""A model's masked-language-model head, applied to hidden states that were computed elsewhere.

The head has another place and name in every architecture. So the whole model is loaded, its encoder is
exchanged for a module that gives back the states it was handed, and the model's own forward does the rest.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from features.encoder import weights

# Bundled folders keep their head in a file of its own, which plain loading leaves aside.
_VARIANT = "mlm"
_VARIANT_INDEX = f"model.safetensors.index.{_VARIANT}.json"
_TOKENS = 512  # tokens whose scores over the whole vocabulary are held at once


class MaskedHead:
    """A frozen head in float32 on the CPU; built by `load`."""

    def __init__(self, model: Any) -> None:
        self._states = _GivenStates()
        setattr(model, model.base_model_prefix, self._states)
        self._model = model

    @classmethod
    def load(cls, folder: Path) -> MaskedHead | None:
        """The head of a folder; None where the architecture or the weights have none.

        Raises:
            InputError: the weights cannot be read.
        """
        from transformers import AutoConfig, AutoModelForMaskedLM
        from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING

        variant = _VARIANT if (folder / _VARIANT_INDEX).is_file() else None
        with weights.reading("masked-LM model", folder):
            config = AutoConfig.from_pretrained(folder, **weights.SAFE)
            if type(config) not in MODEL_FOR_MASKED_LM_MAPPING:
                return None
            model, report = AutoModelForMaskedLM.from_pretrained(
                folder, variant=variant, dtype=torch.float32, use_safetensors=True,
                output_loading_info=True, **weights.SAFE,
            )  # fmt: skip
        if report["missing_keys"] or report.get("mismatched_keys"):
            return None  # what the checkpoint lacks has random weights now
        return cls(model.eval().requires_grad_(False))

    def scores(self, hidden: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float32]:
        """Scores (T, V) float32 over the vocabulary for last hidden states (T, D)."""
        self._states.given = torch.from_numpy(hidden.astype(np.float32))[None]
        with torch.inference_mode():
            ids = torch.zeros((1, len(hidden)), dtype=torch.long)
            found: npt.NDArray[np.float32] = self._model(input_ids=ids).logits[0].numpy()
        return found

    def name(self, hidden: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.int64]:
        """The piece with the highest score at each of T tokens, (T,) int64, of hidden states (T, D)."""
        starts = range(0, len(hidden), _TOKENS)
        return np.concatenate([self.scores(hidden[start : start + _TOKENS]).argmax(-1) for start in starts])


class _GivenStates(nn.Module):
    """Stands where the encoder stood."""

    given: torch.Tensor

    def forward(self, *_: Any, **__: Any) -> Any:
        from transformers.modeling_outputs import BaseModelOutput

        return BaseModelOutput(last_hidden_state=self.given)
