from __future__ import annotations

from pathlib import Path

import pytest

from features.errors import InputError
from pipeline.project.params import Params, load_params

ROOT = Path(__file__).resolve().parents[2]
GOOD = """
encoders:
  en: {model: encoders/mini-en}
corpora:
  demo:
    source: data.csv
    columns: {text: review, label: sentiment}
    labels: {classes: [negative, positive]}
    split: {test: 0.2}
    language: en
    encode: {encoder: en, max_length: 64, layers: [2, -1]}
    words: {top: 5}
    tsne: {points: 10}
runs:
  demo-linear: {corpus: demo, head: linear, task: classify, training: {epochs: 3}}
training: {learning_rate: 1e-3}
attention: {sample: 1}
"""


def load(tmp_path: Path, text: str) -> Params:
    (tmp_path / "params.yaml").write_text(text)
    return load_params(tmp_path / "params.yaml")


def test_the_committed_file_is_valid() -> None:
    """The project's own params.yaml passes its own models."""
    assert load_params(ROOT / "params.yaml").runs


def test_numbers_are_read_as_dvc_reads_them(tmp_path: Path) -> None:
    """`1e-3` is a number here, as it is to DVC; a YAML 1.1 reader would make it text."""
    assert load(tmp_path, GOOD).training.learning_rate == 0.001


def test_a_run_overrides_the_common_training(tmp_path: Path) -> None:
    """What a run sets wins, the rest is common to all runs."""
    settings = load(tmp_path, GOOD).training_of("demo-linear")
    assert (settings.epochs, settings.learning_rate) == (3, 0.001)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("encoder: en,", "encoder: fr,", r"corpora\.demo\.encode\.encoder is 'fr'.*encoders: en"),
        ("corpus: demo,", "corpus: none,", r"runs\.demo-linear\.corpus is 'none'.*corpora: demo"),
        ("words: {top: 5}", "words: {topp: 5}", r"corpora\.demo\.words\.topp: Extra inputs"),
        ("    tsne: {points: 10}\n", "", r"corpora\.demo\.tsne: Field required"),
        ("test: 0.2", "test: 1.5", r"corpora\.demo\.split\.test"),
        ("max_length: 64", "max_length: '64'", r"encode\.max_length: Input should be a valid integer"),
        ("{classes: [negative, positive]}", "{}", r"labels: Value error, give either"),
        ("{epochs: 3}", "{epoch: 3}", "epoch: Extra inputs"),
        ("task: classify,", "task: classify, layers: [1],", r"asks for layer 1.*caches \[2, -1\]"),
        ("demo-linear:", "Demo Linear:", "Demo Linear"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    """Each kind of mistake gives one line that names the entry."""
    assert old in GOOD
    with pytest.raises(InputError, match=message):
        load(tmp_path, GOOD.replace(old, new))


def test_broken_yaml_and_a_missing_file_are_clear_errors(tmp_path: Path) -> None:
    """Neither ends in a traceback of the parser."""
    with pytest.raises(InputError, match="is not YAML"):
        load(tmp_path, "a: [1\n")
    with pytest.raises(InputError, match="there is no"):
        load_params(tmp_path / "absent.yaml")


def test_unknown_names_list_those_there_are(tmp_path: Path) -> None:
    """Asking for a run or corpus that is not there lists the others."""
    params = load(tmp_path, GOOD)
    with pytest.raises(InputError, match=r"no run 'x' in params\.yaml; it has demo-linear"):
        params.run("x")
    with pytest.raises(InputError, match=r"no corpus 'x' in params\.yaml; it has demo"):
        params.corpus("x")
