"""A head's two files: what is refused, and how the message names the trouble."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from heads.parts.base import HeadError, HeadShape, build_head
from heads.parts.saving import HeadConfig, load_head, save_head

CONFIG = HeadConfig(
    head="self_attentive",
    shape=HeadShape(6, 1, 2),
    task="classify",
    low=0,
    size=2,
    ordered=False,
    layers=(6,),
    vector=None,
    seed=13,
    options={"hops": 2},
    task_state={"temperature": 1.5, "weights": [1.0, 1.0]},
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a saved head."""
    folder = tmp_path / "runs" / "one"
    save_head(folder, build_head(CONFIG.head, CONFIG.shape, CONFIG.options), CONFIG)
    return folder


def _edit(folder: Path, **changes: object) -> None:
    path = folder / "head.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize("name", ["head.json", "head.safetensors"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    """Either file alone is refused with the path of the one that is missing."""
    (folder / name).unlink()
    with pytest.raises(HeadError, match=f"there is no .*{name}; train the run first"):
        load_head(folder)


@pytest.mark.parametrize(
    ("key", "value"), [("options", {"hops": 3}), ("seed", 14), ("layers", [5]), ("task_state", {})]
)
def test_a_configuration_of_other_weights_names_the_key(folder: Path, key: str, value: object) -> None:
    """A configuration that the weights were not saved with is refused by the key that differs."""
    _edit(folder, **{key: value})
    with pytest.raises(HeadError, match=f"says {key} = .*, but the weights beside it were saved with"):
        load_head(folder)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.pop("attention.attend.weight"), "holds nothing under 'attention.attend.weight'"),
        (lambda t: t.update(extra=torch.ones(2)), r"holds \(2,\) under 'extra', the head expects nothing"),
        (
            lambda t: t.update({"standardise.mean": torch.ones(5)}),
            r"holds \(5,\) under 'standardise.mean', the head expects \(6,\)",
        ),
    ],
)
def test_other_weights_name_the_tensor(folder: Path, change: object, says: str) -> None:
    """Weights that lack a tensor, have one too many or of another shape are refused by its name."""
    path = folder / "head.safetensors"
    tensors = load_file(path)
    assert callable(change)
    change(tensors)
    save_file(tensors, path, metadata={"config": (folder / "head.json").read_text()})
    with pytest.raises(HeadError, match=says):
        load_head(folder)


@pytest.mark.parametrize("name", ["head.json", "head.safetensors"])
def test_a_cut_off_file_is_refused(folder: Path, name: str) -> None:
    """Half a file is refused and named."""
    path = folder / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(HeadError, match=f"{name} is (not JSON|damaged)"):
        load_head(folder)


def test_a_failed_save_leaves_what_was_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A save that is stopped half-way leaves the former files whole and nothing beside them."""
    before = {file.name: file.read_bytes() for file in folder.iterdir()}

    def fail(_: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        save_head(folder, build_head(CONFIG.head, CONFIG.shape, CONFIG.options), CONFIG)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_weights_of_another_seed_are_noticed(folder: Path) -> None:
    """Weights replaced while the configuration is the old one, as by a kill between the two, are refused."""
    old = (folder / "head.json").read_bytes()
    other = HeadConfig(**{**vars(CONFIG), "seed": 14})
    save_head(folder, build_head(CONFIG.head, CONFIG.shape, CONFIG.options), other)
    (folder / "head.json").write_bytes(old)
    with pytest.raises(HeadError, match=r"says seed = 13, but .* 14"):
        load_head(folder)


def test_an_unknown_key_is_named(folder: Path) -> None:
    """A configuration of another version is refused by the key it has too many."""
    path = folder / "head.safetensors"
    _edit(folder, flavour=3)
    save_file(load_file(path), path, metadata={"config": (folder / "head.json").read_text()})
    with pytest.raises(HeadError, match="'flavour' is unknown"):
        load_head(folder)


def test_a_shape_of_another_kind_is_named(folder: Path) -> None:
    """Sizes that are not a head's are refused, also where both files agree on them."""
    path = folder / "head.safetensors"
    _edit(folder, shape={"width": 6})
    save_file(load_file(path), path, metadata={"config": (folder / "head.json").read_text()})
    with pytest.raises(HeadError, match="shape or layers cannot be read"):
        load_head(folder)


def test_the_state_of_another_task_is_named(folder: Path) -> None:
    """A task state that lacks its keys, or has lists of another size, is refused by the key."""
    path = folder / "head.safetensors"
    for state, says in (({}, "temperature = None"), ({"temperature": 1.0, "weights": [1.0]}, "2 numbers")):
        _edit(folder, task_state=state)
        save_file(load_file(path), path, metadata={"config": (folder / "head.json").read_text()})
        with pytest.raises(HeadError, match=says):
            load_head(folder)
