"""The BERT that is read without Transformers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from features.corpus.texts import Text
from features.encoder import weights
from features.encoder.bert import Bert, load_bert
from features.encoder.encoder import Encoder, EncoderSpec
from tests.features.tiny_models import ARCHITECTURES, write_tiny

ROOT = Path(__file__).resolve().parents[2]
TEXTS = [
    Text("good"), Text("a slow ending, but a great cast"), Text("loved it", "never again"), Text("bad " * 30),
    Text("loved"), Text("电影 was not good"),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny random BERT with a pooler."""
    return write_tiny(tmp_path / "bert", "bert")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("pooler", [True, False])
def test_vectors_are_those_of_transformers_to_the_last_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str, pooler: bool
) -> None:
    """Tokens of every layer, pooled vectors and the pooler's come out equal by either way."""
    folder = write_tiny(tmp_path / "bert", "bert", pooler=pooler)
    ours = _vectors(folder, precision, Bert)
    monkeypatch.setattr(weights, "load_bert", lambda _: None)
    theirs = _vectors(folder, precision, None)
    assert len(ours) == len(theirs)
    assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


def _vectors(folder: Path, precision: str, kind: type | None) -> list[Any]:
    spec = EncoderSpec(str(folder), None, 40, (0, 1, 2, 3))
    encoder = Encoder.load(spec, device="cpu", precision=precision)
    assert isinstance(encoder._stack.model, Bert) == (kind is Bert)
    batches = list(encoder.encode(TEXTS))
    return [encoder.parameters, *(array for batch in batches for array in (batch.pooled, *batch.tokens))]


def test_checkpoints_of_the_first_days_are_read_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A norm's `gamma` and `beta` are its weight and bias, as Transformers reads them."""
    file = folder / "model.safetensors"
    old = {
        f"bert.{name}".replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): x
        for name, x in load_file(file).items()
    }
    save_file(old, file, {"format": "pt"})
    ours = _vectors(folder, "float32", Bert)
    monkeypatch.setattr(weights, "load_bert", lambda _: None)
    theirs = _vectors(folder, "float32", None)
    assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_checkpoints_with_a_head_are_read_too(tmp_path: Path) -> None:
    """Names that begin with `bert.` lose that, and what belongs to the head is left out."""
    found = load_bert(write_tiny(tmp_path / "macbert", "macbert"))
    assert found is not None
    assert found[1] is None


@pytest.mark.parametrize("architecture", [name for name in ARCHITECTURES if name not in ("bert", "macbert")])
def test_other_architectures_are_left_to_transformers(tmp_path: Path, architecture: str) -> None:
    """What is no BERT by its config is not taken for one."""
    assert load_bert(write_tiny(tmp_path / architecture, architecture)) is None


@pytest.mark.parametrize(
    "change",
    [
        {"hidden_act": "relu"},
        {"position_embedding_type": "relative_key"},
        {"is_decoder": True},
        {"quantization_config": {"bits": 8}},
        {"hidden_size": 36},
        {"num_hidden_layers": 4},
        {"num_attention_heads": 5},
        {"model_type": "roberta"},
    ],
)
def test_a_bert_with_something_unusual_is_left_to_transformers(folder: Path, change: dict[str, Any]) -> None:
    """One setting that this reading knows nothing of, or that the weights do not fit, is enough."""
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | change), "utf-8")
    assert load_bert(folder) is None


def test_a_missing_tensor_is_left_to_transformers(folder: Path) -> None:
    """An incomplete checkpoint is not filled with anything."""
    file = folder / "model.safetensors"
    found = load_file(file)
    del found["encoder.layer.1.output.dense.bias"]
    save_file(found, file, {"format": "pt"})
    assert load_bert(folder) is None


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_damaged_file_is_left_to_transformers(folder: Path, name: str) -> None:
    """What cannot be parsed raises nothing here, so that the one message comes from one place."""
    (folder / name).write_bytes(b"{")
    assert load_bert(folder) is None


@pytest.mark.parametrize("name", ["mini-en", "mini-zh"])
def test_the_bundled_encoders_need_no_import_of_transformers(name: str) -> None:
    """They load and encode without the library whose import takes longest."""
    program = (
        "import sys\n"
        "from features.corpus.texts import Text\n"
        "from features.encoder.encoder import Encoder, EncoderSpec\n"
        f"encoder = Encoder.load(EncoderSpec({str(ROOT / 'encoders' / name)!r}, None, 32))\n"
        "next(encoder.encode([Text('good')]))\n"
        "sys.exit(bool({'transformers', 'torch._dynamo'} & set(sys.modules)))\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
