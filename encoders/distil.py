"""A teacher: another BERT whose states the mini encoder learns to predict, piece by piece."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import AutoModel, PreTrainedTokenizerFast

from encoders.objectives import Tensors, attention_bias
from features.errors import InputError


class Teacher:
    """The lower layers of a frozen BERT, fed with the student's pieces under the teacher's ids.

    Args:
        folder: a BERT in the Hugging Face layout with a vocab.txt that holds every piece of the student.
        layer: the layer whose states are the target, from 1.
        tokenizer: the student's.

    Raises:
        InputError: a piece of the student is unknown to the teacher, or the layer does not exist.
    """

    def __init__(self, folder: Path, layer: int, tokenizer: PreTrainedTokenizerFast) -> None:
        vocabulary = folder / "vocab.txt"
        if not vocabulary.is_file():
            raise InputError(f"no teacher at {folder}; expected a BERT folder with vocab.txt")
        known = {piece: i for i, piece in enumerate(vocabulary.read_text(encoding="utf-8").split("\n"))}
        own = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
        unknown = [piece for piece, _ in own if piece not in known]
        if unknown:
            raise InputError(
                f"the teacher at {folder} has no piece {unknown[0]!r} ({len(unknown)} in all); "
                "make the student's vocabulary with `encoders.vocabulary --keep-from` its vocab.txt"
            )
        self.model = AutoModel.from_pretrained(folder, local_files_only=True, attn_implementation="eager")
        self.model.eval().requires_grad_(False)
        if not 1 <= layer <= len(self.model.encoder.layer):
            depth = len(self.model.encoder.layer)
            raise InputError(f"found --teacher-layer {layer}; the teacher has layers 1 to {depth}")
        self.model.encoder.layer = self.model.encoder.layer[:layer]
        self.ids = torch.tensor([known[piece] for piece, _ in own])
        self.width: int = self.model.config.hidden_size

    def to(self, device: torch.device) -> None:
        """Move to a device."""
        self.model.to(device)
        self.ids = self.ids.to(device)

    @torch.inference_mode()
    def states(self, batch: Tensors, rows: int) -> Tensor:
        """Targets of the first `rows` rows from their unmasked pieces: (rows, S, E), compute dtype.

        Each vector is brought to zero mean and unit variance.
        """
        encoded = self.model.embeddings(
            input_ids=self.ids[batch.ids[:rows]], position_ids=batch.positions[:rows]
        )
        bias = attention_bias(batch.part[:rows])
        states = self.model.encoder(encoded, attention_mask=bias).last_hidden_state
        return F.layer_norm(states, (self.width,))

    def initial_embeddings(self, width: int) -> Tensor:
        """The teacher's piece embeddings on their `width` main axes, scaled to BERT's 0.02: (V, width)."""
        table = self.model.embeddings.word_embeddings.weight[self.ids]
        table = table - table.mean(0)
        _, _, axes = torch.linalg.svd(table, full_matrices=False)
        projected = table @ axes[:width].T
        return projected / projected.std() * 0.02
