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
from pipeline.project.origin import origin
from pipeline.project.params import Params, load_params
from pipeline.training.data import HeadData, open_data
from pipeline.training.fits import DivergedError, Epoch, Fit
from pipeline.training.start import untrained
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
        reason = (
            f"run {name!r} with seed {seed} has no head: {error}; lower its learning_rate, which is "
            f"{params.training_of(name).learning_rate:g}, or change its options in params.yaml, and run "
            "`dvc repro`"
        )
        log.error("%s", reason)
        # In place of every head: the stage has finished, so that all other runs go on.
        for each in run.seeds:
            save_failure(folder.head(each), reason)
    write_result(folder.training, fits)
    first = fits.get(run.seeds[0])
    write_curves(folder.curves, first.epochs if first else ())


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
    run, labels = params.run(name), corpus.labels
    config = HeadConfig(
        head=run.head,
        shape=start.head.shape,
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
        origin=asdict(origin(params, name, data.store.manifest, labels.names, corpus.paired, corpus.digest)),
    )
    save_head(params.folder(name).head(seed), start.head, config)
    how = f"{len(fit.epochs)} epochs in {fit.seconds:.1f} s, best {fit.best + 1}"
    log.info("%s: %s with validation accuracy %.4f", name, how, fit.validation_accuracy)
    return fit


def write_curves(folder: Path, epochs: Sequence[Epoch]) -> None:
    """Losses and validation accuracy as tab-separated files, a line an epoch: what `dvc plots` draws."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("train_loss", "validation_loss", "validation_accuracy"):
        lines = [f"{epoch.number}\t{getattr(epoch, name)}" for epoch in epochs]
        (folder / f"{name}.tsv").write_text("\n".join([f"epoch\t{name}", *lines, ""]), "utf-8")


if __name__ == "__main__":
    run_stage(main, "run", __doc__, mistakes=(InputError, HeadError))
