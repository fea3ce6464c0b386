"""The padding benchmark: encoders times strategies, in one table."""

from __future__ import annotations

import csv
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from features.corpus.corpus import Corpus
from features.encoder.padding import STRATEGIES, PaddingRun
from features.errors import InputError
from pipeline.commands import padding
from pipeline.commands.padding import draw_sample, judge
from pipeline.evaluation.results import PaddingLine, PaddingResult, read_padding
from pipeline.project import layout
from pipeline.project.files import read_result
from tests.features.tiny_models import write_tiny
from tests.pipeline.films import link_encoders


@pytest.fixture(scope="module")
def written(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command leaves behind for two encoders over the films."""
    distilled = write_tiny(tmp_path_factory.mktemp("tiny") / "distilbert", "distilbert")
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("padding")
        (folder / "out").symlink_to(project / "out")
        text = (project / "params.yaml").read_text("utf-8")
        link_encoders(folder, distilbert=distilled)
        more = "encoders: {small: {model: encoders/distilbert}, "
        (folder / "params.yaml").write_text(text.replace("encoders: {", more, 1), "utf-8")
        patch.chdir(folder)
        patch.setattr(layout, "padding_folder", lambda name: folder / name)
        padding.main(
            ["films", "--encoders", "en", "small", "--texts", "30", "--batch-size", "4", "--rounds", "1"]
        )
        return folder / "films"


def test_every_encoder_meets_every_strategy(written: Path) -> None:
    """The JSON holds a line for each, with times, useful shares and equal vectors."""
    result = read_result(written / "padding.json", PaddingResult)
    assert [(line.encoder, line.strategy) for line in result.lines] == [
        (encoder, strategy) for encoder in ("en", "small") for strategy in STRATEGIES
    ]
    assert [encoder.architecture for encoder in result.encoders] == ["bert", "distilbert"]
    for line in result.lines:
        assert line.lowest_cosine > 0.999
        assert 0 < line.useful <= 1
        assert line.samples == pytest.approx(result.texts / line.seconds)
        assert 0 <= line.f1 <= 1
        assert line.loss > 0


def test_strategies_agree_about_the_head(written: Path) -> None:
    """Vectors equal but for rounding give heads of the same accuracy."""
    result = read_result(written / "padding.json", PaddingResult)
    for encoder in ("en", "small"):
        of_one = [line.accuracy for line in result.lines if line.encoder == encoder]
        assert max(of_one) - min(of_one) <= 1 / result.held_out + 1e-9  # one of a few rows


def test_the_report_reads_what_was_measured(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says how many times as fast packed batches are; without a measurement there is none."""
    monkeypatch.setattr(layout, "padding_folder", lambda name: written.parent / name)
    found = read_padding("films")
    assert found is not None
    packed = [found.speedup(line) for line in found.lines if line.strategy == "packed"]
    assert f"{packed[0]:.1f} times as fast with en and {packed[1]:.1f} times as fast with small" in found.line
    assert {found.speedup(line) for line in found.lines if line.strategy == "static"} == {1.0}
    assert read_padding("news") is None


def test_the_table_is_written_for_spreadsheets_and_for_people(written: Path) -> None:
    """CSV and page hold a line for each encoder and strategy."""
    with (written / "padding.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * len(STRATEGIES)
    assert set(rows[0]) == {field.name for field in fields(PaddingLine)}
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


def test_a_sample_is_of_training_rows_alone(project: Path) -> None:
    """However many are asked for, no test or validation row is drawn, each with its own text and label."""
    corpus = Corpus.load(layout.corpus_folder("films") / "corpus.h5")
    train = corpus.rows("train")
    sample = draw_sample(corpus, 10 * len(corpus), seed=1)
    known = {corpus.texts[int(corpus.text[row])]: int(corpus.label[row]) for row in train}
    assert len(sample.texts) == len(train)
    assert [known[text] for text in sample.texts] == sample.label.tolist()
    assert len(draw_sample(corpus, 9, seed=1).texts) == 9


def test_no_held_out_text_is_learned_from(project: Path) -> None:
    """A fifth of the texts is held out with all their rows."""
    corpus = Corpus.load(layout.corpus_folder("films") / "corpus.h5")
    sample = draw_sample(corpus, len(corpus), seed=1)
    held = {text for text, out in zip(sample.texts, sample.held_out, strict=True) if out}
    learned = {text for text, out in zip(sample.texts, sample.held_out, strict=True) if not out}
    assert len(held) == round(0.2 * len(held | learned))
    assert not held & learned


def test_a_sample_too_small_for_a_head_is_refused(project: Path) -> None:
    """The error says that a larger sample is needed."""
    corpus = Corpus.load(layout.corpus_folder("films") / "corpus.h5")
    with pytest.raises(InputError, match="give a larger --texts"):
        draw_sample(corpus, 2, seed=1)


def test_a_head_is_judged_by_what_its_vectors_say(project: Path) -> None:
    """Vectors that spell the label out give a perfect head; vectors without a signal do not."""
    corpus = Corpus.load(layout.corpus_folder("films") / "corpus.h5")
    sample = draw_sample(corpus, len(corpus), seed=1)
    noise = np.random.default_rng(0).normal(size=(len(sample.texts), 2, 5)).astype(np.float32)
    told = noise + 9 * np.eye(5, dtype=np.float32)[sample.label][:, None]
    cost = ("packed", 1.0, 1.0, 1.0, 1.0, 0.0, 1.0)
    perfect, poor = (judge("en", PaddingRun(*cost, vectors), sample) for vectors in (told, noise))
    assert perfect.accuracy == 1
    assert perfect.loss < poor.loss
    assert poor.accuracy < 1
