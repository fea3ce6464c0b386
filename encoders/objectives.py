"""The model under pretraining and what it is asked to predict.

Masked pieces always; beside them, each with a weight of its own: the bag of pieces of a text from the pooled
[CLS] vector, labels from the mean and the pooled vector, and a teacher's states, piece by piece.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import BertConfig, BertModel
from transformers.models.bert.modeling_bert import BertOnlyMLMHead


@dataclass(frozen=True)
class Weights:
    """Weight of each objective in the summed loss; 0 leaves it out."""

    bag: float = 0.1
    labels: float = 0.0
    teacher: float = 0.0


@dataclass(frozen=True)
class Tensors:
    """A masked batch on the device. B rows, S pieces a row, G parts; see `packing.Batch`.

    inputs, ids, part, positions: (B, S) int64. chosen: (B, S) bool. cls, task, label: (G,) int64.
    """

    inputs: Tensor
    ids: Tensor
    part: Tensor
    positions: Tensor
    chosen: Tensor
    cls: Tensor
    task: Tensor
    label: Tensor


class Pretrained(nn.Module):
    """BERT with its masked language model head, tied to the embeddings, and the other objectives' heads.

    Args:
        config: the shape.
        classes: task name → number of labels.
        teacher_width: width of the teacher's states, 0 without a teacher.
    """

    def __init__(self, config: BertConfig, classes: dict[str, int], teacher_width: int = 0) -> None:
        super().__init__()
        width = config.hidden_size
        self.bert = BertModel(config, add_pooling_layer=True)
        self.cls = BertOnlyMLMHead(config)
        self.bert.apply(self.bert._init_weights)
        self.cls.apply(self.bert._init_weights)
        self.cls.predictions.decoder.weight = self.bert.embeddings.word_embeddings.weight
        self.cls.predictions.decoder.bias = self.cls.predictions.bias
        self.bag_bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.on_mean = nn.ModuleDict({task: nn.Linear(width, n) for task, n in classes.items()})
        self.on_pooled = nn.ModuleDict({task: nn.Linear(width, n) for task, n in classes.items()})
        self.to_teacher = nn.Linear(width, teacher_width) if teacher_width else None

    def states(self, batch: Tensors) -> Tensor:
        """Last layer: (B, S, D). A piece sees the pieces of its own part alone."""
        return self.encode(batch.inputs, batch.positions, attention_bias(batch.part))

    def encode(self, inputs: Tensor, positions: Tensor, bias: Tensor) -> Tensor:
        """The encoder itself, the part of fixed shape that `torch.compile` may take."""
        encoded = self.bert.embeddings(input_ids=inputs, position_ids=positions)
        return self.bert.encoder(encoded, attention_mask=bias).last_hidden_state

    def losses(
        self, batch: Tensors, weights: Weights, rarity: Tensor, teacher_states: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Each objective's mean loss, unweighted.

        Args:
            batch: the masked batch.
            weights: which objectives to compute.
            rarity: (V,) weight of each piece in a bag.
            teacher_states: (K, S, E) the teacher's states of the first K rows, or None.
        """
        states = self.states(batch)
        flat = states.flatten(0, 1)
        place = batch.chosen.flatten().nonzero().squeeze(1)
        scores = self.cls(flat[place])
        result = {"mlm": F.cross_entropy(scores.float(), batch.ids.flatten()[place])}
        pooled = self.bert.pooler(flat[batch.cls].unsqueeze(1))
        if weights.bag:
            result["bag"] = self._bag(pooled, batch, rarity)
        if weights.labels and self.on_mean:
            result["labels"] = self._labels(part_means(flat, batch.part, len(batch.cls)), pooled, batch)
        if teacher_states is not None and self.to_teacher is not None:
            rows = len(teacher_states)
            real = batch.part[:rows] >= 0
            guess = self.to_teacher(states[:rows][real])
            result["teacher"] = F.mse_loss(guess.float(), teacher_states[real].float())
        return result

    def _bag(self, pooled: Tensor, batch: Tensors, rarity: Tensor) -> Tensor:
        embeddings = self.bert.embeddings.word_embeddings.weight
        log_p = F.linear(pooled, embeddings, self.bag_bias.to(pooled.dtype)).float().log_softmax(-1)
        real = batch.part >= 0
        pieces = batch.ids[real]
        weight = rarity[pieces]
        return -(log_p[batch.part[real], pieces] * weight).sum() / weight.sum()

    def _labels(self, means: Tensor, pooled: Tensor, batch: Tensors) -> Tensor:
        total = means.new_zeros(())
        count = 0
        for index, task in enumerate(self.on_mean):
            rows = (batch.task == index).nonzero().squeeze(1)
            if not len(rows):
                continue
            target = batch.label[rows]
            for head, vectors in ((self.on_mean[task], means), (self.on_pooled[task], pooled)):
                total = total + F.cross_entropy(head(vectors[rows]).float(), target, reduction="sum") / 2
            count += len(rows)
        return total / max(1, count)


def attention_bias(part: Tensor) -> Tensor:
    """0 between pieces of one part, -10,000 elsewhere: (B, 1, S, S) in the compute dtype."""
    kind = part.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else torch.float32
    apart = part[:, None, :, None] != part[:, None, None, :]
    return apart.to(dtype) * -1e4


def part_means(flat: Tensor, part: Tensor, count: int) -> Tensor:
    """Mean of each part's states, special pieces included as sentence encoders do: (G, D) float32."""
    owner = part.flatten()
    real = (owner >= 0).nonzero().squeeze(1)
    sums = flat.new_zeros(count, flat.shape[1], dtype=torch.float32)
    sums = sums.index_add(0, owner[real], flat[real].float())
    sizes = torch.bincount(owner[real], minlength=count)
    return sums / sizes[:, None]


def summed(losses: dict[str, Tensor], weights: Weights) -> Tensor:
    """The weighted sum that is minimised."""
    weight = {"mlm": 1.0, "bag": weights.bag, "labels": weights.labels, "teacher": weights.teacher}
    return torch.stack([weight[name] * loss.float() for name, loss in losses.items()]).sum()
