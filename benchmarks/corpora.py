"""The texts a benchmark runs on: any column of any CSV, and an encoder of true size to run them through."""

from __future__ import annotations

import csv
from pathlib import Path

from features.corpus.rows import clean_text


def read_column(path: Path, column: str, count: int) -> list[str]:
    """The first `count` usable texts of a column, cleaned as the prepare stage cleans them."""
    texts: list[str] = []
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if column not in (reader.fieldnames or ()):
            raise SystemExit(f"{path} has no column {column}; it has {', '.join(reader.fieldnames or ())}")
        for row in reader:
            text = clean_text(row[column] or "")
            if text:
                texts.append(text)
            if len(texts) == count:
                return texts
    return texts


def write_base_encoder(folder: Path, vocabulary: Path) -> Path:
    """An encoder of BERT-base size with random weights and the tokenizer of a vocabulary.

    Speed depends on neither the values of the weights nor on what the words mean.
    """
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    lines = vocabulary.read_text(encoding="utf-8").splitlines()
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=len(lines))).save_pretrained(folder)
    BertTokenizer(vocab=str(vocabulary), do_lower_case=True).save_pretrained(folder)
    return folder
