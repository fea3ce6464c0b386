from __future__ import annotations

import csv
import tracemalloc
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.corpus.corpus import Corpus
from features.corpus.ingest import Columns, Ingested, Reject, SplitPlan, ingest
from features.corpus.labels import rating_labels
from features.corpus.rows import clean_text
from features.corpus.splits import SPLITS
from features.errors import InputError
from tests.features.plain_ingest import PlainCorpus, plain_clean, plain_ingest

HEADER = ["Movie", "Star", "Comment", "More", "Part", "Sentence"]
RATINGS = rating_labels(1, 5)
COLUMNS = Columns(text="Comment", label="Star", reject_unknown=True)

pieces = st.sampled_from(
    [
        "好看",
        "a",
        " ",
        "  ",
        "\u3000",
        "\n",
        "\r\n",
        '"',
        ",",
        "<br />",
        "<BR>",
        "<b",
        "\u200b",
        "\ufeff",
        "😀",
        "x\x00y",
    ]
)
comments = st.lists(pieces, max_size=5).map("".join)
stars = st.sampled_from(["1", "2", "3", "4", "5", " 4", "5.0", "None", "", "nan", "6", "很好"])
films = st.sampled_from(["疯狂动物城", " 疯狂动物城\u200b", "钢铁侠", ""])
parts = st.sampled_from(["train", "dev", "test", "", "other"])
row = st.tuples(films, stars, comments, comments, parts, st.sampled_from(["1", "2", "3", ""])).map(list)
broken = st.sampled_from([HEADER, ["only one"], [], ["too", "many", "5", "", "", "", "", ""]])
tables = st.lists(row | row | row | row | broken, max_size=40)
roles = st.fixed_dictionaries(
    {},
    optional={
        "pair": st.just("More"),
        "group": st.just("Movie"),
        "split": st.just("Part"),
        "only": st.sampled_from(
            [{"Movie": ("疯狂动物城", "")}, {"Movie": ("疯狂动物城", ""), "Star": ("5", "4")}]
        ),
        "first_of": st.just("Sentence"),
    },
)
plans = st.builds(
    SplitPlan,
    test=st.sampled_from([1, 0.2]),
    validation=st.sampled_from([1, 0.1]),
    seed=st.integers(0, 3),
    by_group=st.booleans(),
    rows=st.none() | st.integers(15, 40),
    repeats=st.sampled_from(["move", "drop"]),
)


def write(path: Path, rows: list[list[str]]) -> None:
    """The rows, among some that every filter and every split leaves enough of."""
    good = [
        [
            "" if i % 5 else "疯狂动物城",
            str(4 + i % 2),
            f"good {i}",
            f"p{i}",
            ("train", "test")[i % 7 == 0],
            f"s{i}",
        ]
        for i in range(25)
    ]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADER, *good[:20], *rows, *good[20:]])


def assert_same(corpus: Corpus, result: Ingested, rejects: list[Reject], plain: PlainCorpus) -> None:
    """Row for row and text for text what the plain way gives."""
    found = [
        (corpus.texts[text].text, corpus.texts[text].pair, label, group, split, number)
        for text, label, group, split, number in zip(
            corpus.text.tolist(),
            corpus.label.tolist(),
            [None if code < 0 else corpus.groups[code] for code in corpus.group.tolist()],
            [SPLITS[code] for code in corpus.split.tolist()],
            corpus.number.tolist(),
            strict=True,
        )
    ]
    assert found == [(r.text, r.pair, r.label, r.group, split, r.number) for r, split in plain.rows]
    assert list(corpus.texts) == list(dict.fromkeys((r.text, r.pair) for r, _ in plain.rows))
    assert corpus.groups == tuple(dict.fromkeys(r.group for r, _ in plain.rows if r.group))
    assert [(r.number, r.line, r.reason) for r in rejects] == plain.rejects
    assert {**result.left_out} == {setting: n for setting, n in plain.left_out.items() if n}
    assert (result.audit.texts, result.audit.moved) == (plain.leaked, plain.moved)
    assert result.rejected == Counter(reject.reason for reject in rejects)
    assert result.read == len(corpus) + len(rejects) + sum(result.left_out.values())


@settings(max_examples=120, deadline=None)
@given(rows=tables, roles=roles, plan=plans)
def test_a_dirty_table_gives_the_same_corpus_as_the_plain_way(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], roles: dict[str, object], plan: SplitPlan
) -> None:
    """Rows, texts, groups, splits, rejects and counts equal those of loops over dictionaries."""
    folder = tmp_path_factory.mktemp("table")
    write(folder / "data.csv", rows)
    names = {"train": "train", "dev": "validation", "test": "test"}
    columns = replace(COLUMNS, split_names=names, **roles)  # type: ignore[arg-type]
    files: dict[str | None, Path] = {None: folder / "data.csv"}
    plain = plain_ingest(folder / "data.csv", columns, RATINGS, plan)
    rejects: list[Reject] = []
    if {split for _, split in plain.rows} != set(SPLITS):  # a sample may be one text many times
        with pytest.raises(InputError, match=r"leaves none|the (train|validation|test) split has no row"):
            ingest("demo", files, columns, RATINGS, plan, "zh", folder=folder)
        return
    result = ingest("demo", files, columns, RATINGS, plan, "zh", reject=rejects.append, folder=folder)
    assert_same(result.corpus, result, rejects, plain)
    result.corpus.save(folder / "corpus.h5")
    assert_same(Corpus.load(folder / "corpus.h5"), result, rejects, plain)
    assert {path.name for path in folder.iterdir()} == {"data.csv", "corpus.h5"}


