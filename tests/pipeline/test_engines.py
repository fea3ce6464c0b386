"""The choice of who encodes: a machine's setting, which makes no stage stale."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tqdm import tqdm

from features.encoder.encoder import EncoderSpec
from features.errors import InputError
from pipeline.extract import prepare_engine
from tests.features.tiny_models import POSITIONS, write_tiny


@pytest.fixture
def spec(tmp_path: Path) -> EncoderSpec:
    return EncoderSpec(str(write_tiny(tmp_path, "bert")), None, POSITIONS)


@pytest.fixture
def bar() -> tqdm:
    return tqdm(disable=True)


def test_without_a_setting_this_process_encodes(
    spec: EncoderSpec, bar: tqdm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The local engine is the default, and its encoder passes the parity gate before its first text."""
    monkeypatch.delenv("ENCODE_ONCE_ENGINE", raising=False)
    checked: list[object] = []
    monkeypatch.setattr("pipeline.extract.check_parity", _noting(checked))
    prepared = prepare_engine(spec, bar)
    assert prepared.engine is None
    assert prepared.machine().startswith("cpu, ")
    for _ in range(2):
        list(prepared.encoder.encode([]))
    assert checked == [prepared.frozen]


def _noting(checked: list[object]):  # type: ignore[no-untyped-def]
    from features.encoder.parity import Parity

    def check(encoder: object) -> Parity:
        checked.append(encoder)
        return Parity(1.0, 1.0, 1.0)

    return check


def test_ray_is_a_setting_and_changes_no_manifest(
    spec: EncoderSpec, bar: tqdm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the engine set to Ray the same key names the vectors, and settings reach the actors."""
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    local = prepare_engine(spec, bar).frozen.manifest
    monkeypatch.setenv("ENCODE_ONCE_ENGINE", "ray")
    monkeypatch.setenv("ENCODE_ONCE_RAY_ACTORS", "3")
    monkeypatch.setenv("ENCODE_ONCE_RAY_CPUS", "2")
    monkeypatch.setenv("ENCODE_ONCE_PRECISION", "float32")
    prepared = prepare_engine(spec, bar)
    engine = prepared.engine
    from features.cluster.engine import ClusterEngine
    from features.cluster.recipe import FrozenRecipe

    assert isinstance(engine, ClusterEngine)
    assert isinstance(engine.recipe, FrozenRecipe)
    assert engine.recipe.manifest.key == prepared.frozen.manifest.key == local.key
    assert engine.settings.actors == 3
    assert (engine.recipe.threads, engine.recipe.folder) == (2, Path.cwd())
    assert ("ENCODE_ONCE_PRECISION", "float32") in engine.recipe.environment


def test_ray_without_ray_is_one_clear_line(
    spec: EncoderSpec, bar: tqdm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asking for Ray where it is not installed says how to install it."""
    monkeypatch.setenv("ENCODE_ONCE_ENGINE", "ray")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r'pip install "\.\[ray\]"'):
        prepare_engine(spec, bar)


def test_an_unknown_engine_is_one_clear_line(
    spec: EncoderSpec, bar: tqdm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line names the variable, what it holds and what there is."""
    monkeypatch.setenv("ENCODE_ONCE_ENGINE", "spark")
    with pytest.raises(InputError, match="ENCODE_ONCE_ENGINE is `spark`; expected local or ray"):
        prepare_engine(spec, bar)
