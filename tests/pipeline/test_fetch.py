from __future__ import annotations

import gzip
import hashlib
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from features.errors import InputError
from pipeline.commands import fetch
from pipeline.commands.downloading import FetchError, download
from pipeline.commands.entry import Entry
from pipeline.commands.presets import Download, Preset
from tests.pipeline.loopback import COMMIT, Fault, Web, serving, zipped

SECRET = "KGAT_0123456789abcdef"
TABLE = b"text,label\n" + b"".join(b"text %d,%d\n" % (i, i % 2) for i in range(4000))


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Web]:
    """A server on the loopback address, and a scratch working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving() as state:
        yield state


def preset(web: Web | None = None, **options: object) -> Preset:
    values: dict[str, object] = {"folder": "data/made-up", "files": ["table.csv"]}
    if web is not None:
        values["url"] = web.address
    source = Download.model_validate(values | options)
    return Preset("made-up", "Made-up texts", "none", "accuracy", source, Entry("made-up", {}, {}, ()))


def no_sleep(seconds: float) -> None:
    """Stand in for a wait, which must be short."""
    assert 0 <= seconds <= 60


def test_a_file_is_fetched_once(web: Web) -> None:
    """It lands where the preset reads it, and a second call asks nobody."""
    web.files["table.csv"] = TABLE
    assert fetch.fetch(preset(web)) == [Path("data/made-up/table.csv")]
    assert Path("data/made-up/table.csv").read_bytes() == TABLE
    fetch.fetch(preset(web))
    assert len(web.ranges) == 1
    assert [path.name for path in Path("data/made-up").iterdir()] == ["table.csv"]


def test_archives_are_unpacked_and_the_right_folder_chosen(web: Web) -> None:
    """Of two files of one name inside a zip, the one in the folder that the preset names is taken."""
    web.files["all.zip"] = zipped({"pub/raw/table.csv": TABLE, "pub/tokenized/table.csv": b"no"})
    digest = hashlib.md5(web.files["all.zip"], usedforsecurity=False).hexdigest()
    fetch.fetch(preset(web, remote=["all.zip"], within="raw", digests={"all.zip": f"md5:{digest}"}))
    assert Path("data/made-up/table.csv").read_bytes() == TABLE


def test_a_gzip_file_is_unpacked(web: Web) -> None:
    """`table.csv.gz` becomes `table.csv`."""
    web.files["table.csv.gz"] = gzip.compress(TABLE)
    fetch.fetch(preset(web, remote=["table.csv.gz"]))
    assert Path("data/made-up/table.csv").read_bytes() == TABLE


def test_a_cut_connection_goes_on_where_it_stopped(web: Web) -> None:
    """The second request asks for the rest alone, and the file is whole."""
    web.files["table.csv"] = TABLE
    web.faults["table.csv"] = Fault(cut=1000, times=2)
    download(f"{web.address}/table.csv", Path("table.csv"), sleep=no_sleep)
    assert Path("table.csv").read_bytes() == TABLE
    assert web.ranges == [None, "bytes=1000-", "bytes=2000-"]


def test_a_part_of_an_older_version_is_not_continued(web: Web) -> None:
    """Where the file changed between two calls, it is fetched from its beginning."""
    web.files["table.csv"] = b"old" * 1000
    web.faults["table.csv"] = Fault(cut=100)
    with pytest.raises(FetchError, match="the connection was cut, after 4 attempts"):
        download(f"{web.address}/table.csv", Path("table.csv"), sleep=no_sleep)
    assert not Path("table.csv").exists()
    web.faults.clear()
    web.files["table.csv"] = TABLE
    download(f"{web.address}/table.csv", Path("table.csv"), sleep=no_sleep)
    assert Path("table.csv").read_bytes() == TABLE


@pytest.mark.parametrize(
    ("fault", "reason", "requests"),
    [
        (Fault(404), r"it is not there \(HTTP 404\)", 1),
        (Fault(401), r"it wants a credential, or its terms accepted \(HTTP 401\)", 1),
        (Fault(429, {"Retry-After": "0"}), r"it limits downloads \(HTTP 429\), after 4 attempts", 4),
        (Fault(429, {"Retry-After": "3600"}), r"it limits downloads \(HTTP 429\) and asks to wait 3600 s", 1),
    ],
)
def test_a_refusal_says_why_and_what_to_do_by_hand(
    web: Web, fault: Fault, reason: str, requests: int
) -> None:
    """The message has the reason, the page, and which file to put where; attempts are few."""
    web.files["table.csv"] = TABLE
    web.faults["table.csv"] = fault
    by_hand = r".*by hand: download table\.csv there and put table\.csv into data/made-up/$"
    with pytest.raises(InputError, match=rf"Made-up texts .* {web.address}: {reason}{by_hand}") as error:
        fetch.fetch(preset(web))
    assert "\n" not in str(error.value)
    assert len(web.ranges) == requests


def test_a_server_that_asks_for_patience_gets_it(web: Web) -> None:
    """After 429 with Retry-After the same file is asked for again, and comes."""
    web.files["table.csv"] = TABLE
    web.faults["table.csv"] = Fault(429, {"Retry-After": "7"}, times=1)
    waits: list[float] = []
    download(f"{web.address}/table.csv", Path("table.csv"), sleep=waits.append)
    assert waits == [7.0]
    assert Path("table.csv").read_bytes() == TABLE


def test_no_network_says_which_file_to_put_where(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port where nobody listens ends in one line with the way by hand."""
    monkeypatch.setattr("time.sleep", no_sleep)
    with pytest.raises(InputError, match=r"cannot be reached.*put table\.csv into data/made-up/"):
        fetch.fetch(preset(url="http://127.0.0.1:9"))


