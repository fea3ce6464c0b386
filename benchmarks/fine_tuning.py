"""Full fine-tuning, the peer of every cached head: all weights train, every epoch runs the whole encoder.

The recipe is the usual one for BERT-like classifiers (Devlin et al. 2019, arXiv 1810.04805): the encoder
under dropout and one linear layer on its pooled output, AdamW, a learning rate that warms up over a tenth of
the steps and falls to zero, a few epochs, the best of them by validation accuracy kept. Texts of like length
share a batch, so that the peer does not pay for padding.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from features.corpus.corpus import Corpus
from features.encoder import weights

_BUCKET = 50  # batches sorted by length together
_CLIP = 1.0
_SCORE_BATCH = 128


@dataclass(frozen=True)
class Recipe:
    """How the peer trains; `warm_up` is a share of all steps."""

    epochs: int = 3
    batch_size: int = 32
    learning_rate: float = 1e-4
    weight_decay: float = 0.01
    warm_up: float = 0.1


@dataclass(frozen=True)
class Trained:
    """Accuracies at the epoch that validation chose, and seconds of training, validation included."""

    validation: float
    test: float
    cpu_seconds: float
    wall_seconds: float
    parameters: int


class FineTuning:
    """One corpus and one encoder, ready to be fine-tuned with a seed."""

    def __init__(self, corpus: Corpus, folder: Path, max_length: int, recipe: Recipe) -> None:
        from transformers import AutoModelForSequenceClassification

        torch.manual_seed(0)
        self.corpus, self.recipe = corpus, recipe
        self.tokenizer = weights.load_tokenizer(folder)
        self.folder, self.size = folder, corpus.labels.size
        self._build = AutoModelForSequenceClassification.from_pretrained
        texts = [text for text, _ in corpus.texts]
        pairs = [pair for _, pair in corpus.texts]
        both = (texts, [pair or "" for pair in pairs]) if any(pairs) else (texts,)
        self.pieces: list[list[int]] = self.tokenizer(*both, truncation=True, max_length=max_length)[
            "input_ids"
        ]

    def train(self, seed: int) -> Trained:
        """Fine-tune once from the pretrained weights."""
        wall, cpu = time.perf_counter(), time.process_time()
        torch.manual_seed(seed)
        model = self._build(self.folder, num_labels=self.size, use_safetensors=True, dtype=torch.float32)
        optimiser = torch.optim.AdamW(
            model.parameters(),
            lr=self.recipe.learning_rate,
            weight_decay=self.recipe.weight_decay,
            fused=True,
        )
        rows = self.corpus.rows("train")
        steps = self.recipe.epochs * -(-len(rows) // self.recipe.batch_size)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, _warm_up_and_fall(steps, self.recipe.warm_up))
        generator = np.random.default_rng(seed)
        best, kept = -1.0, model.state_dict()
        for _ in range(self.recipe.epochs):
            self._epoch(model, optimiser, schedule, generator)
            if (accuracy := self._accuracy(model, "validation")) > best:
                best, kept = accuracy, {name: value.clone() for name, value in model.state_dict().items()}
        seconds = time.process_time() - cpu, time.perf_counter() - wall
        model.load_state_dict(kept)
        parameters = sum(parameter.numel() for parameter in model.parameters())
        return Trained(best, self._accuracy(model, "test"), *seconds, parameters)

    def _epoch(self, model: nn.Module, optimiser: Any, schedule: Any, generator: np.random.Generator) -> None:
        model.train()
        for batch in self._shuffled(self.corpus.rows("train"), generator):
            optimiser.zero_grad(set_to_none=True)
            F.cross_entropy(self._scores(model, batch), self._classes(batch)).backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), _CLIP)
            optimiser.step()
            schedule.step()

    @torch.inference_mode()
    def _accuracy(self, model: nn.Module, split: str) -> float:
        model.eval()
        rows = self.corpus.rows(split)
        rows = rows[np.argsort([len(self.pieces[i]) for i in self.corpus.text[rows]], kind="stable")]
        right = 0
        for start in range(0, len(rows), _SCORE_BATCH):
            batch = rows[start : start + _SCORE_BATCH]
            right += int((self._scores(model, batch).argmax(dim=1) == self._classes(batch)).sum())
        return right / len(rows)

    def _scores(self, model: nn.Module, rows: np.ndarray) -> torch.Tensor:
        pieces = [{"input_ids": self.pieces[i]} for i in self.corpus.text[rows]]
        scores: torch.Tensor = model(**self.tokenizer.pad(pieces, return_tensors="pt")).logits
        return scores

    def _classes(self, rows: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(self.corpus.label[rows] - self.corpus.labels.low)

    def _shuffled(self, rows: np.ndarray, generator: np.random.Generator) -> Iterator[np.ndarray]:
        size = self.recipe.batch_size
        order = generator.permutation(rows)
        batches = []
        for start in range(0, len(order), size * _BUCKET):
            bucket = order[start : start + size * _BUCKET]
            bucket = bucket[
                np.argsort([len(self.pieces[i]) for i in self.corpus.text[bucket]], kind="stable")
            ]
            batches += [bucket[i : i + size] for i in range(0, len(bucket), size)]
        for i in generator.permutation(len(batches)):
            yield batches[i]


def _warm_up_and_fall(steps: int, share: float) -> Any:
    """The factor of the learning rate at a step: up to 1 over the first share of them, then down to 0."""
    first = max(1, round(steps * share))
    return lambda step: min((step + 1) / first, (steps - step) / max(1, steps - first))
