"""The padding benchmark: encoders times strategies, in one table."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from features.corpus.corpus import Corpus
from features.encoder.padding import STRATEGIES, PaddingCost, Strategy
from features.errors import InputError
from pipeline.commands import padding
from pipeline.commands.padding import SampleData, draw_sample
from pipeline.commands.padding_results import (
    MEASURES,
    EncoderFacts,
    HeadFigures,
    PaddingLine,
    PaddingReport,
    speedups,
)
from pipeline.project import layout
from pipeline.project.params import TrainingParams
from tests.features.tiny_models import write_tiny


def padding_cost(strategy: Strategy, samples: float) -> PaddingCost:
    """A cost of which only the rate matters."""
    return PaddingCost(strategy, 1.0, samples, 1.0, 1.0, 0.0, 1.0)


@pytest.fixture(scope="module")
def written(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command leaves behind for two encoders over the films."""
    distilled = write_tiny(tmp_path_factory.mktemp("tiny") / "distilbert", "distilbert")
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("padding")
        (folder / "out").symlink_to(project / "out")
        text = (project / "params.yaml").read_text("utf-8")
        more = f"encoders: {{small: {{model: {distilled}}}, "
        (folder / "params.yaml").write_text(text.replace("encoders: {", more, 1), "utf-8")
        patch.chdir(folder)
        patch.setattr(layout, "padding_folder", lambda name: folder / name)
        padding.main(
            ["films", "--encoders", "en", "small", "--texts", "30", "--batch-size", "4", "--rounds", "1"]
        )
        return folder / "films"


def test_every_encoder_meets_every_strategy(written: Path) -> None:
    """The JSON holds a line for each, with times, useful shares and equal vectors."""
    report = json.loads((written / "padding.json").read_text("utf-8"))
    assert [(line["encoder"], line["cost"]["strategy"]) for line in report["lines"]] == [
        (encoder, strategy) for encoder in ("en", "small") for strategy in STRATEGIES
    ]
    assert [encoder["architecture"] for encoder in report["encoders"]] == ["bert", "distilbert"]
    assert report["train"] + report["validation"] + report["held_out"] == report["texts"]
    for line in report["lines"]:
        cost, head = line["cost"], line["head"]
        assert cost["lowest_cosine"] > 0.999
        assert 0 < cost["useful"] <= 1
        assert cost["samples"] == pytest.approx(report["texts"] / cost["seconds"])
        assert 0 <= head["f1"] <= 1
        assert head["loss"] > 0


def test_strategies_agree_about_the_head(written: Path) -> None:
    """Vectors equal but for rounding give heads of the same accuracy."""
    lines = json.loads((written / "padding.json").read_text("utf-8"))["lines"]
    for encoder in ("en", "small"):
        of_one = [line["head"]["accuracy"] for line in lines if line["encoder"] == encoder]
        assert max(of_one) - min(of_one) <= 0.1 + 1e-9  # one of a few rows


def test_the_table_is_written_for_spreadsheets_and_for_people(written: Path) -> None:
    """CSV and page hold a line for each encoder and strategy."""
    with (written / "padding.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * len(STRATEGIES)
    assert set(rows[0]) == {"encoder", "padding", *(measure.key for measure in MEASURES)}
    page = (written / "padding.html").read_text("utf-8")
    assert page.count('<tr><th scope="row">small') == len(STRATEGIES) + 1
    assert "steps/s" in page
    assert "Content-Security-Policy" in page


def test_an_unknown_encoder_ends_in_one_line(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The error lists the encoders there are."""
    with pytest.raises(SystemExit) as stop:
        padding.main(["films", "--encoders", "none"])
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "en, zh" in said


def test_a_sample_keeps_the_shares_of_the_splits(project: Path) -> None:
    """Half of what may be learned from holds half of each split, each row with its own text and label."""
    corpus = Corpus.load(layout.corpus_folder("films") / "corpus.h5")
    usable = {split: len(corpus.rows(split)) for split in ("train", "validation")}
    sample = draw_sample(corpus, sum(usable.values()) // 2, seed=1)
    known = {
        corpus.texts[int(text)]: int(label) for text, label in zip(corpus.text, corpus.label, strict=True)
    }
    assert [known[text] for text in sample.texts] == sample.label.tolist()
    found = {part: len(rows) for part, rows in sample.rows.items()}
    assert found["train"] + found["held_out"] == pytest.approx(usable["train"] / 2, abs=1)
    assert found["validation"] == pytest.approx(usable["validation"] / 2, abs=1)
    everything = np.concatenate(list(sample.rows.values()))
    assert sorted(everything.tolist()) == list(range(len(sample.texts)))


def test_no_test_row_is_in_a_sample(project: Path) -> None:
    """However many are asked for, none is of the test split, and none that is held out is learned from."""
    corpus = Corpus.load(layout.corpus_folder("films") / "corpus.h5")
    sample = draw_sample(corpus, 10 * len(corpus), seed=1)
    kept = {corpus.texts[int(text)] for text in corpus.text[corpus.rows("test")]}
    assert not kept & set(sample.texts)
    held, learned = ({sample.texts[row] for row in sample.rows[part]} for part in ("held_out", "train"))
    assert held
    assert not held & learned


def test_a_sample_too_small_for_a_split_is_refused(project: Path) -> None:
    """The error names the part that would be empty."""
    corpus = Corpus.load(layout.corpus_folder("films") / "corpus.h5")
    with pytest.raises(InputError, match="holds no held-out row"):
        draw_sample(corpus, 2, seed=1)


def test_a_head_learns_from_vectors_in_memory(project: Path) -> None:
    """Vectors that spell the label out give a perfect head; vectors without a signal do not."""
    corpus = Corpus.load(layout.corpus_folder("films") / "corpus.h5")
    sample = draw_sample(corpus, len(corpus), seed=1)
    draw = np.random.default_rng(0)
    noise = draw.normal(size=(len(sample.texts), 5)).astype(np.float32)
    told = noise + 9 * np.eye(5, dtype=np.float32)[sample.label]
    figures = [
        padding.train_head(sample, SampleData(sample, vectors), TrainingParams(), 13)
        for vectors in (told, noise)
    ]
    assert figures[0].accuracy == 1
    assert figures[0].loss < figures[1].loss
    assert figures[1].accuracy < 1


def test_speed_is_given_as_a_multiple_of_static_padding() -> None:
    """Each encoder has its own static run to be compared with."""
    head = HeadFigures(0.5, 0.5, 0.5, 0.5, 1.0, 0.1)
    lines = tuple(
        PaddingLine(name, padding_cost(strategy, rate), head)
        for name, static, packed in (("a", 10.0, 40.0), ("b", 1.0, 2.0))
        for strategy, rate in zip(STRATEGIES[::3], (static, packed), strict=True)
    )
    facts = tuple(EncoderFacts(name, name, "bert", 1, 1, 1, "cpu", "float32", 1, 1.0) for name in "ab")
    report = PaddingReport("films", 3, 1, 1, 1, 8, 4, 1, 13, facts, lines)
    assert speedups(report) == {"a": {"static": 1.0, "packed": 4.0}, "b": {"static": 1.0, "packed": 2.0}}
