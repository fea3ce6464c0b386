"""Make the tokenizer of a mini encoder: uncased WordPiece in which every Chinese character is a piece.

    python -m encoders.vocabulary --out FOLDER --size 6000 --text a.txt b.txt
    python -m encoders.vocabulary --out FOLDER --size 9000 --text a.txt --keep-from teacher/vocab.txt

With `--keep-from` the vocabulary is the part of another WordPiece vocabulary that the texts use most, so
that the other model can teach piece by piece. Only pieces seen at least `--min-count` times are kept: no rare
name or number of a text survives in the vocabulary.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import WordPiece
from tokenizers.trainers import WordPieceTrainer
from transformers import BertTokenizer

from encoders.text import read_texts
from features.errors import InputError

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def blank(vocabulary: dict[str, int]) -> Tokenizer:
    """A BERT tokenizer over a vocabulary: lower case, no accents, Chinese characters one by one."""
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    if vocabulary:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[(name, vocabulary[name]) for name in ("[CLS]", "[SEP]")],
        )
    return tokenizer


def train_vocabulary(texts: Iterable[str], size: int, min_count: int) -> list[str]:
    """WordPiece vocabulary of at most `size` entries, its single characters the most frequent ones."""
    tokenizer = blank({})
    trainer = WordPieceTrainer(
        vocab_size=size,
        min_frequency=min_count,
        limit_alphabet=int(size * 0.75),
        special_tokens=SPECIAL,
        continuing_subword_prefix="##",
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    trained = tokenizer.get_vocab()
    ordered = sorted(trained, key=lambda piece: trained[piece])
    counts = piece_counts(texts, ordered)
    return [piece for piece in ordered if piece in SPECIAL or counts[piece] >= min_count]


def keep_from(texts: Sequence[str], pieces: list[str], size: int, min_count: int) -> list[str]:
    """The `size` pieces of an existing vocabulary that the texts use most, single characters first of all."""
    counts = piece_counts(texts, pieces)
    single = [p for p in pieces if len(p.removeprefix("##")) == 1 and p.isascii() and p not in SPECIAL]
    frequent = [p for p, n in counts.most_common() if n >= min_count and p not in SPECIAL]
    chosen = set(list(dict.fromkeys(single + frequent))[: size - len(SPECIAL)])
    return SPECIAL + [piece for piece in pieces if piece in chosen]


def piece_counts(texts: Iterable[str], pieces: Sequence[str]) -> Counter[str]:
    """How often each piece stands in the texts."""
    tokenizer = blank({piece: index for index, piece in enumerate(pieces)})
    counts: Counter[str] = Counter()
    batch: list[str] = []
    for text in [*texts, ""]:
        batch.append(text)
        if len(batch) == 1000 or not text:
            for encoding in tokenizer.encode_batch(batch, add_special_tokens=False):
                counts.update(encoding.tokens)
            batch = []
    return counts


def write_tokenizer(pieces: list[str], folder: Path, max_length: int) -> BertTokenizer:
    """Write tokenizer.json, tokenizer_config.json and vocab.txt, and return the tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece in pieces), encoding="utf-8")
    backend = blank({piece: index for index, piece in enumerate(pieces)})
    tokenizer = BertTokenizer(tokenizer_object=backend, do_lower_case=True, model_max_length=max_length)
    tokenizer.save_pretrained(folder)
    return tokenizer


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="encoders.vocabulary", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder to write the tokenizer to")
    parser.add_argument("--text", type=Path, nargs="+", required=True, help="files with one text a line")
    parser.add_argument("--size", type=int, default=6000, help="number of entries")
    parser.add_argument("--min-count", type=int, default=5, help="drop pieces seen less often")
    parser.add_argument("--max-length", type=int, default=512, help="longest input of the model, in pieces")
    parser.add_argument("--keep-from", type=Path, help="vocab.txt of which to keep the most used part")
    options = parser.parse_args(arguments)
    try:
        texts = read_texts(options.text, []).texts
        if options.keep_from is None:
            pieces = train_vocabulary(texts, options.size, options.min_count)
        else:
            known = read_texts([options.keep_from], []).texts
            pieces = keep_from(texts, known, options.size, options.min_count)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    write_tokenizer(pieces, options.out, options.max_length)
    print(f"{len(pieces)} pieces in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
