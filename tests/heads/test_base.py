"""Finding and building heads, and the errors a wrong name or option gives."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
import torch

import heads
from heads.parts.base import HeadError, HeadInput, HeadShape, available_heads, build_head

SHAPE = HeadShape(dim=4, layers=1, out_dim=2)

MEDIAN_HEAD = """
from torch import nn
from heads.parts.base import Head, HeadInput, HeadOutput, HeadShape

class Median(Head):
    needs = frozenset({"tokens"})

    def __init__(self, shape: HeadShape, *, bias: bool = True) -> None:
        super().__init__(shape)
        self.score = nn.Linear(shape.dim, shape.out_dim, bias=bias)

    def forward(self, x: HeadInput) -> HeadOutput:
        return HeadOutput(self.score(x.sequence.to(self.dtype).median(dim=1).values))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that counts as part of heads/ for one test."""
    monkeypatch.setattr(heads, "__path__", [*heads.__path__, str(tmp_path)])
    before = set(sys.modules)
    importlib.invalidate_caches()
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("heads."):
            del sys.modules[name]
            vars(heads).pop(name.removeprefix("heads."), None)


def test_heads_are_the_files_that_define_one() -> None:
    """Files that share code between heads are not taken for heads."""
    assert {"linear", "mlp", "self_attentive", "mean_max", "layer_mix", "conv"} <= set(available_heads())
    assert not {"base", "tasks", "standardise", "saving", "options", "attention"} & set(available_heads())


def test_a_file_is_a_head(folder: Path) -> None:
    """One new file is found under its name and built with its options."""
    (folder / "median.py").write_text(MEDIAN_HEAD)
    assert "median" in available_heads()
    head = build_head("median", SHAPE, {"bias": False})
    assert head(HeadInput(tokens=torch.randn(3, 1, 5, 4).half())).scores.shape == (3, 2)
    assert len(list(head.parameters())) == 1


def test_a_class_derived_from_a_head_is_one(folder: Path) -> None:
    """Of several classes in a file the one that no other derives from is the head."""
    (folder / "quarter.py").write_text(
        MEDIAN_HEAD
        + "\nclass Quarter(Median):\n    'Half of a half.'\n\nclass Eighth(Quarter):\n    'Less.'\n"
    )
    assert "quarter" in available_heads()
    assert type(build_head("quarter", SHAPE, {"bias": False})).__name__ == "Eighth"
    (folder / "twice.py").write_text(
        MEDIAN_HEAD + "\nclass A(Median):\n    'A.'\n\nclass B(Median):\n    'B.'\n"
    )
    with pytest.raises(HeadError, match="exactly one head; found A, B"):
        build_head("twice", SHAPE, {})


def test_a_class_derived_from_a_shared_one_is_a_head(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where `heads/parts` holds an architecture, a file that derives from it is a head."""
    shared = Path(heads.__path__[0]) / "parts"
    (folder / "parts").mkdir()
    (folder / "parts" / "median.py").write_text(MEDIAN_HEAD)
    for file in shared.glob("*.py"):
        (folder / "parts" / file.name).symlink_to(file)
    monkeypatch.setattr(heads, "__path__", [str(folder), *heads.__path__])
    monkeypatch.setattr(heads.parts, "__path__", [*heads.parts.__path__, str(folder / "parts")])
    (folder / "low.py").write_text(
        "from heads.parts.median import Median as Base\n\nclass Low(Base):\n    'Low.'\n"
    )
    assert "low" in available_heads()
    assert build_head("low", SHAPE, {}).needs == {"tokens"}


@pytest.mark.parametrize(
    ("line", "base"),
    [
        ("from heads.mlp import Mlp", "Mlp"),
        ("from heads import mlp", "mlp.Mlp"),
        ("import heads.mlp", "heads.mlp.Mlp"),
    ],
)
def test_a_head_that_derives_from_another_file_is_refused(folder: Path, line: str, base: str) -> None:
    """What two heads share belongs to heads/parts: DVC would not see the other's file change."""
    (folder / "small.py").write_text(f"{line}\n\nclass Small({base}):\n    'Small.'\n")
    with pytest.raises(HeadError, match=r"heads/small\.py takes something from heads/mlp\.py.*heads/parts"):
        build_head("small", SHAPE, {})


@pytest.mark.parametrize("name", ["nope", "base", "standardise", "../linear", "tasks", ""])
def test_an_unknown_head_lists_those_there_are(name: str) -> None:
    """A name that is no head's file is refused with the list of heads."""
    with pytest.raises(HeadError, match=r"there is no head .*; heads/ has conv, .*self_attentive"):
        build_head(name, SHAPE, {})


def test_a_broken_file_is_named(folder: Path) -> None:
    """A file that is not Python is named with its line."""
    (folder / "broken.py").write_text("class Broken(Head:\n")
    with pytest.raises(HeadError, match=r"heads/broken.py line 1 is not valid Python"):
        build_head("broken", SHAPE, {})


def test_an_unknown_option_lists_the_valid_ones() -> None:
    """A misspelt option is answered with the options and their defaults."""
    with pytest.raises(
        HeadError, match=r"head 'self_attentive' has no option 'hop'; .*hops=4, attention_dim="
    ):
        build_head("self_attentive", SHAPE, {"hop": 3})


@pytest.mark.parametrize(
    ("head", "option", "value", "says"),
    [
        ("self_attentive", "hops", "three", "'three', which is not a whole number"),
        ("self_attentive", "hops", 2.5, "2.5, which is not a whole number"),
        ("self_attentive", "hops", True, "True, which is not a whole number"),
        ("self_attentive", "dropout", None, "None, which is not a number"),
        ("conv", "widths", 3, "3, which is not a text"),
        ("self_attentive", "hops", 0, "hops is 0; it must be at least 1"),
        ("self_attentive", "penalty", -1.0, "penalty is -1.0; it must be at least 0"),
        ("linear", "dropout", 1.0, "dropout is 1.0; it must be at least 0 and below 1"),
        ("linear", "dropout", float("nan"), "dropout is nan; it must be"),
        ("conv", "widths", "3,x", "widths is '3,x'; it must be whole numbers"),
        ("conv", "widths", "", "widths is ''; it must be whole numbers"),
        ("conv", "widths", "0", "widths is '0'; it must be whole numbers"),
    ],
)
def test_a_wrong_option_is_named(head: str, option: str, value: object, says: str) -> None:
    """An option of the wrong type or out of range is named, with the head, what was found and what fits."""
    with pytest.raises(HeadError, match=f"head '{head}'.*{says}"):
        build_head(head, SHAPE, {option: value})


def test_a_whole_number_passes_for_a_number() -> None:
    """`dropout: 0` is as good as `dropout: 0.0`."""
    build_head("linear", SHAPE, {"dropout": 0})


def test_a_head_from_encoder_layers_asks_for_them() -> None:
    """`top_layers` without layers, or with `encoder_top` set as an option, is refused."""
    with pytest.raises(HeadError, match="encoder's top layers, and none were given"):
        build_head("top_layers", SHAPE, {})
    with pytest.raises(HeadError, match="has no option 'encoder_top'"):
        build_head("top_layers", SHAPE, {"encoder_top": 3})


def test_the_top_layer_is_the_last() -> None:
    """`vector` and `sequence` are views of the last cached layer."""
    x = HeadInput(torch.arange(6.0).view(1, 3, 2), torch.arange(12.0).view(1, 3, 2, 2))
    assert x.vector.tolist() == [[4, 5]]
    assert x.sequence.tolist() == [[[8, 9], [10, 11]]]
    assert x.real.tolist() == [[True, True]]
