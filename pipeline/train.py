"""Stage: a head learns from the cached embeddings of the training split, once for each seed."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from pipeline.project.stage import log, run_stage
from features.corpus.corpus import Corpus
from features.errors import InputError
from heads.parts.base import head_class
from heads.parts.options import HeadError
from heads.parts.saving import HeadConfig, save_failure, save_head
from pipeline.project import layout
from pipeline.project.files import write_result
from pipeline.project.layout import RunFolder
from pipeline.project.origin import origin
from pipeline.project.params import Params, RunParams, load_params
from pipeline.training.data import HeadData, open_data
from pipeline.training.fits import DivergedError, Epoch, Fit
from pipeline.training.start import Untrained, untrained
from pipeline.training.training import fit_head


def main(name: str) -> None:
    """Train one run of `params.yaml` into its `heads` folder."""
    params = load_params()
    run = params.run(name)
    corpus = Corpus.load(layout.corpus_folder(run.corpus) / "corpus.h5")
    data = open_data(corpus, run, head_class(run.head).needs)
    folder = params.folder(name)
    shutil.rmtree(folder.path / "heads", ignore_errors=True)  # of seeds that are no longer asked for, too
    fits: dict[int, Fit] = {}
    try:
        for seed in run.seeds:
            fits[seed] = _train_seed(name, params, corpus, data, seed)
    except DivergedError as error:
        rate = params.training_of(name).learning_rate
        _fail(
            folder,
            run,
            f"run {name!r} with seed {seed} has no head: {error}; lower its learning_rate, which is "
            f"{rate:g}, or change its options in params.yaml, and run `dvc repro`",
        )
    write_result(folder.training, fits)
    first = fits.get(run.seeds[0])
    write_curves(folder.curves, first.epochs if first else ())


def _fail(folder: RunFolder, run: RunParams, reason: str) -> None:
    """Leave the reason in place of every head: the stage has finished, so that all other runs go on."""
    log.error("%s", reason)
    for seed in run.seeds:
        save_failure(folder.head(seed), reason)


def _train_seed(name: str, params: Params, corpus: Corpus, data: HeadData, seed: int) -> Fit:
    settings = params.training_of(name)
    start = untrained(params, name, corpus, data, seed)
    with tqdm(total=settings.epochs, desc=f"{name}, seed {seed}", unit="epoch") as bar:

        def on_epoch(epoch: Epoch) -> None:
            bar.update()
            bar.set_postfix(
                validation=f"{epoch.validation_loss:.4f}", accuracy=f"{epoch.validation_accuracy:.3f}"
            )

        fit = fit_head(start.head, start.task, data, start.train, start.validation, settings, seed, on_epoch)
    config = _config(params, name, start, corpus, data, seed)
    save_head(params.folder(name).head(seed), start.head, config)
    log.info(
        "%s: %d epochs in %.1f s, best %d with validation accuracy %.4f",
        name,
        len(fit.epochs),
        fit.seconds,
        fit.best + 1,
        fit.epochs[fit.best].validation_accuracy,
    )
    return fit


def _config(
    params: Params, name: str, start: Untrained, corpus: Corpus, data: HeadData, seed: int
) -> HeadConfig:
    run, labels = params.run(name), corpus.labels
    return HeadConfig(
        head=run.head,
        shape=start.shape,
        task=run.task,
        low=labels.low,
        size=labels.size,
        ordered=labels.ordered,
        layers=data.selection.layers,
        vector=data.selection.vectors[-1] if "pooled" in data.selection.needs else None,
        seed=seed,
        options=dict(run.options),
        task_options=dict(run.task_options),
        task_state=start.task.state(),
        origin=asdict(origin(params, name, data.store.manifest, labels.names, corpus.digest)),
    )


def write_curves(folder: Path, epochs: Sequence[Epoch]) -> None:
    """Losses and validation accuracy as tab-separated files, a line an epoch: what `dvc plots` draws."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("train_loss", "validation_loss", "validation_accuracy"):
        lines = [f"{epoch.number}\t{getattr(epoch, name)}" for epoch in epochs]
        (folder / f"{name}.tsv").write_text("\n".join([f"epoch\t{name}", *lines, ""]), "utf-8")


if __name__ == "__main__":
    run_stage(main, "run", __doc__, mistakes=(InputError, HeadError))
