from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.errors import InputError
from pipeline.commands.entry import flow
from pipeline.commands.roles import Roles, assign_roles
from pipeline.commands.table_profile import profile


def table(path: Path, rows: list[list[object]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def look(path: Path) -> Roles:
    return assign_roles(profile(path))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["text"], ["a"], ["b"]], "one column under every separator"),
        ([["a", "b"], [1, 2], [3, 4], [5, 6]], "no column .* looks like text.*--text"),
        ([["text", "id"], *[[f"some words {i}", f"k{i}"] for i in range(30)]], "labels that repeat.*--label"),
        ([], "is empty or unreadable"),
    ],
)
def test_nothing_sensible_ends_in_one_line(tmp_path: Path, rows: list[list[object]], message: str) -> None:
    """A table without texts, labels or rows says what was looked for."""
    with pytest.raises(InputError, match=message):
        look(table(tmp_path / "bad.csv", rows))
    with pytest.raises(InputError, match="does not exist"):
        look(tmp_path / "absent.csv")


@given(st.one_of(st.binary(max_size=300), st.text(alphabet='ab,;\t"\n1好', max_size=200).map(str.encode)))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_understood_or_refused(tmp_path: Path, content: bytes) -> None:
    """Whatever a file holds, looking at it ends in roles or in an InputError, never in a traceback."""
    path = tmp_path / "any.csv"
    path.write_bytes(content)
    try:
        roles = look(path)
    except InputError:
        return
    assert roles.columns["text"] != roles.columns["label"]


@given(
    st.dictionaries(
        st.text(max_size=8), st.one_of(st.text(max_size=12), st.booleans(), st.integers()), max_size=4
    )
)
@settings(max_examples=60, deadline=None)
def test_values_survive_the_yaml_they_are_written_as(value: dict[str, object]) -> None:
    """A column called `no`, `0` or `{` is read back as what it was."""
    from ruamel.yaml import YAML

    line = flow(value)
    assert "\n" not in line
    assert YAML(typ="safe").load(f"key: {line}") == {"key": value}
