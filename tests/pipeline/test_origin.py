"""Results that do not belong together: what DVC would keep apart is refused where stages are run by hand."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from features.errors import InputError
from pipeline import evaluate, extract, prepare, train
from pipeline.commands.predictor import Predictor


@pytest.fixture
def project(films_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the small project to change, as the working directory."""
    shutil.copytree(films_project, tmp_path / "project", symlinks=True)
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def edit(project: Path, old: str, new: str) -> None:
    path = project / "params.yaml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def test_labels_keep_their_names(project: Path) -> None:
    """Classes that were swapped in params.yaml do not give their names to a head that learned the others."""
    before = Predictor.load("news-attn").predict(["goals in the cup final"])[0]
    assert before.label in ("sport", "money")
    edit(project, "classes: [sport, money]", "classes: [money, sport]")
    with pytest.raises(InputError, match=r"labels was \['sport', 'money'\] and is .*run `dvc repro`"):
        Predictor.load("news-attn")
    prepare.main("news")
    extract.main("news")
    with pytest.raises(InputError, match=r"head of run 'news-attn'.*corpus was .*labels was"):
        evaluate.main("news-attn")


def test_rows_in_another_order_are_not_trained_on(project: Path) -> None:
    """A table that was reversed and prepared again does not take the vectors of the rows it had before."""
    header, *rows = (project / "films.csv").read_text("utf-8").splitlines()
    (project / "films.csv").write_text("\n".join([header, *rows[::-1]]) + "\n", "utf-8")
    prepare.main("films")
    other = r"out/cache/films/encoder\.json was made from another version of its corpus"
    for stage in (train, evaluate):
        with pytest.raises(InputError, match=other):
            stage.main("films-attn")
    extract.main("films")
    with pytest.raises(InputError, match=r"head of run 'films-attn' was made from something else.*corpus"):
        evaluate.main("films-attn")
    train.main("films-attn")
    evaluate.main("films-attn")


def test_another_encoder_needs_another_head(project: Path) -> None:
    """A corpus that was encoded again, and not trained again, gives neither figures nor predictions."""
    edit(
        project,
        "encode: {encoder: en, max_length: 24, layers",
        "encode: {encoder: zh, max_length: 24, layers",
    )
    extract.main("films")
    with pytest.raises(InputError, match=r"head of run 'films-attn'.*vectors was .*weights was"):
        evaluate.main("films-attn")
    with pytest.raises(InputError, match=r"head of run 'films-attn'.*weights was"):
        Predictor.load("films-attn")


def test_a_head_is_of_the_run_that_is_described(project: Path) -> None:
    """What params.yaml says of a run by now is compared with what its head was trained as."""
    edit(project, "pooling: cls, layers: [2]", "pooling: mean, layers: [2]")
    for use in (evaluate.main, Predictor.load):
        with pytest.raises(InputError, match=r"run\.pooling was 'cls' and is 'mean'; run `dvc repro`"):
            use("films-linear")
