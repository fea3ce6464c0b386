from __future__ import annotations

import contextlib
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.corpus.corpus import Corpus
from features.corpus.ingest import Columns, Ingested, Reject, SplitPlan, ingest
from features.corpus.labels import class_labels, rating_labels
from features.corpus.rows import clean_text
from features.corpus.tables import TableFormat
from features.corpus.texts import Text
from features.errors import InputError

RATINGS = rating_labels(1, 5)
PLAN = SplitPlan(test=1, validation=1, seed=1)
COLUMNS = Columns(text="Comment", label="Star")


def read(path: Path, columns: Columns = COLUMNS, plan: SplitPlan = PLAN) -> Ingested:
    return read_all(path, columns, plan)[0]


def read_all(path: Path, columns: Columns = COLUMNS, plan: SplitPlan = PLAN) -> tuple[Ingested, list[Reject]]:
    rejects: list[Reject] = []
    result = ingest("demo", {None: path}, columns, RATINGS, plan, "zh", reject=rejects.append)
    assert result.read == len(result.corpus) + len(rejects) + sum(result.left_out.values())
    return result, rejects


def table(tmp_path: Path, *rows: str, header: str = "Star,Comment") -> Path:
    path = tmp_path / "data.csv"
    path.write_text("\n".join([header, *rows]) + "\n", "utf-8")
    return path


GOOD = [f"{1 + i % 5},good text {i}" for i in range(20)]


def test_every_row_is_used_or_rejected_with_its_reason(tmp_path: Path) -> None:
    """Dirty rows are written down with number, line and reason; the clean ones make the corpus."""
    dirty = ["None,no star", "5,<br />", "Star,Comment", "5,one,too many", ",no star either"]
    result, rejects = read_all(table(tmp_path, *GOOD, *dirty))
    reasons = [(reject.number, reject.line, reject.reason) for reject in rejects]
    assert reasons == [
        (21, 22, "no label"),
        (22, 23, "empty text"),
        (23, 24, "the header again"),
        (24, 25, "3 fields, expected 2"),
        (25, 26, "no label"),
    ]
    assert len(result.corpus) == 20
    assert result.read == 25


def test_a_field_may_span_lines(tmp_path: Path) -> None:
    """A quoted comment over two lines is one row, and the next row knows its line in the file."""
    result, rejects = read_all(table(tmp_path, *GOOD, '5,"two\nlines"', "None,x"))
    assert Text("two lines") in result.corpus.texts
    assert rejects[0].line == 24


def test_unknown_labels_stop_with_their_count_or_reject_on_request(tmp_path: Path) -> None:
    """A label outside the declared ones stops the run, unless the schema says to reject such rows."""
    path = table(tmp_path, *GOOD, "6,x", "6,y")
    with pytest.raises(
        InputError, match=r"1 unknown labels in column 'Star'.*'6' \(2 rows\).*unknown: reject"
    ):
        read(path)
    lenient = read(path, Columns(text="Comment", label="Star", reject_unknown=True))
    assert lenient.rejected == {"unknown label '6'": 2}


@pytest.mark.parametrize(("low", "high"), [(5, 1), (3, 3), (1, 200_000_000), (0, 1000)])
def test_ratings_are_few_and_in_order(low: int, high: int) -> None:
    """A range that is empty, or that no scale has, is refused before it takes any memory."""
    with pytest.raises(InputError, match=r"`labels.rating` is \[.*at most 1000 ratings"):
        rating_labels(low, high)


def test_a_missing_column_is_named_with_those_there_are(tmp_path: Path) -> None:
    """A wrong column name is answered with the names in the file."""
    with pytest.raises(InputError, match=r"no column 'text' for `columns.text`; it has 'Star', 'Comment'"):
        read(table(tmp_path, *GOOD), Columns(text="text", label="Star"))


@pytest.mark.parametrize(
    ("content", "message"),
    [("", "is empty"), ("Star,Comment\n", "a header only"), ("Star,Comment\nNone,x\n", "no label, 1")],
)
def test_a_file_without_a_usable_row_stops(tmp_path: Path, content: str, message: str) -> None:
    """An empty file, a bare header and a file of rejects each end in one clear line."""
    path = tmp_path / "data.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        read(path)


def test_a_missing_file_says_where_it_was_looked_for(tmp_path: Path) -> None:
    """The message names the path and the setting."""
    with pytest.raises(InputError, match=r"absent\.csv does not exist.*source"):
        read(tmp_path / "absent.csv")


def test_another_encoding_is_recognised_and_can_be_declared(tmp_path: Path) -> None:
    """A GB18030 file stops with the byte and the remedy, and is read once its encoding is named."""
    path = tmp_path / "data.csv"
    path.write_text("Star,Comment\n" + "\n".join(f"5,很好看{i}" for i in range(9)), "gb18030")
    with pytest.raises(InputError, match=r"is not utf-8-sig .byte.*gb18030"):
        read(path)
    columns = Columns(text="Comment", label="Star", form=TableFormat(encoding="gb18030"))
    assert Text("很好看0") in read(path, columns).corpus.texts


