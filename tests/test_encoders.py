"""The bundled encoders are ordinary, pickle-free folders; the program that made them resumes."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from transformers import AutoModel, AutoModelForMaskedLM, AutoTokenizer

from encoders import pretrain, vocabulary
from encoders.masking import mask_words
from encoders.packing import Specials, batches, plan_rows
from encoders.text import Pieces, read_texts, word_starts

ROOT = Path(__file__).parents[1] / "encoders"
NAMES = ["mini-en", "mini-zh"]
SAMPLES = {
    "mini-en": "The cast is great, but the plot wasn't; café scenes drag on — 7/10.",
    "mini-zh": "这部电影真的很好看！iPhone 6，２０１７年…不错 𠮷 ok",
}
MEGABYTES = 1_000_000
SPECIAL = Specials(pad=0, cls=2, sep=3, mask=4, unknown=1)


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.mark.parametrize("name", NAMES)
def test_folder_loads_whole_and_computes_in_float32(name: str) -> None:
    """AutoModel finds every weight it needs and none it does not, and gives finite states of every layer."""
    model, report = AutoModel.from_pretrained(ROOT / name, output_loading_info=True)
    tokenizer = AutoTokenizer.from_pretrained(ROOT / name)
    with torch.inference_mode():
        states = model(**tokenizer(SAMPLES[name], return_tensors="pt"), output_hidden_states=True)
    assert not any(report.values())
    assert model.dtype == torch.float32
    assert len(states.hidden_states) == model.config.num_hidden_layers + 1
    assert all(torch.isfinite(layer).all() for layer in (*states.hidden_states, states.pooler_output))
    assert model.config.hidden_size <= 256
    assert model.config.max_position_embeddings >= 256
    assert model.config.vocab_size == len(tokenizer)


@pytest.mark.parametrize("name", NAMES)
def test_every_piece_points_at_its_characters(name: str) -> None:
    """Offsets cut the text in order; a Chinese character is one piece of its own."""
    text = SAMPLES[name]
    tokenizer = AutoTokenizer.from_pretrained(ROOT / name)
    encoded = tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)
    spans = encoded["offset_mapping"]
    assert all(start < end for start, end in spans)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))
    assert "".join(text[start:end] for start, end in spans) == "".join(text.split())
    for piece, (start, end) in zip(tokenizer.convert_ids_to_tokens(encoded["input_ids"]), spans, strict=True):
        if "一" <= text[start] <= "鿿":
            assert end == start + 1
            assert piece in (text[start], "[UNK]")


@pytest.mark.parametrize("name", NAMES)
def test_folder_is_small_half_precision_and_free_of_pickles(name: str) -> None:
    """The weights take at most 12 MB as float16 safetensors; nothing in the folder could run code."""
    files = [path for path in (ROOT / name).rglob("*") if path.is_file()]
    weights = [path for path in files if path.suffix == ".safetensors"]
    assert sum(path.stat().st_size for path in weights) <= 12 * MEGABYTES
    assert {path.suffix for path in files} <= {".safetensors", ".json", ".txt", ".md"}
    for path in weights:
        with safe_open(path, framework="pt") as file:
            assert {file.get_slice(key).get_dtype() for key in file.keys()} == {"F16"}  # noqa: SIM118


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("mini-en", "this movie was a complete waste of [MASK].", "time"),
        ("mini-zh", "这部电[MASK]真的很好看。", "影"),
    ],
)
def test_language_model_head_names_a_hidden_piece(name: str, text: str, expected: str) -> None:
    """The head loads as the variant `mlm`, is tied to the embeddings, and has learned its language."""
    model, report = AutoModelForMaskedLM.from_pretrained(ROOT / name, variant="mlm", output_loading_info=True)
    tokenizer = AutoTokenizer.from_pretrained(ROOT / name)
    encoded = tokenizer(text, return_tensors="pt")
    place = encoded["input_ids"][0].tolist().index(tokenizer.mask_token_id)
    with torch.inference_mode():
        best = model(**encoded).logits[0, place].topk(5).indices.tolist()
    assert not report["missing_keys"]
    assert expected in tokenizer.convert_ids_to_tokens(best)


@settings(deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=40), st.floats(0, 1), st.integers(0, 2**32))
def test_masking_takes_whole_words_and_nothing_else(lengths: list[int], share: float, seed: int) -> None:
    """All pieces of a word are chosen or none; pieces outside words and unchosen pieces stay as they are."""
    words = np.array([[-1, *np.repeat(np.arange(len(lengths)), lengths), -1]])
    ids = np.full_like(words, 50)
    masked = mask_words(
        ids, words, share=share, mask_id=4, candidates=np.arange(5, 40), rng=np.random.default_rng(seed)
    )
    for word in range(len(lengths)):
        assert len(set(masked.chosen[words == word].tolist())) == 1
    assert not masked.chosen[words < 0].any()
    assert (masked.inputs == ids)[~masked.chosen].all()
    assert set(masked.inputs[masked.chosen].tolist()) <= {4, 50, *range(5, 40)}


def test_masking_chooses_the_asked_share_and_corrupts_as_bert_does() -> None:
    """Over many words the share holds, and of the chosen pieces 80 % are masked, 10 % swapped, 10 % kept."""
    words = np.arange(200_000).reshape(100, 2000)
    masked = mask_words(
        np.full_like(words, 50),
        words,
        share=0.2,
        mask_id=4,
        candidates=np.arange(5, 40),
        rng=np.random.default_rng(0),
    )
    assert masked.chosen.mean() == pytest.approx(0.2, abs=0.005)
    chosen = masked.inputs[masked.chosen]
    assert (chosen == 4).mean() == pytest.approx(0.8, abs=0.01)
    assert (chosen == 50).mean() == pytest.approx(0.1, abs=0.01)


def test_words_are_joined_by_jieba_or_by_wordpiece() -> None:
    """A Chinese word is one unit under jieba, touching letters are one under WordPiece."""
    chinese = "我喜欢电影"
    spans = [(i, i + 1) for i in range(5)]
    assert word_starts(chinese, spans, "jieba") == [True, True, False, True, False]
    assert word_starts(chinese, spans, "pieces") == [True, False, False, False, False]
    english = "waste, though"
    assert word_starts(english, [(0, 2), (2, 5), (5, 6), (7, 13)], "pieces") == [True, False, True, True]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(1, 70), min_size=1, max_size=30), st.integers(0, 1000))
def test_packing_shows_every_piece_once_an_epoch(lengths: list[int], seed: int) -> None:
    """Rows hold every piece of every text exactly once, never overflow, and cut only long texts."""
    bounds = np.cumsum([0, *lengths]).astype(np.int64)
    rows = plan_rows(bounds, 32, np.random.default_rng(seed))
    parts = [part for row in rows for part in row]
    shown = sorted(i for part in parts for i in range(part.start, part.start + part.length))
    assert shown == list(range(bounds[-1]))
    assert all(sum(part.length + 2 for part in row) <= 32 for row in rows)
    assert len(parts) == sum(-(-length // 30) for length in lengths)


def test_packed_batches_continue_where_they_were_left() -> None:
    """Batch number k is the same whether the stream starts at 0 or at k, also over the end of an epoch."""
    pieces = Pieces(
        np.arange(5, 305, dtype=np.int32), np.ones(300, bool), np.arange(0, 301, 20, dtype=np.int64)
    )
    whole = batches(pieces, rows=2, row_length=32, special=SPECIAL, seed=1, first=0)
    expected = [next(whole) for _ in range(20)]
    resumed = next(batches(pieces, rows=2, row_length=32, special=SPECIAL, seed=1, first=19))
    assert all(np.array_equal(a, b) for a, b in zip(expected[19], resumed, strict=True))
    assert all((batch.words[np.isin(batch.ids, [0, 2, 3])] == -1).all() for batch in expected)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A tiny text file, a labelled one, and a tokenizer for them."""
    lines = [f"the film number {i} was {'good' if i % 3 else 'bad'} and the end was near" for i in range(60)]
    (tmp_path / "plain.txt").write_text("\n".join(lines), encoding="utf-8")
    rows = "\n".join(f"{i % 2}\t{line}" for i, line in enumerate(lines))
    (tmp_path / "labelled.tsv").write_text(rows, encoding="utf-8")
    text = str(tmp_path / "plain.txt")
    arguments = ["--out", str(tmp_path / "tokenizer"), "--size", "120", "--min-count", "1", "--text", text]
    assert vocabulary.main(arguments) == 0
    return tmp_path


