import csv
import importlib.util
import re
from collections import Counter
from pathlib import Path

import pytest

SAMPLE = Path(__file__).parents[1] / "data" / "sample"
BLANK = re.compile(r"(\s|<br />)*")


def _rows(name: str) -> list[dict[str, str]]:
    with (SAMPLE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


@pytest.fixture(scope="module")
def imdb() -> list[dict[str, str]]:
    return _rows("imdb.csv")


@pytest.fixture(scope="module")
def douban() -> list[dict[str, str]]:
    return _rows("douban.csv")


def _usable(rows: list[dict[str, str]], text: str, label: str, labels: set[str]) -> list[dict[str, str]]:
    return [row for row in rows if row[label] in labels and not BLANK.fullmatch(row[text])]


def test_regenerating_gives_the_committed_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The generator writes exactly the files that are committed."""
    monkeypatch.syspath_prepend(str(SAMPLE))
    spec = importlib.util.spec_from_file_location("sample_generate", SAMPLE / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main(tmp_path)
    for name in ("imdb.csv", "douban.csv"):
        assert (tmp_path / name).read_bytes() == (SAMPLE / name).read_bytes()


def test_files_are_small_utf8_without_byte_order_mark() -> None:
    """The two files together stay below 3 MB and start with their header at once."""
    contents = [(SAMPLE / name).read_bytes() for name in ("imdb.csv", "douban.csv")]
    assert sum(map(len, contents)) < 3_000_000
    assert contents[0].startswith(b"review,sentiment\n")
    assert contents[1].startswith(b"ID,Movie_Name_CN,Star,Comment\n")


def test_rows_suffice_and_every_row_has_all_columns(
    imdb: list[dict[str, str]], douban: list[dict[str, str]]
) -> None:
    """There are at least 2,200 reviews and 4,400 comments, none with a column too many or too few."""
    assert len(imdb) >= 2200
    assert len(douban) >= 4400
    for row in imdb + douban:
        assert None not in row
        assert None not in row.values()


def test_labels_come_from_the_known_sets(imdb: list[dict[str, str]], douban: list[dict[str, str]]) -> None:
    """Labels are sentiments or stars, missing in a few rows, and the header in one."""
    assert {row["sentiment"] for row in imdb} == {"positive", "negative", "", "sentiment"}
    assert {row["Star"] for row in douban} == {"1", "2", "3", "4", "5", "", "None", "Star"}


def test_sentiment_is_balanced(imdb: list[dict[str, str]]) -> None:
    """Positive reviews make up about half."""
    usable = _usable(imdb, "review", "sentiment", {"positive", "negative"})
    assert 0.47 < sum(row["sentiment"] == "positive" for row in usable) / len(usable) < 0.53


@pytest.mark.parametrize(("star", "share"), [("1", 0.06), ("2", 0.11), ("3", 0.31), ("4", 0.34), ("5", 0.18)])
def test_stars_are_skewed_as_in_real_life(douban: list[dict[str, str]], star: str, share: float) -> None:
    """Each star's share is within three points of the skew that it was drawn for."""
    usable = _usable(douban, "Comment", "Star", set("12345"))
    assert abs(sum(row["Star"] == star for row in usable) / len(usable) - share) < 0.03


def test_films_differ_in_mean_rating(douban: list[dict[str, str]]) -> None:
    """There are six to eight films, each with hundreds of comments, whose means span more than a star."""
    stars: dict[str, list[int]] = {}
    for row in _usable(douban, "Comment", "Star", set("12345")):
        stars.setdefault(row["Movie_Name_CN"], []).append(int(row["Star"]))
    del stars[""]
    assert 6 <= len(stars) <= 8
    assert min(map(len, stars.values())) >= 300
    means = [sum(given) / len(given) for given in stars.values()]
    assert max(means) - min(means) > 1.0


@pytest.mark.parametrize(("name", "text", "label"), [("imdb.csv", "review", "sentiment"),
                                                     ("douban.csv", "Comment", "Star")])  # fmt: skip
def test_dirt_is_there_and_rare(name: str, text: str, label: str) -> None:
    """Blank texts, missing labels, a stray header, two-line texts and quotes stand in a few rows each."""
    rows = _rows(name)
    dirt = {
        "blank": sum(bool(BLANK.fullmatch(row[text])) for row in rows),
        "unlabelled": sum(row[label] in ("", "None") for row in rows),
        "header": sum(row[label] == label for row in rows),
        "two lines": sum("\n" in row[text].strip() for row in rows),
        "quotes": sum('"' in row[text] for row in rows),
    }
    assert min(dirt.values()) >= 1
    assert dirt["header"] == 1
    assert sum(dirt.values()) < 0.03 * len(rows)


def test_some_comments_lack_their_film(douban: list[dict[str, str]]) -> None:
    """A few rows name no film."""
    assert 1 <= sum(row["Movie_Name_CN"] == "" for row in douban) <= 20


@pytest.mark.parametrize(("name", "text", "label"), [("imdb.csv", "review", "sentiment"),
                                                     ("douban.csv", "Comment", "Star")])  # fmt: skip
def test_texts_repeat_seldom_and_sometimes_disagree(name: str, text: str, label: str) -> None:
    """At least 97 % of the texts are distinct, and of those that repeat some carry different labels."""
    rows = [row for row in _rows(name) if not BLANK.fullmatch(row[text])]
    labels: dict[str, set[str]] = {}
    for row in rows:
        labels.setdefault(row[text], set()).add(row[label])
    assert 0.97 <= len(labels) / len(rows) < 1.0
    assert any(len(given) > 1 for given in labels.values())


def test_no_template_shows_through(imdb: list[dict[str, str]], douban: list[dict[str, str]]) -> None:
    """No text holds an unfilled slot, an unresolved or wrong article, or a word said twice in a row."""
    for text in [row["review"] for row in imdb]:
        assert not re.search(r"[{}|]|a\(n\)|\b(\w+) \1\b", text), text
        assert not re.search(r"\b[Aa] (?!one)[aeio]|\b[Aa]n (?!hour)[^aeiou]", text), text
    for text in [row["Comment"] for row in douban]:
        assert not re.search(r"[{}|]|[，。；]{2}|的的|了了", text), text


def test_vocabulary_is_varied(imdb: list[dict[str, str]], douban: list[dict[str, str]]) -> None:
    """Reviews use at least 1,500 different words, comments at least 1,000 different characters."""
    words = Counter(word for row in imdb for word in re.findall(r"[a-zé']+", row["review"].lower()))
    characters = {letter for row in douban for letter in row["Comment"] if "\u4e00" <= letter <= "\u9fff"}
    assert len(words) >= 1500
    assert len(characters) >= 1000


def test_comments_are_as_short_as_on_the_site(douban: list[dict[str, str]]) -> None:
    """Comments have 5 to 80 characters, quotations added as dirt aside."""
    lengths = [len(row["Comment"]) for row in _usable(douban, "Comment", "Star", set("12345"))]
    assert min(lengths) >= 5
    assert max(lengths) <= 95
