"""Pretrain a mini BERT from plain text files, one text a line. Resumes from its own checkpoint.

    python -m encoders.pretrain --out runs/zh --tokenizer FOLDER --text a.txt b.txt --words jieba --steps 6000

The learning rate rises over `--warmup` steps, stays, and falls to zero over the last `--decay` steps; a run
stopped before its decay can therefore be made longer by asking for more steps. Ctrl-C stops cleanly; the
same command goes on. encoders/README.md gives the commands of the bundled encoders.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm
from transformers import AutoTokenizer, BertConfig, PreTrainedTokenizerFast

from encoders.bundle import load_weights, write_bundle
from encoders.checkpoint import load_checkpoint, save_checkpoint
from encoders.distil import Teacher
from encoders.losslog import append_log, trim_log
from encoders.masking import mask_words
from encoders.objectives import Pretrained, Tensors, Weights, summed
from encoders.options import parser
from encoders.packing import Batch, Specials, batches
from encoders.schedule import optimizers_of, rate_factor
from encoders.text import Pieces, Texts, encode, read_texts
from features.errors import InputError


def tokenizer_in(folder: Path) -> PreTrainedTokenizerFast:
    if not (folder / "tokenizer.json").is_file():
        raise InputError(f"no tokenizer at {folder}; make one with `python -m encoders.vocabulary`")
    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def specials_of(tokenizer: PreTrainedTokenizerFast) -> Specials:
    return Specials(
        pad=tokenizer.pad_token_id,
        cls=tokenizer.cls_token_id,
        sep=tokenizer.sep_token_id,
        mask=tokenizer.mask_token_id,
        unknown=tokenizer.unk_token_id,
    )


def configuration(options: argparse.Namespace, vocabulary: int, pad: int) -> BertConfig:
    return BertConfig(
        vocab_size=vocabulary,
        hidden_size=options.width,
        num_hidden_layers=options.layers,
        num_attention_heads=options.heads,
        intermediate_size=4 * options.width,
        max_position_embeddings=options.positions,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        pad_token_id=pad,
        attn_implementation="eager",  # on rows this short faster than fused attention
    )


def rarity_of(pieces: Pieces, vocabulary: int) -> torch.Tensor:
    """Weight a / (a + p) of each piece in a bag, a = 0.001 (Arora et al. 2017): (V,) float32."""
    share = np.bincount(pieces.ids, minlength=vocabulary) / max(1, len(pieces.ids))
    return torch.tensor(1e-3 / (1e-3 + share), dtype=torch.float32)


class Run:
    """One pretraining run: the data, the model, and the step they are at."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.device = torch.device(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))
        if options.threads:
            torch.set_num_threads(options.threads)
        if options.row_length > options.positions:
            raise InputError(
                f"found --row-length {options.row_length}; --positions {options.positions} is the most"
            )
        labelled = [(name, Path(path)) for name, path in options.labelled]
        self.texts: Texts = read_texts(options.text or [], labelled)
        self.tokenizer = tokenizer_in(options.tokenizer)
        self.special = specials_of(self.tokenizer)
        size = len(self.tokenizer)
        self.pieces = encode(self.texts.texts, self.tokenizer, options.words, options.out)
        self.candidates = np.setdiff1d(np.arange(size), list(vars(self.special).values()))
        self.weights = Weights(options.bag, options.labels, options.teacher_weight)
        self.teacher: Teacher | None = None
        if options.teacher:
            self.teacher = Teacher(options.teacher, options.teacher_layer, self.tokenizer)
        self.config = configuration(options, size, self.special.pad)
        self.model = self.initial_model()
        self.rarity = rarity_of(self.pieces, size).to(self.device)
        self.optimizers = optimizers_of(self.model, options)
        if options.compile:
            self.model.encode = torch.compile(self.model.encode)  # type: ignore[method-assign]
        self.step = 0
        self.checkpoint = options.out / "checkpoint.safetensors"
        if self.checkpoint.is_file():
            self.step = int(load_checkpoint(self.checkpoint, self.model, self.optimizers)["step"])
            trim_log(options.out / "log.csv", self.step)

    def initial_model(self) -> Pretrained:
        """Random weights, those of `--init`, or random ones over the teacher's embeddings; on the device."""
        torch.manual_seed(self.options.seed)
        classes = {name: len(labels) for name, labels in self.texts.tasks.items()}
        model = Pretrained(self.config, classes, self.teacher.width if self.teacher else 0)
        if self.options.init:
            load_weights(model, self.options.init)
        elif self.teacher:
            table = model.bert.embeddings.word_embeddings.weight
            table.data.copy_(self.teacher.initial_embeddings(self.options.width))
        if self.teacher:
            self.teacher.to(self.device)
        return model.to(self.device)

    def tensors(self, batch: Batch) -> Tensors:
        """Mask a batch and move it; the draw depends on the seed and the step alone."""
        rng = np.random.default_rng([self.options.seed, self.step, 1])
        masked = mask_words(
            batch.ids,
            batch.words,
            share=self.options.mask_share,
            mask_id=self.special.mask,
            candidates=self.candidates,
            rng=rng,
        )
        highest = self.options.positions - self.options.row_length
        shift = rng.integers(0, highest + 1) if rng.random() < self.options.shift_share else 0
        arrays = (masked.inputs, batch.ids, batch.part, batch.positions + shift, masked.chosen, batch.cls)
        labels = (self.texts.task[batch.text], self.texts.label[batch.text])
        moved = [torch.from_numpy(array).to(self.device) for array in arrays]
        return Tensors(*moved, *(torch.from_numpy(a.astype(np.int64)).to(self.device) for a in labels))

    def train_step(self, batch: Batch) -> dict[str, float]:
        """One update; returns each objective's loss."""
        data = self.tensors(batch)
        rows = round(self.options.teacher_share * len(batch.ids))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.options.bfloat16):
            target = self.teacher.states(data, rows).clone() if self.teacher else None
            losses = self.model.losses(data, self.weights, self.rarity, target)
            loss = summed(losses, self.weights)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        factor = rate_factor(self.step, self.options)
        for optimizer, rate in zip(self.optimizers, (self.options.lr, self.options.muon_lr), strict=False):
            for group in optimizer.param_groups:
                group["lr"] = rate * factor
            optimizer.step()
            optimizer.zero_grad()
        self.step += 1
        return {name: value.item() for name, value in losses.items()}

    def save(self) -> None:
        """Write the checkpoint and the encoder folder as they stand."""
        save_checkpoint(self.checkpoint, self.model, self.optimizers, {"step": self.step})
        write_bundle(self.model, self.config, self.options.tokenizer, self.options.out / "encoder")