def run(corpus: Path, out: str, *extra: str) -> int:
    shape = ["--width", "16", "--layers", "1", "--heads", "2", "--positions", "64"]
    schedule = ["--rows", "4", "--row-length", "32", "--warmup", "2", "--log-every", "1", "--threads", "1"]
    data = ["--text", str(corpus / "plain.txt"), "--labelled", f"mood={corpus / 'labelled.tsv'}"]
    where = ["--out", str(corpus / out), "--tokenizer", str(corpus / "tokenizer"), "--device", "cpu"]
    return pretrain.main([*where, *data, *shape, *schedule, "--optimizer", "muon", *extra])


def test_resumed_run_ends_in_the_weights_of_an_uninterrupted_one(corpus: Path) -> None:
    """Stopping after 4 of 8 steps and going on gives bit-equal weights, and one line of log a step."""
    assert run(corpus, "whole", "--steps", "8") == 0
    assert run(corpus, "halves", "--steps", "4") == 0
    assert run(corpus, "halves", "--steps", "8") == 0
    files = [corpus / out / "checkpoint.safetensors" for out in ("whole", "halves")]
    with safe_open(files[0], framework="pt") as whole, safe_open(files[1], framework="pt") as halves:
        names = list(whole.keys())
        assert any(name.startswith("optimizer1.") for name in names)
        assert names == list(halves.keys())
        assert all(torch.equal(whole.get_tensor(name), halves.get_tensor(name)) for name in names)
    assert len((corpus / "halves" / "log.csv").read_text(encoding="utf-8").splitlines()) == 9
    assert not any(AutoModel.from_pretrained(corpus / "whole/encoder", output_loading_info=True)[1].values())


