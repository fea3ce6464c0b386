"""Tables of the report: every figure of every run over its seeds, the best run, decodings."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.evaluation.metrics import Metrics, RatingMetrics
from pipeline.report.rendering import number, percent, thousands
from pipeline.report.results import BaselineResults, CorpusResults, RunResults


@dataclass(frozen=True)
class Over:
    """Mean and sample standard deviation of a figure over n seeds; NaN deviation for one seed."""

    mean: float
    deviation: float
    n: int

    @property
    def several(self) -> bool:
        """Whether there is a spread to show."""
        return self.n > 1 and not math.isnan(self.deviation)


def over_seeds(figures: Sequence[float]) -> Over:
    """Sum up the figures of one or more seeds.

    >>> over_seeds([0.7, 0.8, 0.9])
    Over(mean=0.8, deviation=0.1, n=3)
    """
    n = len(figures)
    mean = sum(figures) / n
    spread = math.sqrt(sum((figure - mean) ** 2 for figure in figures) / (n - 1)) if n > 1 else math.nan
    return Over(round(mean, 12), round(spread, 12), n)


@dataclass(frozen=True)
class Column:
    """A figure: short title, what it is, how it is written, and which way is better."""

    title: str
    about: str
    read: Callable[[Metrics], float]
    write: Callable[[float], str]
    higher: bool = True


@dataclass(frozen=True)
class Cell:
    """One figure as written and as sorted; `best` marks the best run's (not a baseline's).

    spread: standard deviation over seeds, as written; empty for a single one.
    """

    text: str
    value: float
    best: bool
    spread: str = ""


@dataclass(frozen=True)
class Line:
    """One run or baseline; with several seeds, figures are means over them."""

    name: str
    kind: str
    about: str
    decoding: str
    seeds: int
    cells: tuple[Cell, ...]
    parameters: Cell
    seconds: float


def _rating(read: Callable[[RatingMetrics], float]) -> Callable[[Metrics], float]:
    return lambda metrics: read(metrics.rating) if metrics.rating else math.nan


_COMMON = (
    Column("accuracy", "share of test rows whose label is predicted exactly", lambda m: m.accuracy, percent),
    Column(
        "macro F1", "mean over labels of the F1 score; each label counts once", lambda m: m.f1_macro, number
    ),
    Column("macro P", "mean over labels of the precision", lambda m: m.precision_macro, number),
    Column("macro R", "mean over labels of the recall", lambda m: m.recall_macro, number),
    Column("weighted F1", "mean F1, labels weighted by their rows", lambda m: m.f1_weighted, number),
    Column(
        "weighted P", "mean precision, labels weighted by their rows", lambda m: m.precision_weighted, number
    ),
    Column("weighted R", "mean recall, labels weighted by their rows", lambda m: m.recall_weighted, number),
    Column("MCC", "Matthews correlation: 0 is chance, 1 is perfect", lambda m: m.mcc, number),
)
_RATINGS = (
    Column(
        "±1",
        "share whose predicted rating, a whole number, misses by at most one",
        _rating(lambda m: m.adjacent_accuracy),
        percent,
    ),
    Column(
        "±1 raw",
        "share whose value before rounding misses by at most 1.0; rounding widens that to 1.5",
        _rating(lambda m: m.adjacent_raw),
        percent,
    ),
    Column("MAE", "mean absolute error of the value, in ratings", _rating(lambda m: m.mae), number, False),
    Column("RMSE", "root mean square error of the value", _rating(lambda m: m.rmse), number, False),
    Column("QWK", "Cohen's kappa with quadratic weights", _rating(lambda m: m.qwk), number),
    Column("Spearman", "rank correlation of value and rating", _rating(lambda m: m.spearman), number),
)


def metric_columns(results: CorpusResults) -> tuple[Column, ...]:
    """The figures shown: the corpus's headline, accuracy, those that need an order, and the rest."""
    columns = (_COMMON[0], *_RATINGS, *_COMMON[1:]) if results.ordered else _COMMON
    return tuple(sorted(columns, key=lambda column: column.title != results.headline.title))


def runs_table(results: CorpusResults) -> tuple[Line, ...]:
    """All runs, then all baselines."""
    columns = metric_columns(results)
    means = [mean_metrics([seed.metrics for seed in run.evaluation.seeds]) for run in results.runs]
    best = tuple(_best(column, means) for column in columns)
    runs = [_run_line(run, columns, best) for run in results.runs]
    return (*runs, *(_baseline_line(item, columns) for item in results.baselines))


