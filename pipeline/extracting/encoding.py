"""Which encoder `params.yaml` declares for a corpus."""

from __future__ import annotations

from features.encoding.encoder import EncoderSpec
from pipeline.settings.params import CorpusParams, Params


def encoder_spec(params: Params, corpus: CorpusParams) -> EncoderSpec:
    """What the extract stage encodes a corpus with."""
    encode, encoder = corpus.encode, params.encoders[corpus.encode.encoder]
    return EncoderSpec(
        model=encoder.model,
        revision=encoder.revision,
        max_length=encode.max_length,
        layers=tuple(encode.layers),
        keep_tokens=encode.keep_tokens,
        at_rest=encode.at_rest,
    )
