from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from features.corpus.corpus import Corpus
from features.errors import InputError
from pipeline import prepare
from pipeline.commands import new
from pipeline.commands.presets import load_preset, preset_names
from pipeline.project import layout
from pipeline.project.params import load_params

ROOT = Path(__file__).resolve().parents[2]
NAMES = preset_names(ROOT / "presets")
PARAMS = """\
encoders:
  en: {model: encoders/mini-en}
  zh: {model: encoders/mini-zh}
corpora: {}
runs: {}
training: {}
attention: {}
"""
EMOTIONS = ("anger", "fear", "joy", "love", "sadness", "surprise")
FILMS = (("Zootopia", "疯狂动物城"), ("Iron Man", "钢铁侠"))

Rows = list[tuple[object, ...]]


def imdb(part: str) -> Rows:
    rows: Rows = [
        (f"A film, number {i}<br /><br />of many", ("negative", "positive")[i % 2]) for i in range(60)
    ]
    return [("review", "sentiment"), *rows]


def douban(part: str) -> Rows:
    header = (
        "ID", "Movie_Name_EN", "Movie_Name_CN", "Crawl_Date", "Number", "Username", "Date", "Star", "Comment",
        "Like",
    )  # fmt: skip
    rows: Rows = [
        (i, *FILMS[i % 2], "2017-01-22", i, f"用户{i}", "2015-05-12", 1 + i % 5, f"短评，\n第{i}条", i % 3)
        for i in range(60)
    ]
    return [header, *rows, (60, "", "", "", "", "", "", "None", "没有评分", 0)]


