"""Real DVC in a scratch repository: what runs again after a change, and what does not."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BYTE_CODE = shutil.ignore_patterns("__pycache__", "*.pyc")
PARAMS = """
encoders:
  en: {model: encoders/mini-en, revision: null}
corpora:
  demo:
    source: demo.csv
    columns: {text: review, label: stars}
    labels: {rating: [1, 3]}
    split: {test: 0.3, validation: 0.2, seed: 13}
    language: en
    encode: {encoder: en, max_length: 32, layers: [-1]}
    words: {top: 5}
    tsne: {points: 30, perplexity: 5.0}
runs:
  demo-linear: {corpus: demo, head: linear, task: classify}
  demo-attn: {corpus: demo, head: self_attentive, task: regress, options: {hops: 2}}
training: {epochs: 2}
attention: {sample: 1}
padding: {}
"""
VERDICTS = ("a dull and clumsy film", "a decent film with flaws", "a bright and moving film")

pytestmark = pytest.mark.dvc


@dataclass(frozen=True)
class Project:
    """A repository with the pipeline's code, its own params and a small corpus."""

    folder: Path

    def run(self, *command: str) -> str:
        paths = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": paths, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        result = subprocess.run(
            command, cwd=self.folder, env=environment, text=True, capture_output=True, check=False
        )
        assert result.returncode == 0, f"{' '.join(command)}\n{result.stdout}\n{result.stderr}"
        return result.stdout + result.stderr

    def repro(self) -> set[str]:
        """Bring everything up to date; gives the stages that ran."""
        return set(re.findall(r"Running stage '([^']+)'", self.run("dvc", "repro")))

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.folder / file
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new), "utf-8")

    def extraction(self) -> dict[str, int]:
        """What the last extraction says it did."""
        report: dict[str, int] = json.loads((self.folder / "out/extraction/demo.json").read_text())
        return report


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project after its first `dvc repro`."""
    folder = tmp_path_factory.mktemp("dvc") / "project"
    for package in ("features", "heads", "pipeline", "encoders/mini-en", "encoders/mini-zh", ".dvc"):
        ignore = BYTE_CODE if package != ".dvc" else shutil.ignore_patterns("cache", "tmp", "config.local")
        shutil.copytree(ROOT / package, folder / package, ignore=ignore)
    for file in ("dvc.yaml", ".dvcignore", ".gitignore"):
        shutil.copy(ROOT / file, folder / file)
    (folder / "params.yaml").write_text(PARAMS)
    rows = "".join(f"{VERDICTS[i % 3]} number {i},{1 + i % 3}\n" for i in range(90))
    (folder / "demo.csv").write_text("review,stars\n" + rows)
    project = Project(folder)
    project.run("git", "init", "--quiet")
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    project.run("git", *identity, "commit", "--quiet", "--allow-empty", "--message", "Start")
    stages = project.repro()
    assert {"prepare@demo", "extract@demo", "train@demo-attn", "compare"} <= stages
    assert project.extraction()["new"] == 90
    return project


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """A copy of the finished project for one test to change."""
    shutil.copytree(finished.folder, tmp_path / "project", symlinks=True)
    return Project(tmp_path / "project")


def of_run(name: str) -> set[str]:
    return {f"{stage}@{name}" for stage in ("train", "evaluate", "attention")}


def test_nothing_changed_runs_nothing(project: Project) -> None:
    """A second `dvc repro` runs no stage."""
    assert project.repro() == set()


def test_a_new_run_trains_that_run_alone(project: Project) -> None:
    """One more line under `runs:` trains and evaluates it, renews the report, and encodes nothing."""
    line = "  demo-mean: {corpus: demo, head: linear, task: regress}\n"
    project.edit("params.yaml", "training: {epochs", line + "training: {epochs")
    assert project.repro() == of_run("demo-mean") | {"compare"}


def test_a_changed_option_trains_its_run_alone(project: Project) -> None:
    """Another number of hops concerns the run that names it."""
    project.edit("params.yaml", "hops: 2", "hops: 3")
    assert project.repro() == of_run("demo-attn") | {"compare"}


def test_a_changed_head_file_trains_the_runs_of_that_head(project: Project) -> None:
    """Editing one architecture leaves the runs of the others and the cache as they are."""
    source = project.folder / "heads" / "self_attentive.py"
    source.write_text(source.read_text("utf-8") + "\n# changed\n", "utf-8")
    stages = project.repro()
    assert "train@demo-attn" in stages
    assert stages <= of_run("demo-attn") | {"compare"}


def test_one_more_row_encodes_one_text(project: Project) -> None:
    """A row added to the CSV costs the encoding of its own text."""
    with (project.folder / "demo.csv").open("a") as file:
        file.write("a film nobody has seen before,2\n")
    stages = project.repro()
    assert {"prepare@demo", "extract@demo", "train@demo-linear"} <= stages
    assert (project.extraction()["new"], project.extraction()["reused"]) == (1, 90)


def test_another_encoder_encodes_everything_and_going_back_nothing(project: Project) -> None:
    """A new encoder has vectors of its own; the old ones are still in the store."""
    project.edit("params.yaml", "encoders/mini-en", "encoders/mini-zh")
    stages = project.repro()
    assert "prepare@demo" not in stages
    assert project.extraction()["new"] == 90
    project.edit("params.yaml", "encoders/mini-zh", "encoders/mini-en")
    shutil.rmtree(project.folder / ".dvc" / "cache")  # so that DVC cannot spare us the stage
    project.repro()
    assert project.extraction()["new"] == 0
