from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pytest

from features.errors import InputError
from pipeline.commands.unpacking import Limits, unpack
from tests.pipeline.loopback import zipped

TABLE = b"text,label\n" * 4000


@pytest.mark.parametrize("name", ["../up.csv", "/tmp/up.csv", "a/../../up.csv", "..\\up.csv", "C:\\up.csv"])
def test_no_path_leaves_the_folder(tmp_path: Path, name: str) -> None:
    """A member that points elsewhere stops the unpacking, whatever way it is written."""
    (tmp_path / "bad.zip").write_bytes(zipped({name: b"x"}))
    with pytest.raises(InputError, match="leaves the folder"):
        unpack(tmp_path / "bad.zip", tmp_path / "out")
    assert not list(tmp_path.rglob("up.csv"))


def test_a_link_in_an_archive_is_refused(tmp_path: Path) -> None:
    """A symbolic link could let a later member write through it."""
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc")
    with pytest.raises(InputError, match="is a link"):
        unpack(tmp_path / "bad.zip", tmp_path / "out")


def test_an_archive_of_too_many_files_is_refused(tmp_path: Path) -> None:
    """The number of members is bounded before the first is written."""
    (tmp_path / "many.zip").write_bytes(zipped({"a": b"1", "b": b"2", "c": b"3"}))
    with pytest.raises(InputError, match="holds 3 files, expected at most 2"):
        unpack(tmp_path / "many.zip", tmp_path / "out", Limits(files=2))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04 no zip", gzip.compress(TABLE)[:-9], zipped({"a": TABLE})[:-30]]
)
def test_a_damaged_archive_is_a_clear_error(tmp_path: Path, content: bytes) -> None:
    """A cut or broken archive says that it is damaged."""
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(InputError, match="is damaged"):
        unpack(tmp_path / "bad", tmp_path / "out")
