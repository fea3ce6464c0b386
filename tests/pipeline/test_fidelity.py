"""Cached tokens named again by tiny models' own heads, and by the bundled encoders'."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.corpus.corpus import Corpus
from features.corpus.labels import rating_labels
from features.corpus.texts import Text
from features.encoder.encoder import Encoder, EncoderSpec
from features.errors import InputError
from features.store.extraction import extract
from features.store.reading import FeatureStore
from pipeline.commands import fidelity
from pipeline.commands.fidelity import check, fill
from pipeline.evaluation.results import Fidelity, read_fidelity
from pipeline.project import layout
from pipeline.project.files import write_result
from tests.features.tiny_models import ARCHITECTURES, write_tiny, write_tiny_masked

ENCODERS = Path(__file__).parents[2] / "encoders"
TEXTS = tuple(f"{word} film {i}, but never a {word} cast!" for i in range(8) for word in ("great", "dull"))


def make_corpus(texts: tuple[str, ...] = TEXTS) -> Corpus:
    count = len(texts)
    return Corpus(
        name="demo",
        language="en",
        labels=rating_labels(1, 3).labels,
        texts=tuple(map(Text, texts)),
        text=np.arange(count),
        label=np.ones(count, np.int64),
        split=np.full(count, 2, np.int8),
        number=np.arange(1, count + 1),
        groups=(),
        group=np.full(count, -1, np.int32),
    )


def encode(folder: Path, room: Path, corpus: Corpus, **spec: Any) -> tuple[Encoder, FeatureStore]:
    """An encoder, and the corpus as it cached it."""
    given = EncoderSpec(str(folder), None, spec.pop("max_length", 48), **spec)
    encoder = Encoder.load(given, device="cpu", precision="float32")
    extract(corpus.texts, corpus.text, encoder, room / "store", room / "cache", lambda line: None)
    return encoder, FeatureStore.open(room / "cache")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_sound_cache_says_what_float32_says(architecture: str, tmp_path: Path) -> None:
    """The head gives cached and fresh states of every architecture the same names."""
    corpus = make_corpus()
    folder = write_tiny_masked(tmp_path / "model", architecture)
    encoder, store = encode(folder, tmp_path, corpus)
    found, head = check(corpus, store, encoder, count=6, seed=1)
    assert head is not None
    assert (found.reason, found.texts) == ("", 6)
    assert found.same >= 0.99
    assert abs(found.cached - found.fresh) <= 0.01
    lengths = sorted(len(store.pieces(text).piece_ids) for text in range(len(TEXTS)))
    assert sum(lengths[:6]) - 12 <= found.pieces <= sum(lengths[-6:]) - 12


def test_a_spoilt_cache_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the cached states are another text's, the head's names show it."""
    corpus = make_corpus((*TEXTS, "loved it", "never again slow ending"))
    encoder, store = encode(write_tiny_masked(tmp_path / "model", "bert"), tmp_path, corpus)
    sound, _ = check(corpus, store, encoder, count=18, seed=1)
    gather = type(store.tokens(encoder.layers_total)).gather

    def reversed_tokens(reader: Any, texts: Any) -> Any:
        batch = gather(reader, texts)
        return batch._replace(tokens=batch.tokens[::-1].copy())

    monkeypatch.setattr("features.store.reading.TokenReader.gather", reversed_tokens)
    spoilt, _ = check(corpus, store, encoder, count=18, seed=1)
    assert spoilt.fresh == sound.fresh
    assert spoilt.same < sound.same - 0.2


@pytest.mark.parametrize("name", ["mini-en", "mini-zh"])
def test_the_bundled_encoders_name_their_tokens(name: str, tmp_path: Path) -> None:
    """Their own heads name nearly all pieces of a plain text from the cache."""
    texts = {
        "mini-en": ("The movie was long and the acting was bad.", "I love this film and all of its music."),
        "mini-zh": ("这部电影很好看，演员也不错。", "故事一般，我不喜欢这个结局。"),
    }[name]
    corpus = make_corpus(texts)
    encoder, store = encode(ENCODERS / name, tmp_path, corpus)
    found, _ = check(corpus, store, encoder, count=2, seed=1)
    assert found.cached > 0.8
    assert found.same > 0.95