def test_equal_texts_are_one_text_with_several_rows(tmp_path: Path) -> None:
    """Texts that differ only in breaks and white space share an entry, whatever their labels."""
    result = read(table(tmp_path, *GOOD, "1,same  text", "2,same<br/>text", "3, same\u3000text "))
    assert result.corpus.texts.count(Text("same text")) == 1
    rows = [row for row in range(len(result.corpus)) if result.corpus.row_texts([row]) == ["same text"]]
    assert sorted(result.corpus.label[rows].tolist()) == [1, 2, 3]
    assert len(set(result.corpus.split[rows].tolist())) == 1


def test_pairs_groups_and_given_splits_are_read(tmp_path: Path) -> None:
    """Second text, group and split columns land in the corpus; an unknown split rejects its row."""
    rows = [f"{i},t{i},p{i},g{i % 3},{'train' if i % 4 else 'held'}" for i in range(1, 6)]
    path = table(tmp_path, *rows, "5,x,y,g,other", header="Star,Comment,More,Movie,Part")
    columns = Columns(
        text="Comment", label="Star", pair="More", group="Movie", split="Part",
        split_names={"train": "train", "held": "test"},
    )  # fmt: skip
    result = read(path, columns)
    assert result.corpus.texts[0] == Text("t1", "p1")
    assert result.corpus.groups == ("g1", "g2", "g0")
    assert result.corpus.row_texts(result.corpus.rows("test")) == ["t4 p4"]
    assert result.rejected == {"unknown split 'other'": 1}


def test_given_files_are_splits_and_leaks_between_them_are_mended(tmp_path: Path) -> None:
    """A text in the training and the test file stays in test, and is counted."""
    files: dict[str | None, Path] = {}
    for split, lines in {"train": [*GOOD, "1,leak"], "test": ["5,leak", "4,fresh"]}.items():
        (tmp_path / split).mkdir()
        files[split] = table(tmp_path / split, *lines)
    result = ingest("demo", files, COLUMNS, RATINGS, PLAN, "en")
    assert (result.audit.texts, result.audit.moved) == (1, 1)
    assert sorted(set(result.corpus.row_texts(result.corpus.rows("test")))) == ["fresh", "leak"]
    assert len(result.corpus.rows("validation")) == 1


def test_held_out_groups_share_no_group_with_train(tmp_path: Path) -> None:
    """Splitting by group keeps every movie on one side."""
    rows = [f"{1 + i % 5},text {i},movie {i % 10}" for i in range(200)]
    path = table(tmp_path, *rows, header="Star,Comment,Movie")
    columns = Columns(text="Comment", label="Star", group="Movie")
    corpus = read(path, columns, SplitPlan(test=0.2, validation=0.1, by_group=True)).corpus
    sides = [set(corpus.group[corpus.rows(split)].tolist()) for split in ("train", "validation", "test")]
    assert all(sides)
    assert not sides[0] & sides[1] | sides[0] & sides[2] | sides[1] & sides[2]


def test_five_groups_leave_no_empty_validation_split(tmp_path: Path) -> None:
    """A share that comes to no group is refused with what to change; one group is enough."""
    rows = [f"{1 + i % 5},text {i},movie {i % 5}" for i in range(200)]
    path = table(tmp_path, *rows, header="Star,Comment,Movie")
    columns = Columns(text="Comment", label="Star", group="Movie")
    message = r"validation split has no row: `split.validation` is 0.1, of 5 groups.*whole number such as 1"
    with pytest.raises(InputError, match=message):
        read(path, columns, SplitPlan(test=0.2, validation=0.1, by_group=True))
    corpus = read(path, columns, SplitPlan(test=0.2, validation=1, by_group=True)).corpus
    assert [len(corpus.rows(split)) for split in ("train", "validation", "test")] == [120, 40, 40]


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (SplitPlan(test=0.0, validation=1), "test split has no row: `split.test` is 0.0, of 20 texts"),
        (SplitPlan(test=1, validation=0.01), "validation split has no row: `split.validation` is 0.01"),
        (SplitPlan(test=15, validation=5), "leaves none of the 20 for training"),
    ],
)
def test_a_split_without_a_row_is_refused(tmp_path: Path, plan: SplitPlan, message: str) -> None:
    """Whichever split stays empty, the message names the setting."""
    with pytest.raises(InputError, match=message):
        read(table(tmp_path, *GOOD), plan=plan)


def test_given_splits_without_test_rows_are_refused(tmp_path: Path) -> None:
    """A split column that holds no test row is answered with where to look."""
    path = table(tmp_path, *(f"{row},train" for row in GOOD), header="Star,Comment,Part")
    with pytest.raises(InputError, match=r"the test split has no row.*split_names"):
        read(path, Columns(text="Comment", label="Star", split="Part"))


