from __future__ import annotations

import gzip
import lzma
import zipfile
from pathlib import Path

import pytest

from features.errors import InputError
from pipeline.commands.unpacking import unpack
from tests.pipeline.loopback import zipped

TABLE = b"text,label\n" * 4000


@pytest.mark.parametrize(
    "name",
    ["../up.csv", "/tmp/up.csv", "a/../../up.csv", "..\\up.csv", "C:\\up.csv", ".", "..", "/", "./"],
)
def test_no_path_leaves_the_folder(tmp_path: Path, name: str) -> None:
    """Wherever a member points, what is wanted comes out under its bare name, and nothing else does."""
    (tmp_path / "bad.zip").write_bytes(zipped({name: b"x", "deep/in/table.csv": TABLE}))
    assert unpack(tmp_path / "bad.zip", tmp_path / "out", ["table.csv", "up.csv"])
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert {"bad.zip", "out/table.csv"} <= written <= {"bad.zip", "out/table.csv", "out/up.csv"}


def test_a_link_in_an_archive_is_no_link_outside(tmp_path: Path) -> None:
    """A symbolic link could let a later member write through it; here it is but a file that holds a path."""
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        link = zipfile.ZipInfo("table.csv")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    unpack(tmp_path / "bad.zip", tmp_path / "out", ["table.csv"])
    assert not (tmp_path / "out" / "table.csv").is_symlink()
    assert (tmp_path / "out" / "table.csv").read_bytes() == b"/etc/passwd"


def test_only_what_is_wanted_comes_out(tmp_path: Path) -> None:
    """Of thousands of members those that are asked for are written, the least deep of each name."""
    members = {f"{i}/other.csv": b"x" for i in range(3000)} | {"a/b/table.csv": b"deep", "a/table.csv": TABLE}
    (tmp_path / "many.zip").write_bytes(zipped(members))
    unpack(tmp_path / "many.zip", tmp_path / "out", ["table.csv"])
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["table.csv"]
    assert (tmp_path / "out" / "table.csv").read_bytes() == TABLE


def test_what_is_no_archive_is_left_alone(tmp_path: Path) -> None:
    """A table that happens to end in .zip is told by its bytes."""
    (tmp_path / "table.zip").write_bytes(TABLE)
    assert not unpack(tmp_path / "table.zip", tmp_path / "out", ["table.csv"])


def test_the_files_of_one_archive_share_its_allowance(tmp_path: Path) -> None:
    """Many members that each stay below the bound do not pass it together."""
    zeros = {f"{name}.csv": bytes(12 * 2**20) for name in "ab"}
    (tmp_path / "bomb.zip").write_bytes(zipped(zeros))
    with pytest.raises(InputError, match="unpacks to more than its size"):
        unpack(tmp_path / "bomb.zip", tmp_path / "out", list(zeros))


def damaged_lzma() -> bytes:
    """A zip whose member is compressed in a way that has errors of its own."""
    content = lzma.compress(b"x")
    whole = zipped({"table.csv": TABLE})
    return whole.replace(b"\x08\x00", b"\x0e\x00").replace(whole[39:60], content[:21])


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04 no zip",
        gzip.compress(TABLE)[:-9],
        gzip.compress(TABLE)[:20] + bytes(100),
        zipped({"table.csv": TABLE})[:-30],
        damaged_lzma(),
    ],
)
def test_a_damaged_archive_is_a_clear_error(tmp_path: Path, content: bytes) -> None:
    """A cut or broken archive says that it is damaged."""
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(InputError, match="is damaged"):
        unpack(tmp_path / "bad", tmp_path / "out", ["table.csv"])
