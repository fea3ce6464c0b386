from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.corpus.ingest import STRAY_QUOTE, Columns, Ingested, Reject, SplitPlan, ingest
from features.corpus.labels import rating_labels
from features.corpus.tables import MOST_LINES, RawRow, Table, TableFormat
from features.errors import InputError

COLUMNS = Columns(text="Comment", label="Star", reject_unknown=True)


def written(tmp_path: Path, lines: list[str], header: str = "Star,Comment") -> Path:
    path = tmp_path / "data.csv"
    path.write_text("\n".join([header, *lines]) + "\n", "utf-8")
    return path


def read(path: Path, columns: Columns = COLUMNS) -> tuple[Ingested, list[Reject]]:
    rejects: list[Reject] = []
    plan = SplitPlan(test=1, validation=1)
    return ingest(
        "demo", {None: path}, columns, rating_labels(1, 5), plan, "en", reject=rejects.append
    ), rejects


def plain_rows(count: int) -> list[str]:
    return [f"{1 + i % 5},text {i}" for i in range(count)]


def test_two_stray_quotes_lose_no_row(tmp_path: Path) -> None:
    """Of 10,000 unquoted rows, 5 and 6,000 begin with a quote: both are rejected with their lines, and every
    other one is a row.
    """
    rows = plain_rows(10_000)
    for i in (4, 5999):
        rows[i] = '"' + rows[i]
    result, rejects = read(written(tmp_path, rows))
    assert (result.read, len(result.corpus)) == (10_000, 9_998)
    assert [(reject.number, reject.line) for reject in rejects] == [(5, 6), (6000, 6001)]
    assert result.rejected == {STRAY_QUOTE: 2}
    assert rejects[0].excerpt == '"5,text 4'


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("header", ["Star,Comment", "Comment,Star", "ID,Star,Comment", "Comment,Star,ID"])
def test_stray_quotes_anywhere_lose_no_row(tmp_path: Path, header: str, seed: int) -> None:
    """With quotes at random places of one row in fifty, as many are used or rejected as the file has, and
    whatever is used is one line of it.
    """
    chance = random.Random(seed)
    names = header.split(",")
    lines = []
    for i in range(5000):
        fields = {"ID": str(i), "Star": str(1 + i % 5), "Comment": f"a text of number {i}"}
        if chance.random() < 0.05:
            fields["Comment"] += ", of two parts"
        if chance.random() < 0.02:
            place = chance.choice([0, len(fields["Comment"]), chance.randrange(20)])
            fields["Comment"] = fields["Comment"][:place] + '"' + fields["Comment"][place:]
        if chance.random() < 0.005:
            fields["Star"] = chance.choice(["None", "", '"5', '5"'])
        lines.append(",".join(fields[name] for name in names))
    result, rejects = read(written(tmp_path, lines, header))
    assert result.read == 5000
    assert [reject.number for reject in rejects] == [reject.line - 1 for reject in rejects]
    assert max(len(text.text) for text in result.corpus.texts) < 50


def test_fields_over_many_lines_are_read_among_stray_quotes(tmp_path: Path) -> None:
    """A well-formed field may have blank lines, commas and doubled quotes in it; a stray one beside it costs
    its own line alone.
    """
    lines = ['5,"one, two', "", 'three ""four"", 5, 6', 'seven"', '4,"stray', "3,plain", '"2","two', 'lines"']
    result, rejects = read(written(tmp_path, [*lines, *plain_rows(5)]))
    texts = [text.text for text in result.corpus.texts]
    assert texts[:3] == ['one, two three "four", 5, 6 seven', "plain", "two lines"]
    assert [(reject.number, reject.line, reject.reason) for reject in rejects] == [(2, 6, STRAY_QUOTE)]
    assert result.read == 9


def test_a_line_of_a_text_may_look_like_a_row(tmp_path: Path) -> None:
    """One among several lines makes no row of it; a text of nothing else is what the rule cannot tell."""
    text = '5,"all in all:\n4, for the music\nnot more\nand no less"'
    result, rejects = read(written(tmp_path, [text, *plain_rows(5)]))
    assert result.corpus.texts[0].text == "all in all: 4, for the music not more and no less"
    assert not rejects


