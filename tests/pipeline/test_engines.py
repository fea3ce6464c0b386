"""The choice of who encodes: a machine's setting, which changes no vector."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from features.encoder.encoder import EncoderSpec
from features.errors import InputError
from features.store.extraction import LocalEngine, extract
from pipeline.extract import load_engine
from tests.features.fake_encoder import FakeEncoder
from tests.features.runs import texts_of
from tests.features.tiny_models import POSITIONS, write_tiny


@pytest.fixture
def spec(tmp_path: Path) -> EncoderSpec:
    return EncoderSpec(str(write_tiny(tmp_path, "bert")), None, POSITIONS)


def test_without_a_setting_this_process_encodes(spec: EncoderSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """The local engine is the default, and its check is the parity gate for the encoder that it came with."""
    monkeypatch.delenv("ENCODE_ONCE_ENGINE", raising=False)
    encoder, engine = load_engine(spec)
    assert isinstance(engine, LocalEngine)
    assert engine.machine.startswith("cpu, ")
    checked: list[object] = []

    def refuse(some: object) -> None:
        checked.append(some)
        raise InputError("it does not agree")

    monkeypatch.setattr("pipeline.extract.check_parity", refuse)
    with pytest.raises(InputError, match="it does not agree"):
        engine.check()
    assert checked == [encoder]


def test_a_device_proves_itself_before_its_first_text(tmp_path: Path) -> None:
    """Where the check fails nothing was encoded, and where nothing is new it is not made."""

    def refuse() -> None:
        raise InputError("it does not agree")

    texts, rows, encoder = texts_of(50), list(range(50)), FakeEncoder()
    places = (tmp_path / "store", tmp_path / "out")
    with pytest.raises(InputError, match="it does not agree"):
        extract(texts, rows, encoder, *places, print, engine=LocalEngine("a machine", refuse))
    assert encoder.encoded == []
    extract(texts, rows, encoder, *places, print)
    assert extract(texts, rows, encoder, *places, print, engine=LocalEngine("a machine", refuse)).new == 0


def test_ray_is_a_setting_and_changes_no_manifest(spec: EncoderSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the engine set to Ray the same key names the vectors, and settings reach the actors."""
    local, _ = load_engine(spec)
    monkeypatch.setenv("ENCODE_ONCE_ENGINE", "ray")
    monkeypatch.setenv("ENCODE_ONCE_RAY_ACTORS", "3")
    monkeypatch.setenv("ENCODE_ONCE_RAY_CPUS", "2")
    monkeypatch.setenv("ENCODE_ONCE_PRECISION", "float32")
    encoder, engine = load_engine(spec)
    from features.cluster.engine import ClusterEngine

    assert isinstance(engine, ClusterEngine)
    assert engine.settings.actors == 3
    assert encoder.manifest.key == local.manifest.key
    expected = engine.expect()
    monkeypatch.delenv("ENCODE_ONCE_PRECISION")  # an actor gets it with its orders
    monkeypatch.chdir(Path.cwd())
    assert engine.build(expected).manifest == local.manifest


def test_ray_without_ray_is_one_clear_line(
    spec: EncoderSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asking for Ray where it is not installed says how to install it."""
    monkeypatch.setenv("ENCODE_ONCE_ENGINE", "ray")
    monkeypatch.setitem(sys.modules, "ray", None)
    encoder, engine = load_engine(spec)
    with pytest.raises(InputError, match=r'pip install "\.\[ray\]"'):
        extract(
            texts_of(5), list(range(5)), encoder, tmp_path / "store", tmp_path / "out", print, engine=engine
        )


def test_an_unknown_engine_is_one_clear_line(spec: EncoderSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line names the variable, what it holds and what there is."""
    monkeypatch.setenv("ENCODE_ONCE_ENGINE", "spark")
    with pytest.raises(InputError, match="ENCODE_ONCE_ENGINE is `spark`; expected local or ray"):
        load_engine(spec)
