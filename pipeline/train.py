"""Stage: a head learns from the cached embeddings of the training split, once for each seed."""

from __future__ import annotations

from dataclasses import asdict

from tqdm import tqdm

from features.corpus.corpus import Corpus
from features.corpus.labels import Labels
from features.errors import InputError
from heads.parts.base import HeadShape, head_class
from heads.parts.options import HeadError
from heads.parts.saving import HeadConfig, save_failure, save_head
from heads.tasks import Task
from pipeline.project import layout
from pipeline.project.files import write_json
from pipeline.project.params import Params, RunParams, load_params
from pipeline.project.stage import log, run_stage
from pipeline.training.data import HeadData, open_data
from pipeline.training.fits import DivergedError, Epoch, Fit
from pipeline.training.start import untrained
from pipeline.training.training import fit_head


def main(name: str) -> None:
    """Train one run of `params.yaml` into `layout.head_folder(name)`."""
    params = load_params()
    run = params.run(name)
    corpus = Corpus.load(layout.corpus_folder(run.corpus) / "corpus.h5")
    data = open_data(corpus, run, head_class(run.head).needs)
    fits: dict[int, Fit] = {}
    try:
        for seed in run.seeds:
            fits[seed] = _train_seed(name, params, corpus, data, seed)
    except DivergedError as error:
        rate = params.training_of(name).learning_rate
        _fail(
            name,
            run,
            f"run {name!r} with seed {seed} has no head: {error}; lower its learning_rate, which is "
            f"{rate:g}, or change its options in params.yaml, and run `dvc repro`",
        )
    write_json(layout.training_file(name), fits)


def _fail(name: str, run: RunParams, reason: str) -> None:
    """Leave the reason in place of every head: the stage has finished, so that all other runs go on."""
    log.error("%s", reason)
    for seed in run.seeds:
        save_failure(layout.head_folder(name, seed), reason)
    (layout.curves_folder(name) / "plots" / "metrics").mkdir(parents=True, exist_ok=True)


def _train_seed(name: str, params: Params, corpus: Corpus, data: HeadData, seed: int) -> Fit:
    run, settings = params.run(name), params.training_of(name)
    start = untrained(params, name, corpus, data, seed)
    with (
        tqdm(total=settings.epochs, desc=f"{name}, seed {seed}", unit="epoch") as bar,
        _Curves(name) as curves,
    ):

        def on_epoch(epoch: Epoch) -> None:
            bar.update()
            bar.set_postfix(
                validation=f"{epoch.validation_loss:.4f}", accuracy=f"{epoch.validation_accuracy:.3f}"
            )
            if seed == run.seeds[0]:
                curves.add(epoch)

        fit = fit_head(start.head, start.task, data, start.train, start.validation, settings, seed, on_epoch)
    config = _config(run, start.shape, start.task, corpus.labels, data, seed)
    save_head(layout.head_folder(name, seed), start.head, config)
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
    run: RunParams, shape: HeadShape, task: Task, labels: Labels, data: HeadData, seed: int
) -> HeadConfig:
    return HeadConfig(
        head=run.head,
        shape=shape,
        task=run.task,
        low=labels.low,
        size=labels.size,
        ordered=labels.ordered,
        layers=data.selection.layers,
        vector=data.selection.vectors[-1] if "pooled" in data.selection.needs else None,
        seed=seed,
        options=dict(run.options),
        task_options=dict(run.task_options),
        task_state=task.state(),
    )


class _Curves:
    """The loss curves, written by dvclive for `dvc plots` and the report."""

    def __init__(self, run: str) -> None:
        from dvclive.live import Live

        # dvclive's defaults would rewrite dvc.yaml in the middle of the stage and save an experiment.
        self._live = Live(
            dir=str(layout.curves_folder(run)),
            save_dvc_exp=False,
            dvcyaml=None,
            report=None,
            monitor_system=False,
        )

    def __enter__(self) -> _Curves:
        return self

    def __exit__(self, *error: object) -> None:
        self._live.end()

    def add(self, epoch: Epoch) -> None:
        """Add one point to each curve."""
        for name, value in asdict(epoch).items():
            if name != "number":
                self._live.log_metric(name, value)
        self._live.next_step()


if __name__ == "__main__":
    run_stage(main, "run", __doc__, mistakes=(InputError, HeadError))
