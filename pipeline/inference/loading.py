"""What a trained run is made of, found by its name and checked to belong together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py

from features.encoding.encoder import EncoderSpec, FrozenEncoder
from features.errors import InputError
from features.labels import Labels
from features.storing.manifest import Manifest
from heads.base import Head, head_class
from heads.saving import HeadConfig, load_head
from heads.tasks import Task
from pipeline import layout
from pipeline.settings.params import CorpusParams, Params, RunParams, load_params
from pipeline.settings.schema import dictionary_of, label_map

# What would make the vectors of new texts other than those the head learned from.
_SAME = ("weights", "tokenizer", "max_length", "dim")


@dataclass(frozen=True)
class Parts:
    """A trained head with its task and configuration, its encoder, and what its corpus declares."""

    head: Head
    task: Task
    config: HeadConfig
    encoder: FrozenEncoder
    labels: Labels
    paired: bool
    language: str
    dictionary: Path | None


def load_parts(name: str, path: Path) -> Parts:
    """Load a run of the params file `path`; see `pipeline.inference.Predictor.load` for what it raises."""
    params = load_params(path)
    run = params.run(name)
    corpus = params.corpus(run.corpus)
    folder = layout.head_folder(name, run.seeds[0])
    if head_class(run.head).needs_encoder:
        encoder, head, task, config = _load_with_top(folder, params, run)
    else:
        head, task, config = load_head(folder)
        encoder = _load_encoder(params, corpus, _wanted(config), "tokens" in head.needs)
    labels = label_map(corpus).labels
    if (labels.low, labels.size, labels.ordered) != (config.low, config.size, config.ordered):
        raise InputError(
            f"corpora.{run.corpus}.labels declares {', '.join(labels.names)}, but run {name!r} was trained "
            f"on {config.size} {'ratings' if config.ordered else 'classes'} from {config.low}; "
            f"run `dvc repro`"
        )
    _check_encoder(run.corpus, encoder)
    return Parts(
        head=head,
        task=task,
        config=config,
        encoder=encoder,
        labels=labels,
        paired=corpus.columns.pair is not None,
        language=corpus.language,
        dictionary=dictionary_of(corpus),
    )


def _wanted(config: HeadConfig) -> tuple[int, ...]:
    """The layers a head reads; a pooler stands above all layers, so that it needs them all."""
    return (*config.layers, -1) if config.vector == "pooler" else config.layers


def _load_encoder(
    params: Params, corpus: CorpusParams, layers: tuple[int, ...], tokens: bool
) -> FrozenEncoder:
    declared = params.encoders[corpus.encode.encoder]
    return FrozenEncoder.load(
        EncoderSpec(declared.model, declared.revision, corpus.encode.max_length, layers, tokens)
    )


def _load_with_top(
    folder: Path, params: Params, run: RunParams
) -> tuple[FrozenEncoder, Head, Task, HeadConfig]:
    """A head made from the encoder's own top layers: the encoder comes first, up to the layer it reads."""
    corpus = params.corpus(run.corpus)
    encoder = _load_encoder(params, corpus, tuple(run.layers or corpus.encode.layers), True)
    top = encoder.top(encoder.layers_total - encoder.layers[-1])
    return encoder, *load_head(folder, top)


def _check_encoder(corpus: str, encoder: FrozenEncoder) -> None:
    """Compare the encoder with the one that filled the cache; without a cache there is no witness."""
    index = layout.cache_folder(corpus) / "index.h5"
    if not index.is_file():
        return
    try:
        with h5py.File(index, "r") as file:
            cached = Manifest.from_json(str(file.attrs["manifest"]))
    except (OSError, KeyError) as error:
        raise InputError(f"the cache {index} cannot be read ({error}); run `dvc repro`") from None
    differing = [field for field in cached.difference(encoder.manifest) if field in _SAME]
    if differing:
        raise InputError(
            f"encoder `{encoder.spec.model}` is not the one that corpus {corpus!r} was encoded with: "
            f"{', '.join(differing)} differ; run `dvc repro`, or name the former one under `encoders:`"
        )
