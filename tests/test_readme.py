"""The README's promises that a test can keep."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import heads
from features.corpus.corpus import Corpus
from heads.parts.base import HeadShape, build_head
from heads.tasks import build_task
from pipeline.evaluation.scoring import predict
from pipeline.project.params import TrainingParams
from pipeline.training.data import HeadData
from pipeline.training.training import fit_head
from tests.pipeline.demo import make_data

ROOT = Path(__file__).resolve().parents[1]


def python_blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)


@pytest.fixture
def demo(tmp_path: Path) -> tuple[Corpus, HeadData]:
    return make_data(tmp_path, frozenset({"tokens"}))


def test_the_head_of_the_readme_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, demo: tuple[Corpus, HeadData]
) -> None:
    """The worked example, put into the heads' folder as it stands, is found, trained and evaluated."""
    folder = tmp_path / "more_heads"
    folder.mkdir()
    (folder / "gated_mean.py").write_text(python_blocks()[0], "utf-8")
    monkeypatch.setattr(heads, "__path__", [*heads.__path__, str(folder)])
    corpus, data = demo
    task = build_task("regress", 1, 3, True, {})
    task.fit_loss(data.labels(corpus.rows("train")))
    head = build_head("gated_mean", HeadShape(data.dim, 1, task.out_dim), {"dropout": 0.2})
    rows = {split: corpus.rows(split) for split in ("train", "validation", "test")}
    fit = fit_head(head, task, data, rows["train"], rows["validation"], TrainingParams(epochs=30), seed=1)
    assert fit.epochs[fit.best].validation_loss < fit.epochs[0].validation_loss
    predictions = predict(head, task, data, rows["test"])
    assert np.array_equal(predictions.rows, rows["test"])


def test_every_file_the_readme_links_to_exists() -> None:
    """No link into the repository is dead."""
    links = re.findall(r"\]\((?!http)([^)#]+)\)", (ROOT / "README.md").read_text("utf-8"))
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_two_commands_are_targets_of_the_makefile() -> None:
    """What the README tells people to type is what the Makefile offers."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for command in ("repro", "test"):
        assert re.search(rf"^{command}: setup", makefile, re.MULTILINE)
