"""A head's two files: what is refused, and how the message names the trouble."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from heads.parts.base import HeadError, HeadShape, build_head
from heads.parts.saving import HeadConfig, NoHeadError, load_head, save_failure, save_head

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


@pytest.mark.parametrize("name", ["head.json", "head.safetensors"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    """Either file alone is refused with the path of the one that is missing."""
    (folder / name).unlink()
    with pytest.raises(HeadError, match=f"there is no .*{name}; train the run first"):
        load_head(folder)


def test_an_edited_configuration_is_refused(folder: Path) -> None:
    """Whoever changes a value in `head.json` by hand does not get a head that was never trained."""
    path = folder / "head.json"
    path.write_text(path.read_text("utf-8").replace('"hops": 2', '"hops": 3'), "utf-8")
    with pytest.raises(HeadError, match=r"head\.json is damaged: its content does not match its digest"):
        load_head(folder)


@pytest.mark.parametrize(
    ("saved", "changes", "says"),
    [
        ("self_attentive", {"options": {"hops": 3}}, r"holds \(2, 64\) under .*, the head expects \(3, 64\)"),
        ("self_attentive", {"head": "linear", "options": {}}, "the head expects nothing"),
        ("linear", {}, "holds nothing under 'attention.attend.weight'"),
    ],
)
def test_other_weights_name_the_tensor(folder: Path, saved: str, changes: dict[str, Any], says: str) -> None:
    """Weights that lack a tensor, have one too many or of another shape are refused by its name."""
    head = build_head(saved, CONFIG.shape, CONFIG.options if saved == CONFIG.head else {})
    save_head(folder, head, replace(CONFIG, **changes))
    with pytest.raises(HeadError, match=says):
        load_head(folder)


@pytest.mark.parametrize("name", ["head.json", "head.safetensors"])
def test_a_cut_off_file_is_refused(folder: Path, name: str) -> None:
    """Half a file is refused and named."""
    path = folder / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(HeadError, match=f"{name} is damaged"):
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


def test_weights_of_another_training_are_noticed(folder: Path) -> None:
    """Weights replaced while the configuration is the old one, as by a kill between the two, are refused."""
    old = (folder / "head.json").read_bytes()
    save_head(folder, build_head(CONFIG.head, CONFIG.shape, CONFIG.options), replace(CONFIG, seed=14))
    (folder / "head.json").write_bytes(old)
    with pytest.raises(HeadError, match=r"damaged, or of another training than the head\.json beside it"):
        load_head(folder)


@pytest.mark.parametrize("name", ["head.json", "head.safetensors"])
def test_every_changed_bit_is_refused_or_means_nothing(folder: Path, name: str) -> None:
    """After a bit is flipped a head is refused, or it is the same head: layout of the text has no meaning."""
    path = folder / name
    content = path.read_bytes()
    expected, _, config = load_head(folder)
    refused = 0
    for place in np.random.default_rng(5).integers(0, 8 * len(content), 150).tolist():
        changed = bytearray(content)
        changed[place // 8] ^= 1 << place % 8
        path.write_bytes(changed)
        try:
            head, _, found = load_head(folder)
        except HeadError:
            refused += 1
            continue
        assert found == config
        assert all(torch.equal(head.state_dict()[key], value) for key, value in expected.state_dict().items())
    assert refused > 75


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"flavour": 3}, "'flavour' is unknown"),
        ({"shape": {"width": 6}}, "shape or layers cannot be read"),
        ({"task_state": {}}, "temperature = None"),
        ({"task_state": {"temperature": 1.0, "weights": [1.0]}}, "2 numbers"),
    ],
)
def test_what_another_version_wrote_is_named(folder: Path, content: dict[str, Any], says: str) -> None:
    """A sound configuration with other keys, sizes or task states is refused by the key."""
    path = folder / "head.json"
    stored = {**json.loads(path.read_text("utf-8")), **content}
    del stored["digest"]
    digest = hashlib.blake2b(json.dumps(stored, sort_keys=True).encode(), digest_size=16).hexdigest()
    path.write_text(json.dumps({**stored, "digest": digest}), "utf-8")
    with pytest.raises(HeadError, match=says):
        load_head(folder)


def test_a_failed_training_says_why(folder: Path) -> None:
    """In place of a head stands the reason for its absence, which loading gives."""
    save_failure(folder, "the loss became nan; lower its learning_rate")
    with pytest.raises(NoHeadError, match="became nan; lower"):
        load_head(folder)