def train(run: Run) -> None:
    """Run to the last step, with a line in log.csv and a checkpoint now and then."""
    options = run.options
    stream = batches(
        run.pieces,
        rows=options.rows,
        row_length=options.row_length,
        special=run.special,
        seed=options.seed,
        first=run.step,
    )
    saved = time.monotonic()
    window: list[dict[str, float]] = []
    with tqdm(total=options.steps, initial=run.step, unit="step", mininterval=5) as bar:
        while run.step < options.steps:
            window.append(run.train_step(next(stream)))
            bar.update()
            if run.step % options.log_every == 0:
                means = {name: float(np.mean([entry[name] for entry in window])) for name in window[0]}
                bar.set_postfix({name: f"{value:.3f}" for name, value in means.items()}, refresh=False)
                seconds = bar.format_dict["elapsed"]
                append_log(options.out / "log.csv", {"step": run.step, "seconds": seconds, **means})
                window = []
            if time.monotonic() - saved > 60 * options.save_minutes:
                run.save()
                saved = time.monotonic()
    run.save()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 when done, 2 on bad input, 130 on Ctrl-C."""
    options = parser().parse_args(arguments)
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, signal.default_int_handler)
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        run = Run(options)
        settings = {name: str(value) for name, value in vars(options).items()}
        (options.out / "options.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
        size = sum(parameter.numel() for parameter in run.model.bert.parameters())
        texts, pieces = len(run.texts.texts), len(run.pieces.ids)
        print(f"{texts:,} texts, {pieces:,} pieces, {size:,} parameters, {run.device}")
        train(run)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        run.save()
        print(f"stopped at step {run.step}; the same command goes on from there", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
