from __future__ import annotations

import gzip
import hashlib
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from features.errors import InputError
from pipeline.commands import fetch
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
    return Preset.model_construct(title="Made-up texts", download=source)


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits that were asked for, none of which is waited for; all must be short."""
    asked: list[float] = []

    def sleep(seconds: float) -> None:
        assert 0 <= seconds <= 60
        asked.append(seconds)

    monkeypatch.setattr("time.sleep", sleep)
    return asked


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


def test_a_cut_connection_is_asked_again(web: Web) -> None:
    """A file comes whole or not at all: twice cut short, it is fetched a third time."""
    web.files["table.csv"] = TABLE
    web.faults["table.csv"] = Fault(cut=1000, times=2)
    fetch.fetch(preset(web))
    assert Path("data/made-up/table.csv").read_bytes() == TABLE
    assert len(web.ranges) == 3


def test_a_connection_that_is_always_cut_leaves_nothing(web: Web) -> None:
    """After four attempts the command gives up; the next call starts anew and succeeds."""
    web.files["table.csv"] = TABLE
    web.faults["table.csv"] = Fault(cut=1000)
    with pytest.raises(InputError, match=r"cannot be reached.*put table\.csv into data/made-up/"):
        fetch.fetch(preset(web))
    assert len(web.ranges) == 4
    assert [path for path in Path("data").rglob("*") if path.is_file()] == []
    web.faults.clear()
    fetch.fetch(preset(web))
    assert Path("data/made-up/table.csv").read_bytes() == TABLE


def test_what_has_come_does_not_come_again(web: Web) -> None:
    """Where the second of two files fails, the next call asks for that one alone."""
    web.files |= {"table.csv": TABLE, "more.csv": b"more"}
    web.faults["more.csv"] = Fault(404)
    with pytest.raises(InputError, match="it is not there"):
        fetch.fetch(preset(web, files=["table.csv", "more.csv"]))
    assert not Path("data/made-up/table.csv").exists()
    web.faults.clear()
    fetch.fetch(preset(web, files=["table.csv", "more.csv"]))
    assert len(web.ranges) == 3
    assert Path("data/made-up/table.csv").read_bytes() == TABLE
    assert Path("data/made-up/more.csv").read_bytes() == b"more"


@pytest.mark.parametrize(
    ("fault", "reason", "requests"),
    [
        (Fault(404), r"it is not there \(HTTP 404\)", 1),
        (Fault(401), r"it wants a credential, or its terms accepted \(HTTP 401\)", 1),
        (Fault(429, {"Retry-After": "0"}), r"it limits downloads \(HTTP 429\)", 4),
        (Fault(500), r"it answers with an error \(HTTP 500\)", 4),
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


def test_a_server_that_asks_for_patience_gets_it(web: Web, waits: list[float]) -> None:
    """After 429 with Retry-After the same file is asked for again, and comes."""
    web.files["table.csv"] = TABLE
    web.faults["table.csv"] = Fault(429, {"Retry-After": "7"}, times=1)
    fetch.fetch(preset(web))
    assert waits[0] == 7
    assert Path("data/made-up/table.csv").read_bytes() == TABLE


def test_no_network_says_which_file_to_put_where(web: Web) -> None:
    """A port where nobody listens ends in one line with the way by hand."""
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


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (zipped({"other": b"x"}), r"what came does not hold table\.csv"),
        (b"<html>Please log in</html>", r"what came does not hold table\.csv"),
        (zipped({"table.csv": TABLE})[:-30], "is damaged"),
        (b"PK\x03\x04" + bytes(100), "is damaged"),
    ],
)
def test_a_download_of_no_use_does_not_stand_in_the_way(web: Web, content: bytes, says: str) -> None:
    """What is damaged or holds something else is removed, and the next call asks again and succeeds."""
    web.files["all.zip"] = content
    with pytest.raises(InputError, match=says):
        fetch.fetch(preset(web, remote=["all.zip"]))
    web.files["all.zip"] = zipped({"table.csv": TABLE})
    fetch.fetch(preset(web, remote=["all.zip"]))
    assert Path("data/made-up/table.csv").read_bytes() == TABLE


def test_without_kaggles_client_the_message_names_it(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named, and the page where the file can be had in a browser."""
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(InputError, match=r"www\.kaggle\.com/datasets/owner/name: .*pip install kagglehub"):
        fetch.fetch(preset(kaggle="owner/name"))


def test_kaggles_client_brings_a_file_at_a_time(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data sets and competitions are asked for by file, and a zip that comes is unpacked by our limits."""
    asked: list[tuple[str, str]] = []

    def bring(handle: str, path: str) -> str:
        asked.append((handle, path))
        Path("cache").mkdir(exist_ok=True)
        (Path("cache") / path).write_bytes(zipped({"table.csv": TABLE}))
        return str(Path("cache") / path)

    client = types.SimpleNamespace(dataset_download=bring, competition_download=bring)
    monkeypatch.setitem(sys.modules, "kagglehub", client)
    fetch.fetch(preset(kaggle="owner/name"))
    assert Path("data/made-up/table.csv").read_bytes() == TABLE
    fetch.fetch(preset(kaggle="competitions/name", remote=["t.zip"], folder="data/other"))
    assert asked == [("owner/name", "table.csv"), ("name", "t.zip")]
    assert list(Path("cache").iterdir()) == []  # half a gigabyte is not kept twice


def test_kaggles_client_goes_on_after_an_interruption(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through its own cache the real client asks for the rest of a file that an earlier call left in part."""
    clients = pytest.importorskip("kagglehub.clients", reason="Kaggle's client is not installed")
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(Path("cache").absolute()))
    web.files["table.csv"] = large = TABLE * 60
    web.resumes = True
    web.faults["table.csv"] = Fault(cut=3 << 19, times=1)

    def download(handle: str, path: str) -> str:
        target = Path("cache") / path
        target.parent.mkdir(exist_ok=True)
        with requests.get(f"{web.address}/{path}", stream=True, timeout=30) as response:
            clients.download_file(response, str(target), handle)
        return str(target)

    monkeypatch.setattr("kagglehub.dataset_download", download)
    with pytest.raises(InputError, match="cannot be reached"):
        fetch.fetch(preset(kaggle="owner/name"))
    fetch.fetch(preset(kaggle="owner/name"))
    assert web.ranges == [None, None, f"bytes={1 << 20}-"]
    assert Path("data/made-up/table.csv").read_bytes() == large


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
