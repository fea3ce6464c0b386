"""Stage: the frozen encoder meets every text it has not met before, once."""

from __future__ import annotations

from tqdm import tqdm

from features.corpus import Corpus
from features.storing.extraction import extract
from pipeline import layout
from pipeline.extracting.encode_cost import encode_cost, note_encoding
from pipeline.extracting.encoding import encoder_spec
from pipeline.extracting.engines import prepare_engine
from pipeline.loading.run_data import ENCODER_FILE
from pipeline.settings.params import load_params
from pipeline.stage import log, run_stage
from pipeline.writing import write_json


def main(name: str) -> None:
    """Encode one corpus of `params.yaml` into `layout.cache_folder(name)`."""
    params = load_params()
    corpus = Corpus.load(layout.corpus_folder(name) / "corpus.h5")
    spec = encoder_spec(params, params.corpus(name))
    folder = layout.cache_folder(name)
    with tqdm(total=0, desc=f"encode {name}", unit="text", smoothing=0.1) as bar:
        encoder, gated, engine, progress, machine = prepare_engine(spec, bar)
        log.info("%s: %s on %s in %s", name, encoder.spec.model, encoder.device, encoder.precision)
        summary = extract(
            corpus.texts, corpus.text, gated, layout.store(), folder, log.info, progress, engine=engine
        )
    # What later stages need of the encoder without loading it; nothing in it varies from run to run.
    about = {
        "layers_total": encoder.layers_total,
        "parameters": encoder.parameters,
        "model": encoder.spec.model,
    }
    write_json(folder / ENCODER_FILE, about)
    write_json(layout.extraction_file(name), summary)
    shards = layout.store() / encoder.manifest.key
    note_encoding(shards, summary, machine())
    write_json(layout.encode_cost_file(name), encode_cost(shards))
    log.info(
        "%s: %d texts, %d encoded now, %d reused, %.1f s",
        name,
        summary.texts,
        summary.new,
        summary.reused,
        summary.seconds,
    )


if __name__ == "__main__":
    run_stage(main, "corpus", __doc__)