def brief_table(
    results: CorpusResults, best: RunResults | None
) -> tuple[tuple[Column, ...], tuple[Line, ...]]:
    """The few figures of the front page, of the best run and all baselines."""
    titles = {results.headline.title, "accuracy", "±1", "MAE", "macro F1"}
    columns = tuple(column for column in metric_columns(results) if column.title in titles)
    runs = []
    if best:
        lead = columns[0].read(mean_metrics([seed.metrics for seed in best.evaluation.seeds]))
        runs = [_run_line(best, columns, (lead, *(math.nan for _ in columns[1:])))]
    return columns, (*runs, *(_baseline_line(item, columns) for item in results.baselines))


def mean_metrics(seeds: list[Metrics]) -> Metrics:
    """The mean of each figure over seeds."""
    first = seeds[0]
    if len(seeds) == 1:
        return first
    rating = None
    if first.rating is not None:
        parts = [dataclasses.asdict(item.rating) for item in seeds if item.rating is not None]
        rating = RatingMetrics(**{name: _mean([part[name] for part in parts]) for name in parts[0]})
    names = [field.name for field in dataclasses.fields(Metrics) if field.name not in ("n", "rating")]
    means = {name: _mean([getattr(item, name) for item in seeds]) for name in names}
    return Metrics(n=first.n, rating=rating, **means)


def options_of(run: RunResults) -> str:
    """The head's and the task's options as one writes them."""
    given = {**run.params.options, **run.params.task_options}
    return ", ".join(f"{name} {value}" for name, value in given.items())


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _best(column: Column, metrics: list[Metrics]) -> float:
    values = [value for item in metrics if not math.isnan(value := column.read(item))]
    return (max if column.higher else min)(values, default=math.nan)


def _run_line(run: RunResults, columns: tuple[Column, ...], best: tuple[float, ...]) -> Line:
    evaluation = run.evaluation
    cells = [
        run_cell(column, [seed.metrics for seed in evaluation.seeds], top)
        for column, top in zip(columns, best, strict=True)
    ]
    options = options_of(run)
    return Line(
        name=run.name,
        kind=run.kind,
        about=f"{run.params.head}{f' ({options})' if options else ''}",
        decoding=evaluation.decoding,
        seeds=len(evaluation.seeds),
        cells=tuple(cells),
        parameters=Cell(thousands(evaluation.head_parameters), evaluation.head_parameters, best=False),
        seconds=run.seconds,
    )


def run_cell(column: Column, seeds: list[Metrics], best: float = math.nan) -> Cell:
    """A figure of a run: the mean over its seeds, with their spread."""
    figure = over_seeds([column.read(metrics) for metrics in seeds])
    mean = column.read(mean_metrics(seeds))
    spread = f"± {column.write(figure.deviation)}" if figure.several else ""
    return Cell(column.write(mean), mean, mean == best, spread)


def _baseline_line(item: BaselineResults, columns: tuple[Column, ...]) -> Line:
    baseline = item.baseline
    values = [column.read(baseline.metrics) for column in columns]
    cells = [Cell(c.write(value), value, best=False) for c, value in zip(columns, values, strict=True)]
    return Line(
        baseline.name, "baseline", baseline.description, "", 1, tuple(cells), Cell("–", -1, False),
        baseline.seconds,
    )  # fmt: skip


@dataclass(frozen=True)
class Decoding:
    """A run decoded one way; `shown` marks the one that all other figures and pictures are of."""

    run: str
    kind: str
    how: str
    shown: bool
    metrics: Metrics


def decodings(results: CorpusResults) -> tuple[Decoding, ...]:
    """All decodings of all runs on ratings, the shown one of each run first."""
    if not results.ordered:
        return ()
    found = []
    for run in results.runs:
        evaluation, kind = run.evaluation, run.kind
        shown = mean_metrics([seed.metrics for seed in evaluation.seeds])
        found.append(Decoding(run.name, kind, evaluation.decoding, True, shown))
        for how in evaluation.seeds[0].decodings:
            mean = mean_metrics([seed.decodings[how] for seed in evaluation.seeds])
            found.append(Decoding(run.name, kind, how, False, mean))
    return tuple(found)
