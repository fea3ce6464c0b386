"""Stage: the frozen encoder meets every text it has not met before, once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tqdm import tqdm

from features.corpus import Corpus
from features.encoded import EncodedBatch, Text
from features.encoder import EncoderSpec, FrozenEncoder
from features.extraction import extract
from features.manifest import Manifest
from features.parity import check_parity
from features.tokenising import Tokenized
from pipeline import layout
from pipeline.params import CorpusParams, Encoder, load_params
from pipeline.run_data import ENCODER_FILE
from pipeline.stage import log, run_stage
from pipeline.writing import write_json


def main(name: str) -> None:
    """Encode one corpus of `params.yaml` into `layout.cache_folder(name)`."""
    params = load_params()
    corpus = Corpus.load(layout.corpus_folder(name) / "corpus.h5")
    declared = params.corpus(name)
    encoder = FrozenEncoder.load(_spec(declared, params.encoders[declared.encode.encoder]))
    log.info("%s: %s on %s in %s", name, encoder.spec.model, encoder.device, encoder.precision)
    folder = layout.cache_folder(name)
    with tqdm(total=0, desc=f"encode {name}", unit="text", smoothing=0.1) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        summary = extract(
            corpus.texts, corpus.text, _Gated(encoder), layout.store(), folder, log.info, progress
        )
    # What later stages need of the encoder without loading it; nothing in it varies from run to run.
    about = {
        "layers_total": encoder.layers_total,
        "parameters": encoder.parameters,
        "model": encoder.spec.model,
    }
    write_json(folder / ENCODER_FILE, about)
    write_json(layout.extraction_file(name), summary)
    log.info(
        "%s: %d texts, %d encoded now, %d reused, %.1f s",
        name,
        summary.texts,
        summary.new,
        summary.reused,
        summary.seconds,
    )


class _Gated:
    """An encoder whose device proves itself against plain float32 before its first text."""

    def __init__(self, encoder: FrozenEncoder) -> None:
        self._encoder = encoder
        self._proven = False

    @property
    def manifest(self) -> Manifest:
        return self._encoder.manifest

    def tokenize(self, texts: Sequence[Text]) -> Tokenized:
        return self._encoder.tokenize(texts)

    def encode(self, texts: Sequence[Text]) -> Iterator[EncodedBatch]:
        if not self._proven:
            parity = check_parity(self._encoder)
            log.info(
                "cosine with plain float32: mean %.6f, lowest %.6f, pooled %.6f",
                parity.mean,
                parity.lowest,
                parity.pooled,
            )
            self._proven = True
        yield from self._encoder.encode(texts)


def _spec(corpus: CorpusParams, encoder: Encoder) -> EncoderSpec:
    encode = corpus.encode
    return EncoderSpec(
        encoder.model, encoder.revision, encode.max_length, tuple(encode.layers), encode.tokens
    )


if __name__ == "__main__":
    run_stage(main, "corpus", __doc__)
