"""Architectures beyond BERT's next of kin: run as they are meant to be, or refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file
from transformers import CLIPConfig, CLIPModel

from features.corpus.texts import Text
from features.encoder.encoder import Encoder, EncoderSpec
from features.encoder.layers import layer_stack
from features.encoder.parity import check_parity
from features.errors import InputError
from tests.features.tiny_models import LAYERS, write_tiny, write_tiny_other


def load(folder: Path, *layers: int) -> Encoder:
    """The encoder in a folder, in float32 on the CPU."""
    spec = EncoderSpec(str(folder), None, 64, layers or (-1,))
    return Encoder.load(spec, device="cpu", precision="float32")


@pytest.mark.parametrize("layers", [(0,), (1,), (0, 1, LAYERS)])
@pytest.mark.parametrize(
    ("model_type", "settings"),
    [
        ("modernbert", {"local_attention": 16, "global_attn_every_n_layers": 2}),
        ("gte", {}),
        ("jina_embeddings_v3", {}),
        ("nomic_bert", {}),
        ("eurobert", {"num_key_value_heads": 4}),
        ("esm", {"position_embedding_type": "rotary", "token_dropout": False}),
    ],
)
def test_rotary_positions_windows_and_last_norms_pass_the_gate(
    tmp_path: Path, model_type: str, settings: dict[str, Any], layers: tuple[int, ...]
) -> None:
    """Packed vectors are those of the model's own forward, at inner layers too."""
    parity = check_parity(load(write_tiny_other(tmp_path, model_type, **settings), *layers))
    assert min(parity.mean, parity.lowest, parity.pooled) > 0.999999


def test_a_model_of_several_parts_is_refused_in_one_line() -> None:
    """What names neither its layers nor its width, such as CLIP, is no BERT-like encoder."""
    text = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = CLIPConfig(text_config=text, vision_config=text | {"image_size": 8, "patch_size": 4})
    with pytest.raises(InputError, match="the architecture `clip` cannot be run without padding"):
        layer_stack(CLIPModel(config))


@pytest.mark.parametrize("model_type", ["modernbert", "nomic_bert"])
def test_layers_with_rotary_positions_are_not_trained_apart(tmp_path: Path, model_type: str) -> None:
    """Top layers that need the positions again are refused in one line."""
    with pytest.raises(InputError, match=f"the layers of `{model_type}` cannot be trained apart"):
        load(write_tiny_other(tmp_path, model_type)).top(1)


@pytest.mark.parametrize("model_type", ["xmod", "deberta-v2", "albert", "convbert", "t5", "gpt2"])
def test_others_are_refused_in_one_line(tmp_path: Path, model_type: str) -> None:
    """What needs more than text, or has attention of its own, stops at the gate or before."""
    own = {"languages": ("en_XX",)} if model_type == "xmod" else {}
    folder = write_tiny_other(tmp_path, model_type, **own)
    with pytest.raises(InputError, match=r"cannot be run (here|without padding).*choose another `model:`$"):
        check_parity(load(folder))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"hidden_size": "32"}, "model .* cannot be read: .*'hidden_size' expected int, got str"),
        ({"num_attention_heads": 0}, "cannot be read: ZeroDivisionError"),
        ({"hidden_act": "nothing"}, "cannot be read: KeyError: 'nothing'"),
        ({"num_hidden_layers": -1}, "cannot be run without padding"),
        ({"num_hidden_layers": 4}, r"lack 16 of the tensors .*encoder\.layer\.3"),
        ({"type_vocab_size": 1}, r"lack 1 of the tensors .*token_type_embeddings"),
        ({"model_type": None}, "cannot be read: ValueError: Unrecognized model"),
        ({"model_type": "new", "auto_map": {"AutoModel": "x--y.NewModel"}}, "cannot be read: ValueError"),
    ],
)
def test_a_strange_configuration_is_one_line(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    """The message names the folder and the entry, or what the library said."""
    file = write_tiny(tmp_path, "bert") / "config.json"
    config = json.loads(file.read_text("utf-8")) | change
    file.write_text(json.dumps({name: x for name, x in config.items() if x is not None}), "utf-8")
    with pytest.raises(InputError, match=says):
        load(tmp_path)


def test_one_segment_number_takes_no_pairs(tmp_path: Path) -> None:
    """Such a model passes the gate with single texts, and a pair is refused by name."""
    encoder = load(write_tiny_other(tmp_path, "bert", type_vocab_size=1))
    assert check_parity(encoder).holds
    with pytest.raises(InputError, match=r"`type_vocab_size: 1` in its config.json.* a pair"):
        list(encoder.encode([Text("a film"), Text("a film", "and another")]))


def test_a_sharded_checkpoint_is_read_by_its_index(tmp_path: Path) -> None:
    """Weights in two files are one encoder; its identity covers both and the index."""
    folder = write_tiny(tmp_path / "bert", "bert")
    (whole,) = load(folder).encode(["a good film"])
    key = _split(folder)
    sharded = load(folder)
    identity = sharded.manifest
    assert next(sharded.encode(["a good film"])).pooled.tolist() == whole.pooled.tolist()
    changed = load_file(folder / "b.safetensors")
    changed[key] += 1
    save_file(changed, folder / "b.safetensors", {"format": "pt"})
    assert load(folder).manifest.difference(identity) == ("weights",)


@pytest.mark.parametrize("name", ["../b.safetensors", "/tmp/b.safetensors", "sub/b.safetensors", "..", "c"])
def test_an_index_that_points_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    """What lies outside of the folder is not part of its identity, so it is not read."""
    folder = write_tiny(tmp_path / "bert", "bert")
    _split(folder)
    (tmp_path / "b.safetensors").write_bytes((folder / "b.safetensors").read_bytes())
    index = folder / "model.safetensors.index.json"
    index.write_text(index.read_text("utf-8").replace('"b.safetensors"', json.dumps(name)), "utf-8")
    with pytest.raises(InputError, match=r"index\.json` names the weights .*expected files beside it"):
        load(folder)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"weight_map": 3}'])
def test_a_damaged_index_is_one_line(tmp_path: Path, content: str) -> None:
    """What is no index says so."""
    folder = write_tiny(tmp_path / "bert", "bert")
    _split(folder)
    (folder / "model.safetensors.index.json").write_text(content)
    with pytest.raises(InputError, match=r"index\.json` is no index of weights"):
        load(folder)


def _split(folder: Path) -> str:
    """Write the weights as two files and an index; a name that is in the second."""
    file = folder / "model.safetensors"
    found = load_file(file)
    file.unlink()
    names = sorted(found)
    halves = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for half, mine in halves.items():
        save_file({name: found[name] for name in mine}, folder / half, {"format": "pt"})
    places = {name: half for half, mine in halves.items() for name in mine}
    index = {"metadata": {"total_size": 1}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return names[1]