def test_pretraining_lowers_the_loss(corpus: Path) -> None:
    """Sixty steps on sixty near-equal sentences bring the masked loss well below its start."""
    assert run(corpus, "long", "--steps", "60", "--lr", "0.01") == 0
    lines = (corpus / "long" / "log.csv").read_text(encoding="utf-8").splitlines()
    losses = [float(line.split(",")[2]) for line in lines[1:]]
    assert np.mean(losses[-5:]) < 0.6 * losses[0]


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--text", "nowhere.txt"], "no text file at nowhere.txt"),
        (["--tokenizer", "nowhere"], "no tokenizer at nowhere"),
        (["--labelled", "mood=plain.txt"], "no text file at plain.txt"),
        (["--init", "nowhere"], "no encoder at nowhere"),
        (["--teacher", "nowhere"], "no teacher at nowhere"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    corpus: Path, capsys: pytest.CaptureFixture[str], extra: list[str], message: str
) -> None:
    """What is missing is named on one line of stderr; nothing is written over."""
    capsys.readouterr()
    assert run(corpus, "bad", "--steps", "1", *extra) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if "encode:" not in line and line]
    assert len(errors) == 1
    assert message in errors[0]


def test_checkpoint_of_another_shape_is_refused(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Resuming with another depth says which weight differs, and leaves the checkpoint as it was."""
    assert run(corpus, "shape", "--steps", "1") == 0
    before = (corpus / "shape" / "checkpoint.safetensors").read_bytes()
    assert run(corpus, "shape", "--steps", "2", "--layers", "2") == 2
    assert "bert.encoder.layer.1" in capsys.readouterr().err
    assert (corpus / "shape" / "checkpoint.safetensors").read_bytes() == before


def test_labelled_line_without_a_tab_is_named(tmp_path: Path) -> None:
    """A labelled file in the wrong form stops with the file and the number of the text."""
    (tmp_path / "bad.tsv").write_text("1\tfine\nno tab here\n", encoding="utf-8")
    with pytest.raises(Exception, match="text 2: found no tab"):
        read_texts([], [("task", tmp_path / "bad.tsv")])