def test_a_quote_that_never_closes_costs_one_line(tmp_path: Path) -> None:
    """It is rejected whether rows follow it or not, and lines that are no rows are read one by one."""
    for after in (plain_rows(5), ["no row"] * 5, ["no row"] * (2 * MOST_LINES)):
        result, rejects = read(written(tmp_path, [*plain_rows(5), '5,"never closed', *after]))
        assert result.read == 6 + len(after)
        assert (rejects[0].line, rejects[0].reason) == (7, STRAY_QUOTE)


def test_a_record_may_have_many_lines_but_not_any_number(tmp_path: Path) -> None:
    """One line below the bound is a text; at the bound its first line is rejected."""
    for lines, used in ((MOST_LINES - 1, 1), (MOST_LINES, 0)):
        body = "\n".join(["x"] * lines)
        result, rejects = read(written(tmp_path, [*plain_rows(5), f'5,"{body}"']))
        assert len(result.corpus) == 5 + used
        assert bool(rejects) is not bool(used)


def test_a_stray_row_keeps_what_its_line_says(tmp_path: Path) -> None:
    """Without knowing which rows can be used, a quote that closes amid a field still swallows none."""
    path = written(tmp_path, ['5,"one', '4,"two', "3,three"])
    assert list(Table(path, TableFormat()).rows()) == [
        RawRow(1, 2, ("5", '"one'), stray=True),
        RawRow(2, 3, ("4", '"two'), stray=True),
        RawRow(3, 4, ("3", "three")),
    ]


@given(st.text('ab5",\n\r ', min_size=1, max_size=60), st.booleans())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_letter_of_a_file_stands_in_one_row(tmp_path: Path, content: str, labels: bool) -> None:
    """However quotes, commas and line ends fall, no letter is lost or read twice, and lines only go up."""
    path = tmp_path / "any.csv"
    path.write_text(content, "utf-8", newline="")
    try:
        table = Table(path, TableFormat(header=False))
    except InputError:
        assert not content.strip("\r\n")
        return
    rows = list(table.rows((lambda fields: fields[0].strip() == "5") if labels else None))
    read = "".join(field for row in rows for field in row.fields)
    assert [letter for letter in read if letter in "ab5"] == [letter for letter in content if letter in "ab5"]
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    lines = [row.line for row in rows]
    assert lines == sorted(set(lines))


def test_two_columns_of_one_name_are_refused_where_one_is_asked_for(tmp_path: Path) -> None:
    """The first does not win in silence; columns nobody asks for may share a name."""
    path = written(tmp_path, ["5,a,b"], "Star,Comment,Comment")
    with pytest.raises(
        InputError, match=r"2 columns called 'Comment' for `columns.text`.*rename all but one"
    ):
        read(path)
    path = written(tmp_path, [f"{row},," for row in plain_rows(5)], "Star,Comment,,")
    assert len(read(path)[0].corpus) == 5


@pytest.mark.parametrize(
    ("encoding", "message"),
    [
        ("utf-16", r"is not utf-16 \(.*BOM.*`columns.encoding`"),
        ("punycode", "is not punycode"),
        ("undefined", "is 'undefined', which is none"),
        ("utf-8\x00", r"is 'utf-8\\x00', which is none that Python knows"),
        ("utf-88", "is 'utf-88', which is none that Python knows"),
        ("rot13", "is 'rot13', which is none that Python knows"),
        ("ascii", r"is not ascii \(byte 0xc3"),
    ],
)
def test_an_encoding_that_cannot_be_is_one_line(tmp_path: Path, encoding: str, message: str) -> None:
    """Whatever is written under `encoding`, the message names the setting."""
    path = written(tmp_path, ["5,caf\u00e9"])
    with pytest.raises(InputError, match=message):
        read(path, Columns("Comment", "Star", form=TableFormat(encoding=encoding)))


@pytest.mark.parametrize("separator", ["", ",,", '"', "\n"])
def test_a_separator_is_one_character(tmp_path: Path, separator: str) -> None:
    """Neither several, nor a quote or a line end."""
    if separator:
        with pytest.raises(InputError, match=r"`columns.separator` is .*one character"):
            Table(written(tmp_path, []), TableFormat(separator=separator))
    else:  # as if it were not given
        assert Table(written(tmp_path, []), TableFormat(separator="")).separator == ","
