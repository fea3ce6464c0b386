"""Does the cache still say what the encoder saw? A masked-LM head names the cached tokens again.

The head of the encoder's own pretraining is applied to the cached last layer and to hidden states that
Transformers computes afresh in float32. How often each names the very piece that stands there is one number
for everything between a text and its cached vectors: packing, reduced precision, rounding at rest, the store.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from pipeline.project.stage import guard, log
from features.corpus.corpus import Corpus
from features.corpus.texts import Text
from features.encoder.encoder import Encoder
from features.encoder.masked_lm import MaskedHead
from features.encoder.parity import plain_forward
from features.encoder.weights import load_tokenizer
from features.errors import InputError
from features.store.extraction import extract
from features.store.reading import FeatureStore
from pipeline.evaluation.results import Fidelity
from pipeline.extract import encoder_spec
from pipeline.project import layout
from pipeline.project.files import write_result
from pipeline.project.params import load_params

BLANK = "[MASK]"
_TEXTS, _SEED, _TOP = 200, 13, 5


def main(arguments: Sequence[str] | None = None) -> None:
    """Check a corpus's cache, or fill the blanks of a text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", help="name of a corpus in params.yaml")
    parser.add_argument("--texts", type=int, default=_TEXTS, help="test texts to check (%(default)s)")
    parser.add_argument("--seed", type=int, default=_SEED, help="which texts (%(default)s)")
    parser.add_argument("--mask", metavar="TEXT", help=f"also fill the {BLANK} in a text")
    given = parser.parse_args(arguments)
    if given.texts < 1:
        parser.error(f"--texts is {given.texts}; at least 1 is needed")
    guard(lambda: _run(given.corpus, given.texts, given.seed, given.mask))


def _run(name: str, count: int, seed: int, masked: str | None) -> None:
    params = load_params()
    spec = encoder_spec(params, params.corpus(name))
    corpus = Corpus.load(layout.corpus_folder(name) / "corpus.h5")
    store = FeatureStore.open(layout.cache_folder(name))
    encoder = Encoder.load(spec)
    found, head = check(corpus, store, encoder, count, seed)
    write_result(layout.fidelity_file(name), found)
    log.info("%s: %s", name, found.line)
    if masked is None:
        return
    if head is None:
        raise InputError(f"a blank cannot be filled: {found.reason}")
    for number, guesses in enumerate(fill(masked, encoder, head), 1):
        named = ", ".join(f"{piece} {probability:.1%}" for piece, probability in guesses)
        log.info("blank %d of %r: %s", number, masked, named)


def check(
    corpus: Corpus, store: FeatureStore, encoder: Encoder, count: int, seed: int
) -> tuple[Fidelity, MaskedHead | None]:
    """Name the tokens of `count` test texts from the cache and from fresh float32 states; gives the head too.

    Raises:
        InputError: the cache was computed by other weights than the encoder's.
    """
    manifest, last = store.manifest, encoder.layers_total
    if (manifest.weights, manifest.tokenizer) != (encoder.manifest.weights, encoder.manifest.tokenizer):
        raise InputError(
            f"{store.folder} was computed by other weights or another tokenizer than those in "
            f"{encoder.folder}; run `dvc repro` to encode again"
        )
    head = MaskedHead.load(encoder.folder)
    texts = np.unique(store.rows[corpus.rows("test")])
    reason = ""
    if head is None:
        reason = f"{manifest.model} has no masked-LM head"
    elif manifest.tokens == "none" or last not in manifest.layers:
        reason = f"the cache of {corpus.name} has no tokens of the last layer ({last})"
    elif not len(texts):
        reason = f"{corpus.name} has no test texts"
    about = (corpus.name, manifest.model, manifest.tokens, manifest.precision)
    if head is None or reason:
        return Fidelity(*about, reason=reason), head
    chosen = np.sort(np.random.default_rng(seed).permutation(texts)[:count])
    plain, reader = plain_forward(encoder), store.tokens(last)
    columns: list[npt.NDArray[np.int64]] = []
    for text in chosen.tolist():
        stored = store.pieces(text)
        kept = stored.segments >= 0  # pretraining never asked for [CLS] or [SEP]
        if kept.any():
            from_cache = head.name(reader.gather(np.array([text])).tokens[kept])
            from_fresh = head.name(plain(corpus.texts[text])[0][-1][kept])
            columns.append(np.stack([stored.piece_ids[kept], from_cache, from_fresh]))
    pieces, cached, fresh = np.concatenate(columns, axis=1)
    found = Fidelity(
        *about,
        texts=len(chosen),
        pieces=len(pieces),
        cached=float((cached == pieces).mean()),
        fresh=float((fresh == pieces).mean()),
        same=float((cached == fresh).mean()),
    )
    return found, head


def fill(text: str, encoder: Encoder, head: MaskedHead) -> list[list[tuple[str, float]]]:
    """The likeliest pieces for each `[MASK]` of a text, from states that were written to a store and read.

    Returns:
        For each blank pieces and their probabilities, the likeliest first.

    Raises:
        InputError: the text has no blank, or it lies beyond the encoder's longest text.
    """
    tokenizer = load_tokenizer(encoder.folder)
    given = Text(text.replace(BLANK, tokenizer.mask_token or BLANK))
    with tempfile.TemporaryDirectory() as scratch:
        room = Path(scratch)
        rows = np.zeros(1, np.int64)
        extract([given], rows, encoder, room / "store", room / "cache", lambda line: None)
        with FeatureStore.open(room / "cache") as store:
            pieces = store.pieces(0).piece_ids
            hidden = store.tokens(encoder.layers_total).gather(rows).tokens
    blanks = np.flatnonzero(pieces == tokenizer.mask_token_id)
    if not len(blanks):
        raise InputError(
            f"there is no {BLANK} among the first {encoder.spec.max_length} pieces of {text[:80]!r}; put one "
            f"where a word is missing"
        )
    shares = softmax(head.scores(hidden[blanks]).astype(np.float64), axis=1)
    return [
        [(str(tokenizer.convert_ids_to_tokens(int(i))), float(row[i])) for i in np.argsort(-row)[:_TOP]]
        for row in shares
    ]