def test_a_blank_is_filled_through_a_store(tmp_path: Path) -> None:
    """Each blank gets likely pieces with falling probabilities, real words for an adjective's place."""
    spec = EncoderSpec(str(ENCODERS / "mini-en"), None, 32)
    encoder = Encoder.load(spec, device="cpu", precision="float32")
    _, head = check(make_corpus(), encode(ENCODERS / "mini-en", tmp_path, make_corpus())[1], encoder, 1, 1)
    assert head is not None
    first, second = fill("The movie was [MASK] and the [MASK] was bad .", encoder, head)
    for guesses in (first, second):
        shares = [probability for _, probability in guesses]
        assert len(shares) == 5
        assert shares == sorted(shares, reverse=True)
        assert 0 < sum(shares) <= 1
    assert {piece for piece, _ in first} & {"good", "great", "bad", "terrible", "boring", "awful", "funny"}


def test_roberta_is_asked_with_its_own_mask(tmp_path: Path) -> None:
    """`[MASK]` stands for the tokenizer's mask, whatever it is called."""
    folder = write_tiny_masked(tmp_path / "model", "roberta")
    encoder, store = encode(folder, tmp_path, make_corpus())
    _, head = check(make_corpus(), store, encoder, 1, 1)
    assert head is not None
    assert len(fill("the film was [MASK]!", encoder, head)) == 1


def test_a_text_without_a_blank_is_an_error(tmp_path: Path) -> None:
    """The remedy is named."""
    encoder, store = encode(write_tiny_masked(tmp_path / "model", "bert"), tmp_path, make_corpus())
    _, head = check(make_corpus(), store, encoder, 1, 1)
    assert head is not None
    with pytest.raises(InputError, match=r"there is no \[MASK\] among the first 48 pieces of 'a film'"):
        fill("a film", encoder, head)


@pytest.mark.parametrize(
    ("masked", "spec", "reason"),
    [
        (False, {}, "has no masked-LM head"),
        (True, {"keep_tokens": False}, "the cache of demo has no tokens of the last layer (3)"),
        (True, {"layers": (1,)}, "the cache of demo has no tokens of the last layer (3)"),
    ],
)
def test_what_cannot_be_checked_says_why(
    masked: bool, spec: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    """Without a head, or without its layer in the cache, one line gives the reason."""
    write = write_tiny_masked if masked else write_tiny
    encoder, store = encode(write(tmp_path / "model", "bert"), tmp_path, make_corpus(), **spec)
    found, _ = check(make_corpus(), store, encoder, 4, 1)
    assert found.pieces == 0
    assert found.line.startswith("not checked: ")
    assert found.line.endswith(reason)


def test_a_cache_of_other_weights_is_refused(tmp_path: Path) -> None:
    """A head says nothing about states that other weights computed."""
    _, store = encode(write_tiny_masked(tmp_path / "one", "bert"), tmp_path, make_corpus())
    other, _ = encode(write_tiny_masked(tmp_path / "two", "bert", seed=1), tmp_path / "two", make_corpus())
    with pytest.raises(InputError, match="computed by other weights"):
        check(make_corpus(), store, other, 4, 1)


def test_what_was_found_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The report reads what the stage wrote, and nothing where it did not run."""
    monkeypatch.chdir(tmp_path)
    assert read_fidelity("demo") is None
    found = Fidelity("demo", "m", "int8", "bfloat16", "", 4, 1000, 0.912, 0.914, 0.995)
    write_result(layout.fidelity_file("demo"), found)
    assert read_fidelity("demo") == found
    assert found.line == (
        "the masked-LM head names 91.20% of 1,000 cached tokens (int8), 91.40% of the same in float32; "
        "both say the same for 99.50%"
    )


def test_no_texts_at_all_is_a_wrong_call(capsys: pytest.CaptureFixture[str]) -> None:
    """`--texts 0` is refused with what is needed."""
    with pytest.raises(SystemExit, match="2"):
        fidelity.main(["demo", "--texts", "0"])
    assert "at least 1 is needed" in capsys.readouterr().err