def test_a_wrong_digest_is_refused_and_fetched_anew(web: Web) -> None:
    """The file is removed, so that the next call does not find it again."""
    web.files["table.csv"] = TABLE + b"tampered"
    wanted = {"table.csv": f"sha256:{hashlib.sha256(TABLE).hexdigest()}"}
    with pytest.raises(InputError, match="has the wrong digest"):
        fetch.fetch(preset(web, digests=wanted))
    assert not Path("data/made-up/table.csv").exists()
    web.files["table.csv"] = TABLE
    fetch.fetch(preset(web, digests=wanted))
    assert Path("data/made-up/table.csv").read_bytes() == TABLE


@pytest.mark.parametrize("kind", ["zip", "gz"])
def test_a_bomb_is_stopped_while_it_unpacks(web: Web, kind: str) -> None:
    """A small archive of many zeros is given up at the ratio, and nothing of it is left."""
    zeros = bytes(40 * 2**20)
    web.files["table.csv"] = zipped({"table.csv": zeros}) if kind == "zip" else gzip.compress(zeros)
    assert len(web.files["table.csv"]) < 60_000
    with pytest.raises(InputError, match="unpacks to more than its size"):
        fetch.fetch(preset(web))
    assert not list(Path("data").rglob("table.csv"))


def test_an_archive_without_the_file_says_so(web: Web) -> None:
    """A download that holds something else is not taken for the corpus."""
    web.files["all.zip"] = zipped({"other": b"x"})
    with pytest.raises(InputError, match=r"what came does not hold table\.csv"):
        fetch.fetch(preset(web, remote=["all.zip"]))


def test_without_kaggles_client_the_message_names_it(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named, and the page where the file can be had in a browser."""
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(InputError, match=r"www\.kaggle\.com/datasets/owner/name: .*pip install kagglehub"):
        fetch.fetch(preset(kaggle="owner/name"))


def test_kaggles_client_brings_a_file_at_a_time(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data sets and competitions are asked for by file, and a zip that comes is unpacked by our limits."""
    asked: list[tuple[str, str]] = []

    def bring(handle: str, path: str, output_dir: str) -> str:
        asked.append((handle, path))
        (Path(output_dir) / path).write_bytes(zipped({"table.csv": TABLE}))
        return str(Path(output_dir) / path)

    client = types.SimpleNamespace(dataset_download=bring, competition_download=bring)
    monkeypatch.setitem(sys.modules, "kagglehub", client)
    fetch.fetch(preset(kaggle="owner/name"))
    assert Path("data/made-up/table.csv").read_bytes() == TABLE
    fetch.fetch(preset(kaggle="competitions/name", remote=["t.zip"], folder="data/other"))
    assert asked == [("owner/name", "table.csv"), ("name", "t.zip")]


def test_no_credential_is_ever_printed(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a client says about its failure is not passed on: status or kind is, its text is not."""

    def fail(*arguments: object, **options: object) -> str:
        error = RuntimeError(f"401 for https://user:{SECRET}@example.org, Authorization: Bearer {SECRET}")
        error.response = types.SimpleNamespace(status_code=401)  # type: ignore[attr-defined]
        raise error

    monkeypatch.setitem(sys.modules, "kagglehub", types.SimpleNamespace(dataset_download=fail))
    with pytest.raises(InputError, match=r"wants a credential.*HTTP 401") as error:
        fetch.fetch(preset(kaggle="owner/name"))
    assert SECRET not in str(error.value)
    monkeypatch.setattr("time.sleep", no_sleep)
    with pytest.raises(InputError) as error:
        fetch.fetch(preset(url=web.address.replace("//", f"//user:{SECRET}@")))
    assert SECRET not in str(error.value)


def test_the_hub_is_asked_at_its_mirror(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """HF_ENDPOINT moves the download; a refusal there is translated like any other."""
    monkeypatch.setenv("HF_ENDPOINT", web.address)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    source = preset(hub="owner/name", revision=COMMIT)
    place = f"datasets/owner/name/resolve/{COMMIT}/table.csv"
    web.files[place] = TABLE
    web.faults[place] = Fault(401)
    with pytest.raises(InputError, match=r"huggingface\.co/datasets/owner/name: .*HTTP 401.*put table\.csv"):
        fetch.fetch(source)
    web.faults.clear()
    fetch.fetch(source)
    assert Path("data/made-up/table.csv").read_bytes() == TABLE