def test_unquoted_text_files_without_header_are_read(tmp_path: Path) -> None:
    """`text;label` lines need no header, and their quotes are plain characters."""
    path = tmp_path / "data.txt"
    path.write_text("".join(f'he said "{i};joy\nno {i};anger\n' for i in range(5)))
    columns = Columns(text="0", label="1", form=TableFormat(separator=";", header=False))
    result = ingest("demo", {None: path}, columns, class_labels(["anger", "joy"]), PLAN, "en")
    assert result.corpus.texts[0] == Text('he said "0')
    assert result.corpus.labels.names == ("anger", "joy")


def test_a_corpus_survives_its_file(tmp_path: Path) -> None:
    """Saving and loading gives the same corpus, and saving twice the same bytes."""
    corpus = read(table(tmp_path, *GOOD, "5,表情😀和 “引号”")).corpus
    corpus.save(tmp_path / "a.h5")
    corpus.save(tmp_path / "b.h5")
    loaded = Corpus.load(tmp_path / "a.h5")
    assert loaded.texts == corpus.texts
    assert loaded.labels == corpus.labels
    for name in ("text", "label", "split", "number", "group"):
        assert getattr(loaded, name).tolist() == getattr(corpus, name).tolist()
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_a_file_that_is_no_corpus_says_how_to_make_it(tmp_path: Path) -> None:
    """Foreign bytes, an empty file, a folder and a missing file are refused with the remedy."""
    (tmp_path / "foreign.h5").write_bytes(b"not hdf5")
    (tmp_path / "empty.h5").touch()
    (tmp_path / "folder.h5").mkdir()
    for name in ("foreign", "empty", "folder", "absent"):
        with pytest.raises(InputError, match="dvc repro"):
            Corpus.load(tmp_path / f"{name}.h5")


def test_no_flipped_bit_of_a_corpus_passes(tmp_path: Path) -> None:
    """Any bit of the file that differs, and any byte that is missing, is refused in one line."""
    path = tmp_path / "corpus.h5"
    read(table(tmp_path, *GOOD, "5,表情😀")).corpus.save(path)
    good = path.read_bytes()
    chance = random.Random(13)
    for place in [*range(0, 700, 7), *(chance.randrange(len(good)) for _ in range(200))]:
        bad = bytearray(good)
        bad[place] ^= 1 << chance.randrange(8)
        path.write_bytes(bad)
        with pytest.raises(InputError, match="dvc repro"):
            Corpus.load(path)
    path.write_bytes(good[:-1])
    with pytest.raises(InputError, match="is damaged"):
        Corpus.load(path)


def test_a_digest_says_whether_results_of_a_corpus_still_hold(tmp_path: Path) -> None:
    """Saving, another name and another format keep it; order, texts, pairs, labels, splits, groups do not."""
    header = "Movie,Star,Comment,More"
    columns = replace(COLUMNS, pair="More", group="Movie")
    rows = [f"film {i % 3},{line},pair {i % 4}" for i, line in enumerate(GOOD)]
    corpus = read(table(tmp_path, *rows, header=header), columns).corpus
    corpus.save(tmp_path / "corpus.h5")
    assert Corpus.load(tmp_path / "corpus.h5").digest == corpus.digest
    assert replace(corpus, name="other", texts=list(corpus.texts)).digest == corpus.digest
    labels = corpus.labels
    others = {
        replace(corpus, labels=replace(labels, names=labels.names[::-1])).digest,
        replace(corpus, labels=replace(labels, ordered=False)).digest,
        replace(corpus, texts=[*corpus.texts[:-1], Text("else", "pair")]).digest,
        replace(corpus, texts=[Text(text.text) for text in corpus.texts]).digest,
        replace(corpus, texts=[Text(text.joined) for text in corpus.texts]).digest,
        replace(corpus, text=corpus.text[::-1]).digest,
        replace(corpus, label=corpus.label[::-1]).digest,
        replace(corpus, split=corpus.split[::-1]).digest,
        replace(corpus, groups=("film 0", "film 1", "film 3")).digest,
        replace(corpus, group=corpus.group[::-1]).digest,
        read(table(tmp_path, *rows[::-1], header=header), columns).corpus.digest,
        corpus.digest,
    }
    assert len(others) == 12


@given(st.text())
def test_cleaning_is_idempotent_and_leaves_no_stray_space(text: str) -> None:
    """Cleaning a cleaned text changes nothing, and the result can be stored as UTF-8."""
    cleaned = clean_text(text)
    assert clean_text(cleaned) == cleaned
    assert cleaned == cleaned.strip()
    assert "  " not in cleaned
    cleaned.encode("utf-8")


@settings(max_examples=60)
@given(st.binary(max_size=300))
def test_any_bytes_end_in_a_corpus_or_one_clear_line(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    """Whatever a file holds, reading it gives a corpus or an error for the user, never a crash."""
    path = tmp_path_factory.mktemp("fuzz") / "data.csv"
    path.write_bytes(b"Star,Comment\n" + data)
    with contextlib.suppress(InputError):
        read(path)
