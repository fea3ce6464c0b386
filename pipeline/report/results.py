"""Everything the report shows, read from where the stages left it; names come from `params.yaml` alone."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from features.corpus.corpus import Corpus
from features.errors import InputError
from features.store.extraction import ExtractionSummary
from features.store.identity import Manifest
from features.store.index import Index
from pipeline.baselines import Baseline
from pipeline.evaluation.attention import Heatmaps, read_heatmaps
from pipeline.evaluation.headlines import HEADLINES, Headline
from pipeline.evaluation.predictions import Predictions
from pipeline.evaluation.results import Evaluation, read_evaluation, read_metrics
from pipeline.explore import WordList, WordLists, read_map
from pipeline.prepare import Summary
from pipeline.project import layout
from pipeline.project.files import read_json
from pipeline.project.params import CorpusParams, Params, RunParams, TrainingParams
from pipeline.training.fits import Fit, read_fits


@dataclass(frozen=True)
class RunResults:
    """One run: what was asked, how training went by seed, its figures, and its predictions.

    by_seed: test predictions of each seed; pictures show the first.
    """

    folder: layout.RunFolder
    params: RunParams
    training: TrainingParams
    fits: dict[int, Fit]
    evaluation: Evaluation
    by_seed: tuple[Predictions, ...]
    heatmaps: Heatmaps

    @property
    def name(self) -> str:
        """Its name in `params.yaml`."""
        return self.folder.run

    @property
    def predictions(self) -> Predictions:
        """Predictions of the first seed."""
        return self.by_seed[0]

    @property
    def seconds(self) -> float:
        """Training time, mean over seeds."""
        return float(np.mean([fit.seconds for fit in self.fits.values()]))


@dataclass(frozen=True)
class FailedRun:
    """A run without a head, and so without figures, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class BaselineResults:
    """One baseline with its test predictions."""

    baseline: Baseline
    predictions: Predictions


@dataclass(frozen=True)
class Reject:
    """One row of a source file that was not used."""

    file: str
    row: str
    line: str
    reason: str
    content: str


@dataclass(frozen=True)
class CorpusResults:
    """All that is known of one corpus.

    map_rows, map_points: (n,) int64 corpus rows and (n, 2) float32 coordinates of the t-SNE map.
    map_picture: the same as a PNG.
    runs: those that have a head. failed: those whose training failed.
    """

    name: str
    params: CorpusParams
    corpus: Corpus
    summary: Summary
    rejects: tuple[Reject, ...]
    extraction: ExtractionSummary
    manifest: Manifest
    encoder_parameters: int
    baselines: tuple[BaselineResults, ...]
    words: tuple[WordLists, ...]
    map_rows: npt.NDArray[np.int64]
    map_points: npt.NDArray[np.float32]
    map_picture: Path
    runs: tuple[RunResults, ...]
    failed: tuple[FailedRun, ...] = ()

    @property
    def ordered(self) -> bool:
        """Whether labels are ratings."""
        return self.corpus.labels.ordered

    @property
    def headline(self) -> Headline:
        """The figure that the report leads with."""
        return HEADLINES[self.params.headline]


def gather(name: str, params: Params) -> CorpusResults:
    """Read one corpus and its runs.

    Raises:
        InputError: a file is damaged or missing.
    """
    try:
        return _gather(name, params)
    except FileNotFoundError as error:
        missing = error.filename or error
        raise InputError(
            f"the report on {name!r} needs {missing}, which is missing; run `dvc repro`"
        ) from None


def _gather(name: str, params: Params) -> CorpusResults:
    folder = layout.corpus_folder(name)
    rows, points = read_map(layout.explore_folder(name))
    runs = [_read_run(run, params) for run, of in params.runs.items() if of.corpus == name]
    return CorpusResults(
        name=name,
        params=params.corpus(name),
        corpus=Corpus.load(folder / "corpus.h5"),
        summary=Summary(**read_json(folder / "summary.json")),
        rejects=read_rejects(folder / "rejects.csv"),
        extraction=ExtractionSummary(**read_json(layout.extraction_file(name))),
        manifest=Index.load(layout.cache_folder(name)).manifest,
        encoder_parameters=int(read_json(layout.encoder_file(name))["parameters"]),
        baselines=_read_baselines(layout.baselines_folder(name)),
        words=_read_words(layout.explore_folder(name) / "words.json"),
        map_rows=rows,
        map_points=points,
        map_picture=layout.explore_folder(name) / "tsne.png",
        runs=tuple(run for run in runs if isinstance(run, RunResults)),
        failed=tuple(run for run in runs if isinstance(run, FailedRun)),
    )


def read_rejects(path: Path) -> tuple[Reject, ...]:
    """The rejected rows of a corpus, in the order of the file."""
    csv.field_size_limit(1 << 30)
    with path.open(encoding="utf-8-sig", newline="") as file:
        return tuple(Reject(**row) for row in csv.DictReader(file))


def _read_run(name: str, params: Params) -> RunResults | FailedRun:
    run = params.run(name)
    folder = params.folder(name)
    evaluation = read_evaluation(folder.evaluation / "evaluation.json")
    if evaluation.failure:
        return FailedRun(name, evaluation.failure)
    return RunResults(
        folder=folder,
        params=run,
        training=params.training_of(name),
        fits=read_fits(folder.training),
        evaluation=evaluation,
        by_seed=tuple(Predictions.load(folder.evaluation / f"predictions-{seed}.h5") for seed in run.seeds),
        heatmaps=read_heatmaps(folder.evaluation / "attention.json"),
    )


def _read_baselines(folder: Path) -> tuple[BaselineResults, ...]:
    return tuple(
        BaselineResults(
            Baseline(**{**item, "metrics": read_metrics(item["metrics"])}),
            Predictions.load(folder / f"{item['name']}.h5"),
        )
        for item in read_json(folder / "baselines.json")
    )


def _read_words(path: Path) -> tuple[WordLists, ...]:
    return tuple(
        WordLists(
            part=item["part"],
            texts=item["texts"],
            **{kind: _word_list(item[kind]) for kind in ("counts", "tfidf", "distinctive")},
        )
        for item in read_json(path)
    )


def _word_list(data: dict[str, list[str] | list[float]]) -> WordList:
    return WordList(tuple(map(str, data["words"])), tuple(map(float, data["weights"])))
