from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from pipeline.project.stage import run_stage
from features.corpus.corpus import Corpus
from features.store.extraction import ExtractionSummary, extract
from pipeline.prepare import main
from pipeline.project import layout
from tests.features.fake_encoder import FakeEncoder

PARAMS = """
encoders: {en: {model: encoders/mini-en}}
corpora:
  films: &films
    source: data/films.csv
    columns: {text: Comment, label: Star, group: Movie_Name_CN}
    labels: {rating: [1, 5]}
    split: {}
    language: zh
    encode: {encoder: en, max_length: 32}
    words: {}
    tsne: {}
  one-film:
    <<: *films
    columns: {text: Comment, label: Star, only: {Movie_Name_CN: [疯狂动物城]}}
  demo:
    source: data
    columns: {text: text, label: stars}
    labels: {rating: [1, 3]}
    split: {files: {train: train.csv, test: test.csv}, validation: 0.2}
    language: en
    encode: {encoder: en, max_length: 32}
    words: {}
    tsne: {}
runs: {}
training: {}
attention: {}
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(PARAMS)
    Path("data").mkdir()
    train = "".join(f"a film of kind {i},{1 + i % 3}\n" for i in range(30))
    Path("data/train.csv").write_text("text,stars\n" + train + "leaked,1\ntwice,1\ntwice,2\n,3\n")
    comments = (f"{('疯狂动物城', '钢铁侠')[i % 2]},{1 + i % 5},短评{i}\n" for i in range(60))
    Path("data/films.csv").write_text("Movie_Name_CN,Star,Comment\n" + "".join(comments), "utf-8")
    Path("data/test.csv").write_text("text,stars\nleaked,2\nfresh,3\nnothing,none\n")


def test_the_summary_counts_what_was_done() -> None:
    """Rows, rejects by reason, splits, leaks and contradictions are counted."""
    main("demo")
    summary = json.loads((layout.corpus_folder("demo") / "summary.json").read_text())
    assert (summary["read"], summary["rows"]) == (37, 35)
    assert summary["rejected"] == {"empty text": 1, "no label": 1}
    assert (summary["leaked_texts"], summary["moved_rows"]) == (1, 1)
    assert summary["conflicting_texts"] == 2
    assert summary["splits"]["test"] == 3
    assert sum(summary["splits"].values()) == 35
    assert sum(summary["labels"]["test"].values()) == 3


def test_rejects_say_file_row_and_reason() -> None:
    """The rejects file can be opened beside the sources."""
    main("demo")
    with (layout.corpus_folder("demo") / "rejects.csv").open(encoding="utf-8-sig", newline="") as file:
        rejects = list(csv.DictReader(file))
    assert [(row["file"], row["row"], row["reason"]) for row in rejects] == [
        ("train.csv", "34", "empty text"),
        ("test.csv", "3", "no label"),
    ]


def test_preparing_twice_writes_the_same_bytes() -> None:
    """An unchanged source gives an unchanged corpus, so that nothing after it looks stale."""
    main("demo")
    first = (layout.corpus_folder("demo") / "corpus.h5").read_bytes()
    main("demo")
    assert (layout.corpus_folder("demo") / "corpus.h5").read_bytes() == first


def test_a_missing_file_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    """The stage ends as a user's mistake, naming the file and the setting."""
    Path("data/test.csv").unlink()
    with pytest.raises(SystemExit) as stopped:
        run_stage(main, "corpus", "Prepare.", ["demo"])
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert message.startswith("error: data/test.csv does not exist")
    assert len(message.splitlines()) == 1


def test_one_film_is_a_corpus_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    """`only` keeps the rows of the film; the others are counted in log and summary, and are no rejects."""
    with caplog.at_level("INFO"):
        main("one-film")
    summary = json.loads((layout.corpus_folder("one-film") / "summary.json").read_text())
    assert (summary["read"], summary["rows"], summary["rejected"]) == (60, 30, {})
    assert summary["left_out"] == {"columns.only": 30}
    assert "one-film: 30 rows left out by `columns.only`" in caplog.messages


def test_one_film_encodes_nothing_that_the_whole_has_encoded() -> None:
    """The store is keyed by text, so a filtered corpus after the whole finds all of its texts there."""
    assert [_extracted(name).new for name in ("films", "one-film")] == [60, 0]


def test_stray_quotes_are_counted_and_what_to_set_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """A row whose quote encloses nothing is a reject with its line, and the log names the setting."""
    with Path("data/films.csv").open("a", encoding="utf-8") as file:
        file.write('钢铁侠,3,"没有结束\n钢铁侠,4,好看\n')
    with caplog.at_level("INFO"):
        main("films")
    summary = json.loads((layout.corpus_folder("films") / "summary.json").read_text())
    assert (summary["read"], summary["rows"], summary["rejected"]) == (62, 61, {"stray quote": 1})
    assert any("1 rows have a quote that encloses nothing" in message for message in caplog.messages)
    rejects = (layout.corpus_folder("films") / "rejects.csv").read_text("utf-8-sig")
    assert 'films.csv,61,62,stray quote,"钢铁侠,3,""没有结束"' in rejects


def test_an_interrupted_run_leaves_no_texts_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies on disk while a table is read goes with the process that read it, whatever ends it."""

    def stop(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Corpus, "save", stop)
    with pytest.raises(KeyboardInterrupt):
        main("films")
    assert not list(layout.corpus_folder("films").iterdir())


def _extracted(name: str) -> ExtractionSummary:
    main(name)
    corpus = Corpus.load(layout.corpus_folder(name) / "corpus.h5")
    folder = layout.cache_folder(name)
    return extract(corpus.texts, corpus.text, FakeEncoder(), layout.store(), folder, lambda line: None)


def test_an_unknown_corpus_leaves_no_folder(capsys: pytest.CaptureFixture[str]) -> None:
    """A name that `params.yaml` has not is answered with those it has, and nothing is made on disk."""
    with pytest.raises(SystemExit):
        run_stage(main, "corpus", "Prepare.", ["flims"])
    assert "it has films, one-film, demo" in capsys.readouterr().err
    assert not layout.corpus_folder("flims").exists()
