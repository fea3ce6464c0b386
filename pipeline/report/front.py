"""What the front page shows of each corpus: a file that its report leaves, so that nothing is read twice."""

from __future__ import annotations

import base64
import hashlib
import zlib

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationError

from features.errors import InputError
from features.store.cost import EncodeCost
from pipeline.evaluation.intervals import Interval, Verdict, headline_interval
from pipeline.evaluation.predictions import Predictions
from pipeline.project import layout
from pipeline.project.files import read_result
from pipeline.report.best import Best
from pipeline.report.provenance import written_at
from pipeline.report.results import CorpusResults, RunResults
from pipeline.report.tables import Line, brief_table, options_of


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, ser_json_inf_nan="constants")


class RunFigure(_Model):
    """A run's headline figure on test, first seed, with its 95 % interval; `seeds` are how many it has."""

    run: str
    interval: Interval
    seeds: int


class HeadFigure(_Model):
    """The first run of a head on the corpus.

    head: architecture, task, options and rows in words; equal words under two encoders differ in these alone.
    predicted: its test labels, `packed`, so that two encoders can be compared row by row.
    """

    head: str
    figure: RunFigure
    predicted: str


class Front(_Model):
    """One corpus on the front page.

    headline: the key of the figure that the corpus's report leads with.
    rows, read, rejected, test: numbers of rows. labels, groups: how many there are.
    columns, lines: the few figures shown, of the best run and the baselines.
    failed: runs without figures, and why. verdicts: what the best run is to each other side.
    tests: digest of the test rows and their labels. actual: those labels, `packed`.
    seconds: what encoding all texts takes at the measured `rate`, tokens a second; None without one.
    """

    corpus: str
    headline: str
    rows: int
    read: int
    rejected: int
    test: int
    labels: int
    ordered: bool
    groups: int
    written: str
    columns: tuple[str, ...]
    lines: tuple[Line, ...]
    runs: int
    failed: tuple[tuple[str, str], ...]
    best: RunFigure | None
    verdicts: tuple[tuple[str, Verdict], ...]
    model: str
    parameters: int
    layers: tuple[int, ...]
    max_length: int
    precision: str
    tokens: str
    bytes: int
    seconds: float | None
    rate: float | None
    machines: tuple[str, ...]
    tests: str
    low: int
    actual: str
    heads: tuple[HeadFigure, ...]

    def predictions(self, head: str) -> Predictions | None:
        """Test labels of a head, rows numbered from 0; None where the corpus has no run of it."""
        found = next((item for item in self.heads if item.head == head), None)
        if found is None:
            return None
        actual, predicted = (unpack(text) + self.low for text in (self.actual, found.predicted))
        value = predicted.astype(np.float64)
        return Predictions(np.arange(len(actual)), actual, predicted, value, None, self.low, self.labels)


def front_of(results: CorpusResults, best: Best | None) -> Front:
    """What the front page shows of a corpus."""
    summary, manifest, labels = results.summary, results.manifest, results.corpus.labels
    columns, lines = brief_table(results, best.run if best else None)
    path = layout.encode_cost_file(results.name)
    cost = read_result(path, EncodeCost) if path.is_file() else EncodeCost()
    rows = results.corpus.rows("test")
    actual = results.corpus.label[rows] - labels.low
    heads = {head_in_words(run): run for run in reversed(results.runs)}
    return Front(
        corpus=results.name,
        headline=results.params.headline,
        rows=summary.rows,
        read=summary.read,
        rejected=sum(summary.rejected.values()),
        test=summary.splits["test"],
        labels=labels.size,
        ordered=labels.ordered,
        groups=summary.groups,
        written=written_at(
            [
                layout.extraction_file(results.name),
                *(run.folder.evaluation / "evaluation.json" for run in results.runs),
            ]
        ),
        columns=tuple(column.title for column in columns),
        lines=lines,
        runs=len(results.runs),
        failed=tuple((run.name, run.reason) for run in results.failed),
        best=_figure(best.run, results) if best else None,
        verdicts=tuple((contest.other, contest.verdict) for contest in best.contests) if best else (),
        model=manifest.model,
        parameters=results.encoder_parameters,
        layers=manifest.layers,
        max_length=manifest.max_length,
        precision=manifest.precision,
        tokens=manifest.tokens,
        bytes=results.extraction.bytes,
        seconds=cost.seconds_for(results.extraction.tokens),
        rate=cost.rate,
        machines=tuple(cost.machines),
        tests=hashlib.blake2b(rows.astype("<i8").tobytes() + actual.astype("<i8").tobytes()).hexdigest(),
        low=labels.low,
        actual=pack(actual),
        heads=tuple(
            HeadFigure(
                head=head,
                figure=_figure(heads[head], results),
                predicted=pack(heads[head].predictions.predicted - labels.low),
            )
            for head in dict.fromkeys(head_in_words(run) for run in results.runs)
        ),
    )


def head_in_words(run: RunResults) -> str:
    """A head in words; runs of two encoders with the same words differ in the encoder alone."""
    options, about = options_of(run), f"{run.params.head}, {run.params.task}"
    pooling = "" if run.params.pooling == "mean" else f", {run.params.pooling}"
    rows = "" if run.params.rows is None else f", {run.params.rows:,} rows"
    return f"{about}{pooling}{f' ({options})' if options else ''}{rows}"


def pack(values: npt.NDArray[np.int64]) -> str:
    """Label numbers (n,), from 0, as text of some bits each.

    >>> unpack(pack(np.array([2, 0, 1]))).tolist()
    [2, 0, 1]
    """
    return base64.b64encode(zlib.compress(values.astype("<u2").tobytes())).decode()


def unpack(text: str) -> npt.NDArray[np.int64]:
    """What `pack` packed."""
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), "<u2").astype(np.int64)


def _figure(run: RunResults, results: CorpusResults) -> RunFigure:
    interval = headline_interval(run.predictions, results.headline)
    return RunFigure(run=run.name, interval=interval, seeds=len(run.by_seed))


def read_front(name: str) -> Front:
    """What the report of a corpus left.

    Raises:
        InputError: it is missing, or another version of the report wrote it.
    """
    path = layout.front_file(name)
    try:
        return Front.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"the front page needs {path}, which is missing; run `dvc repro`") from None
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(map(str, fault["loc"]))
        raise InputError(f"{path} cannot be read ({place}: {fault['msg']}); run `dvc repro`") from None