def rotten_tomatoes(part: str) -> Rows:
    rows: Rows = [(i, i // 4, f'a "phrase {i}', i % 5) for i in range(120)]
    return [("PhraseId", "SentenceId", "Phrase", "Sentiment"), *rows]


def emotion(part: str) -> Rows:
    return [(f"i feel it, {part} {i}", EMOTIONS[i % 6]) for i in range(30)]


def fake_news(part: str) -> Rows:
    rows: Rows = [(i, f"Shares fall {i}", f"The market, {i}", ("FAKE", "REAL")[i % 2]) for i in range(60)]
    return [("", "title", "text", "label"), *rows]


def liar(part: str) -> Rows:
    rows: Rows = [(f"Says, {part} {i}", ("TRUE", "False")[i % 2]) for i in range(30)]
    return [("Statement", "Label"), *rows]


def cola(part: str) -> Rows:
    return [("gj04", i % 2, "" if i % 2 else "*", f'The {part} "sentence {i}.') for i in range(40)]


# Corpus, what writes its files, whether with quotes, and the separator.
LAYOUTS: dict[str, tuple[Callable[[str], Rows], str]] = {
    "imdb": (imdb, ","), "imdb-8000": (imdb, ","), "imdb-40000": (imdb, ","), "douban": (douban, ","),
    "douban-one-film": (douban, ","), "rotten-tomatoes": (rotten_tomatoes, "\t"),
    "rotten-tomatoes-sentences": (rotten_tomatoes, "\t"), "emotion": (emotion, ";"),
    "fake-news": (fake_news, ","), "fake-news-text": (fake_news, ","), "liar": (liar, ","),
    "cola": (cola, "\t"), "cola-out-of-domain": (cola, "\t"),
}  # fmt: skip


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a params.yaml without corpora and the project's presets."""
    (tmp_path / "params.yaml").write_text(PARAMS, "utf-8")
    (tmp_path / "presets").symlink_to(ROOT / "presets")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, rows: Rows, separator: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        if separator == ",":
            csv.writer(file).writerows(rows)
        else:
            file.writelines(separator.join(map(str, row)) + "\n" for row in rows)


def shrunk(project: Path) -> None:
    """Splits given in thousands of rows do not fit a tiny file; their shares do."""
    text = (project / "params.yaml").read_text("utf-8")
    for size in ("{test: 2000, validation: 800,", "{test: 10000, validation: 4000,"):
        text = text.replace(size, "{test: 0.2, validation: 0.1,")
    (project / "params.yaml").write_text(text, "utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_reads_a_file_in_its_layout(project: Path, name: str) -> None:
    """Added with one command, each preset prepares a made-up file with all labels and three splits."""
    preset = load_preset(name)
    rows_of, separator = LAYOUTS[name]
    for file in preset.download.files:
        write(project / preset.download.folder / file, rows_of(file), separator)
    entry = new.from_preset(name, None, None)
    shrunk(project)
    prepare.main(entry.name)
    corpus = Corpus.load(layout.corpus_folder(entry.name) / "corpus.h5")
    declared = load_params().corpus(entry.name)
    assert all(len(corpus.rows(split)) for split in ("train", "validation", "test"))
    assert set(corpus.label.tolist()) == set(corpus.labels.values)
    assert Path(declared.source).is_relative_to(preset.download.folder)
    assert {run.corpus for run in load_params().runs.values()} == {entry.name}
    rejects = (layout.corpus_folder(entry.name) / "rejects.csv").read_text("utf-8-sig").splitlines()[1:]
    assert len(rejects) == (1 if name == "douban" else 0)


@pytest.mark.parametrize("name", NAMES)
def test_every_preset_is_documented(name: str) -> None:
    """docs/corpora.md has each preset's name, source and headline metric."""
    text = (ROOT / "docs" / "corpora.md").read_text("utf-8")
    preset = load_preset(name, ROOT / "presets")
    row = next(line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
    assert preset.metric in row
    assert (preset.download.kaggle or preset.download.url or "") in row


def test_both_sides_of_cola_share_their_training_rows(project: Path) -> None:
    """The two CoLA presets differ in their test rows only."""
    first, second = (load_preset(name).entry.corpus for name in ("cola", "cola-out-of-domain"))
    assert first["split"]["files"].pop("test") == "in_domain_dev.tsv"
    assert second["split"]["files"].pop("test") == "out_of_domain_dev.tsv"
    assert first == second


def test_a_preset_takes_another_name_and_source(project: Path) -> None:
    """--name renames corpus and runs together, --source says where the file is."""
    new.main(["--preset", "imdb", "--name", "films", "--source", "elsewhere/films.csv"])
    params = load_params()
    assert params.corpus("films").source == "elsewhere/films.csv"
    assert sorted(params.runs) == ["films-attn", "films-linear"]


def test_a_preset_is_added_once(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The second time its name is taken; the file stays as the first left it."""
    new.main(["--preset", "emotion"])
    assert "`python -m pipeline fetch emotion` gets it" in capsys.readouterr().out
    before = (project / "params.yaml").read_bytes()
    with pytest.raises(SystemExit) as stop:
        new.main(["--preset", "emotion"])
    assert stop.value.code == 2
    assert "already" in capsys.readouterr().err
    assert (project / "params.yaml").read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new_text", "message"),
    [
        ("metric: accuracy", "headline: accuracy", "metric: Field required"),
        ("kaggle: ", "cagel: ", "give one of `kaggle`, `hub` and `url`|cagel"),
        ("files: [IMDB Dataset.csv]", "files: [../up.csv]", "download.files.0: String should match"),
        ("imdb-full-linear", "other-linear", "run 'other-linear' is not one of corpus 'imdb-full'"),
    ],
)
def test_a_broken_preset_names_its_mistake(tmp_path: Path, old: str, new_text: str, message: str) -> None:
    """Place and reason stand in one line."""
    text = (ROOT / "presets" / "imdb.yaml").read_text("utf-8")
    assert old in text
    (tmp_path / "imdb.yaml").write_text(text.replace(old, new_text), "utf-8")
    with pytest.raises(InputError, match=message):
        load_preset("imdb", tmp_path)


def test_an_unknown_preset_lists_those_there_are() -> None:
    """A typing error is answered with the names."""
    with pytest.raises(InputError, match=r"no preset 'imbd'.*cola, .*imdb, "):
        load_preset("imbd", ROOT / "presets")
