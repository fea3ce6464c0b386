"""What is asked of a cluster, and what is said where it cannot be had."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from features.cluster.connection import connected, import_ray
from features.cluster.recipe import FrozenRecipe
from features.cluster.settings import PREFIX, Settings, read_settings
from features.encoder.encoder import Encoder, EncoderSpec
from features.errors import InputError
from tests.features.tiny_models import POSITIONS, write_tiny


@pytest.fixture(autouse=True)
def _stay_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """An actor enters the project's folder; a test leaves it again."""
    monkeypatch.chdir(Path.cwd())


def test_without_settings_an_actor_has_one_cpu() -> None:
    """The defaults are as many actors as there is room for, of one CPU and one thread, on a shared store."""
    settings = read_settings({})
    assert settings == Settings(actors=0, cpus=1.0, gpus=0.0, threads=0, collect=None)
    assert (settings.threads_each, settings.driver_precision) == (1, "auto")


def test_settings_are_read_from_the_environment() -> None:
    """Each variable sets its field; a GPU means the precision of GPUs."""
    given = {"ACTORS": "12", "CPUS": "4", "GPUS": "0.25", "THREADS": "3", "COLLECT": "/tmp/shards"}
    settings = read_settings({PREFIX + name: value for name, value in given.items()})
    assert settings == Settings(12, 4.0, 0.25, 3, Path("/tmp/shards"))
    assert (settings.threads_each, settings.driver_precision) == (3, "float16")
    assert read_settings({PREFIX + "CPUS": "2.5"}).threads_each == 2


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ACTORS", "many", "expected a whole number"),
        ("ACTORS", "1.5", "expected a whole number"),
        ("CPUS", "-1", "expected a number, 0 or more"),
        ("GPUS", "nan", "expected a number, 0 or more"),
        ("GPUS", "1.5", "a fraction below 1 or a whole number"),
        ("COLLECT", "shards", "expected an absolute path"),
    ],
)
def test_a_wrong_setting_is_one_clear_line(name: str, value: str, said: str) -> None:
    """The line names the variable, what it holds and what was expected."""
    with pytest.raises(InputError, match=said) as caught:
        read_settings({PREFIX + name: value})
    assert PREFIX + name in str(caught.value)
    assert value in str(caught.value)


def test_without_ray_there_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking for Ray where it is not installed names the command that installs it."""
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r'run `pip install "\.\[ray\]"`'):
        import_ray()


def test_an_address_where_nobody_answers_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong RAY_ADDRESS ends in one line that names it."""
    monkeypatch.setenv("RAY_ADDRESS", "nonsense")
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    with pytest.raises(InputError, match="RAY_ADDRESS is `nonsense`"), connected():
        pass


def test_an_actor_whose_vectors_would_differ_refuses(tmp_path: Path) -> None:
    """Where a node computes in another precision than the driver, the line names both."""
    folder = write_tiny(tmp_path, "bert")
    spec = EncoderSpec(str(folder), None, POSITIONS)
    halves = Encoder.load(spec, device="cpu", precision="float16").manifest
    with pytest.raises(InputError, match="precision is float32, the driver's float16"):
        FrozenRecipe(spec, halves, tmp_path, 1).build(None)


def test_an_actor_passes_the_parity_gate_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device whose vectors are wrong builds no encoder."""
    folder = write_tiny(tmp_path, "bert")
    spec = EncoderSpec(str(folder), None, POSITIONS)
    manifest = Encoder.load(spec, device="cpu").manifest
    monkeypatch.chdir(tmp_path)
    assert FrozenRecipe(spec, manifest, tmp_path, 1).build(None).manifest == manifest
    packed = Encoder.encode

    def wrong(self, texts, **options):  # type: ignore[no-untyped-def]
        for batch in packed(self, texts, **options):
            batch.pooled[:, :, 0] += 10
            yield batch

    monkeypatch.setattr(Encoder, "encode", wrong)
    with pytest.raises(InputError, match="does not agree with float32 on the CPU"):
        FrozenRecipe(spec, manifest, tmp_path, 1).build(None)


def test_the_driver_computes_what_actors_are_held_against(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the driver's vectors no reference is computed again, and those of other weights are told apart."""
    spec = EncoderSpec(str(write_tiny(tmp_path / "one", "bert")), None, POSITIONS)
    other = EncoderSpec(str(write_tiny(tmp_path / "other", "bert", seed=5)), None, POSITIONS)
    manifest = Encoder.load(spec, device="cpu").manifest
    monkeypatch.chdir(tmp_path)
    recipe = FrozenRecipe(spec, manifest, tmp_path, 1)
    expected, foreign = recipe.expect(), FrozenRecipe(other, manifest, tmp_path, 1).expect()
    monkeypatch.setattr("features.encoder.parity.plain_forward", None)
    assert recipe.build(expected).manifest == manifest
    with pytest.raises(InputError, match="does not agree with float32 on the CPU"):
        recipe.build(foreign)
