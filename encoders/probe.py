"""How good are an encoder's frozen vectors? A quick answer on labelled texts, for choosing between encoders.

    python -m encoders.probe --encoder FOLDER --train train.tsv --test validation.tsv

Files hold `label<TAB>text`. Two heads are fitted on frozen states: logistic regression on the standardised
mean vector, and a self-attentive head (Lin et al. 2017, arXiv 1703.03130) on the tokens. Numbers from here
choose; the figures to report come from the pipeline.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel, PreTrainedTokenizerFast

from encoders.text import read_texts
from features.errors import InputError


@dataclass(frozen=True)
class Encoded:
    """mean: (N, D) float32. tokens: N tensors (L, D) bfloat16. label: (N,) int64."""

    mean: npt.NDArray[np.float32]
    tokens: list[Tensor]
    label: npt.NDArray[np.int64]


def load(folder: Path, random: bool) -> tuple[BertModel, PreTrainedTokenizerFast]:
    """The encoder, or one of its shape with random weights."""
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    if random:
        torch.manual_seed(0)
        return BertModel(BertConfig.from_pretrained(folder)).eval(), tokenizer
    return AutoModel.from_pretrained(folder, local_files_only=True).eval(), tokenizer


@torch.inference_mode()
def encode(
    model: BertModel,
    tokenizer: PreTrainedTokenizerFast,
    texts: Sequence[str],
    label: npt.NDArray[np.int64],
    options: argparse.Namespace,
) -> Encoded:
    """Frozen states of every text, of the last layer or of `--layer`."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    tokens: list[Tensor] = [torch.empty(0)] * len(texts)
    for first in range(0, len(order), 32):
        rows = order[first : first + 32]
        batch = tokenizer(
            [texts[i] for i in rows],
            truncation=True,
            max_length=options.max_length,
            padding=True,
            return_tensors="pt",
        )
        with torch.autocast("cpu", torch.bfloat16):
            hidden = model(**batch, output_hidden_states=True).hidden_states[options.layer]
        for row, states, length in zip(rows, hidden, batch["attention_mask"].sum(1), strict=True):
            tokens[row] = states[:length].to(torch.bfloat16)
    mean = torch.stack([states.float().mean(0) for states in tokens]).numpy()
    return Encoded(mean, tokens, label)


def linear_probe(train: Encoded, test: Encoded) -> npt.NDArray[np.int64]:
    """Predicted labels from logistic regression on standardised mean vectors."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
    model.fit(train.mean, train.label)
    return np.asarray(model.predict(test.mean))


class SelfAttentive(nn.Module):
    """A = softmax(W2 tanh(W1 H^T)), M = A H, then one hidden layer. (B, L, D) → (B, classes)."""

    def __init__(self, width: int, classes: int, hops: int = 8) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Linear(width, 64), nn.Tanh(), nn.Linear(64, hops))
        hidden = nn.Sequential(nn.Dropout(0.3), nn.Linear(width * hops, 128), nn.ReLU())
        self.out = nn.Sequential(hidden, nn.Dropout(0.3), nn.Linear(128, classes))

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Scores (B, classes) from padded states (B, L, D) and mask (B, L), true at real pieces."""
        weights = self.score(states).masked_fill(~mask[:, :, None], -1e4).softmax(1)
        return self.out((weights.transpose(1, 2) @ states).flatten(1))


def attention_probe(train: Encoded, test: Encoded, epochs: int) -> npt.NDArray[np.int64]:
    """Predicted labels from a self-attentive head; a fixed number of epochs, no choice on the test rows."""
    torch.manual_seed(0)
    sample = torch.cat(train.tokens[:500]).float()
    center, scale = sample.mean(0), sample.std(0)
    head = SelfAttentive(sample.shape[1], int(train.label.max()) + 1)
    optimizer = torch.optim.AdamW(head.parameters(), lr=1e-3, weight_decay=0.01)
    target = torch.from_numpy(train.label)
    total = epochs * -(-len(target) // 64)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / total)
    for _ in range(epochs):
        for rows in torch.randperm(len(target)).split(64):
            scores = head(*_padded(train, rows, center, scale))
            F.cross_entropy(scores, target[rows]).backward()
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
    head.eval()
    with torch.inference_mode():
        chunks = torch.arange(len(test.label)).split(256)
        parts = [head(*_padded(test, rows, center, scale)) for rows in chunks]
    return torch.cat(parts).argmax(1).numpy()


def _padded(data: Encoded, rows: Tensor, center: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    states = [data.tokens[i] for i in rows.tolist()]
    mask = pad_sequence([torch.ones(len(item), dtype=torch.bool) for item in states], batch_first=True)
    return (pad_sequence(states, batch_first=True).float() - center) / scale, mask


def describe(name: str, predicted: npt.NDArray[np.int64], label: npt.NDArray[np.int64]) -> str:
    exact = float((predicted == label).mean())
    near = float((abs(predicted - label) <= 1).mean())
    return f"{name:10s} exact {exact:.4f}  adjacent {near:.4f}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="encoders.probe", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--train", type=Path, required=True, help="label<TAB>text file")
    parser.add_argument("--test", type=Path, required=True, help="the same, of validation texts")
    parser.add_argument("--train-rows", type=int, default=8000)
    parser.add_argument("--test-rows", type=int, default=4000)
    parser.add_argument("--max-length", type=int, default=128)
    parser.add_argument("--layer", type=int, default=-1, help="index into the hidden states")
    parser.add_argument("--epochs", type=int, default=6, help="of the self-attentive head; 0 leaves it out")
    parser.add_argument("--random", action="store_true", help="random weights in the encoder's shape")
    options = parser.parse_args(arguments)
    try:
        both = [read_texts([], [("task", path)]) for path in (options.train, options.test)]
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    model, tokenizer = load(options.encoder, options.random)
    encoded = []
    for texts, count in zip(both, (options.train_rows, options.test_rows), strict=True):
        rows = np.random.default_rng(0).permutation(len(texts.texts))[:count]
        label = texts.label[rows].astype(np.int64)
        encoded.append(encode(model, tokenizer, [texts.texts[i] for i in rows], label, options))
    train, test = encoded
    print(describe("majority", np.full_like(test.label, np.bincount(train.label).argmax()), test.label))
    print(describe("linear", linear_probe(train, test), test.label), flush=True)
    if options.epochs:
        print(describe("attention", attention_probe(train, test, options.epochs), test.label))
    return 0


if __name__ == "__main__":
    sys.exit(main())