@given(st.text(st.characters() | st.sampled_from(" \n\u3000\u200b<br/>\ufeff\x00"), max_size=12))
def test_clean_texts_are_told_from_others_rightly(text: str) -> None:
    """Cleaning skips its patterns only where they would change nothing."""
    assert clean_text(text) == plain_clean(text)


def test_long_tables_keep_their_numbers_and_report_progress(tmp_path: Path) -> None:
    """Rows keep numbers, lines and splits however many there are, and the bytes reported are the file's."""
    path = tmp_path / "data.csv"
    rows = [["", str(1 + i % 5), f"text {i % 15000}\nof two lines", "", "", ""] for i in range(20000)]
    rows[17000] = ["short"]
    write(path, rows)
    seen: list[int] = []
    rejects: list[Reject] = []
    result = ingest(
        "demo", {None: path}, COLUMNS, RATINGS, SplitPlan(), "en", reject=rejects.append, progress=seen.append
    )
    assert_same(result.corpus, result, rejects, plain_ingest(path, COLUMNS, RATINGS, SplitPlan()))
    assert len(seen) > 3
    assert min(seen) >= 0
    assert sum(seen) == path.stat().st_size


def test_long_texts_are_never_all_in_memory(tmp_path: Path) -> None:
    """Reading, saving, loading and passing over 60 MB of texts takes a third of that in memory."""
    path = tmp_path / "data.csv"
    rows = ([str(1 + i % 5), f"{i} {'abcd' * 5000}"] for i in range(3000))
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["Star", "Comment"], *rows])
    assert path.stat().st_size > 60e6
    tracemalloc.start()
    ingest("demo", {None: path}, COLUMNS, RATINGS, SplitPlan(), "en", folder=tmp_path).corpus.save(
        tmp_path / "corpus.h5"
    )
    assert sum(len(text.text) for text in Corpus.load(tmp_path / "corpus.h5").texts) > 60e6
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6


def test_a_filter_that_no_row_passes_names_the_values(tmp_path: Path) -> None:
    """The message gives what was asked for and the most frequent values with their counts."""
    path = tmp_path / "data.csv"
    path.write_text("Movie,Star,Comment\n" + "疯狂动物城,5,x\n" * 3 + "钢铁侠,5,y\n" * 2, "utf-8")
    columns = replace(COLUMNS, only={"Movie": ("疯狂动物园",)})
    found = r"\('Movie' in '疯狂动物园'\).*'疯狂动物城' \(3 rows\), '钢铁侠' \(2 rows\)"
    with pytest.raises(InputError, match=rf"no row of .*`columns.only` {found}"):
        ingest("demo", {None: path}, columns, RATINGS, SplitPlan(), "zh")


@pytest.mark.parametrize(
    ("columns", "place"),
    [
        (replace(COLUMNS, only={"Film": ("x",)}), "columns.only.Film"),
        (replace(COLUMNS, first_of="Film"), "columns.first_of"),
    ],
)
def test_a_filter_on_an_unknown_column_lists_those_there_are(
    tmp_path: Path, columns: Columns, place: str
) -> None:
    """A wrong name under `only` or `first_of` is answered with the columns of the file."""
    write(tmp_path / "data.csv", [])
    with pytest.raises(InputError, match=rf"no column 'Film' for `{place}`; it has 'Movie', 'Star'"):
        ingest("demo", {None: tmp_path / "data.csv"}, columns, RATINGS, SplitPlan(), "zh")


def test_dropping_repeats_leaves_test_as_it_was_given(tmp_path: Path) -> None:
    """Training rows that repeat a test text are left out and counted; none is moved."""
    rows = [["", "5", "both", "", part, ""] for part in ("train", "train", "test")]
    write(tmp_path / "data.csv", rows)
    columns = replace(COLUMNS, split="Part")
    files = {None: tmp_path / "data.csv"}
    moved = ingest("demo", files, columns, RATINGS, SplitPlan(validation=1), "en")
    dropped = ingest("demo", files, columns, RATINGS, SplitPlan(validation=1, repeats="drop"), "en")
    assert len(moved.corpus.rows("test")) == len(dropped.corpus.rows("test")) + 2
    assert (moved.audit.moved, moved.audit.dropped, moved.left_out) == (2, 0, {})
    assert (dropped.audit.moved, dropped.audit.dropped) == (0, 2)
    assert dropped.left_out == {"split.repeats": 2}


def test_dropping_every_training_row_is_refused(tmp_path: Path) -> None:
    """Where all training texts stand in test, dropping them ends in one clear line."""
    path = tmp_path / "data.csv"
    path.write_text("Star,Comment,Part\n5,same,train\n5,same,test\n", "utf-8")
    columns = replace(COLUMNS, split="Part")
    with pytest.raises(InputError, match=r"all 1 training rows repeat.*`split.repeats: move`"):
        ingest("demo", {None: path}, columns, RATINGS, SplitPlan(repeats="drop"), "en")
