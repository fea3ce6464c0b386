"""One actor without Ray: where its shards go, and what becomes of those of actors that are no more."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from features.cluster.actor import EncodingActor
from features.cluster.inbox import PIECE, Inbox
from features.cluster.ledger import Ledger
from features.cluster.outbox import MARK
from features.cluster.reports import Place, Written
from features.errors import InputError
from features.store.shards import SHARDS
from features.store.store import Store, text_digests
from tests.features.cluster_runs import EXPECTED, FakeRecipe
from tests.features.fake_encoder import FakeEncoder
from tests.features.runs import texts_of

TEXTS = texts_of(200)
DIGESTS = text_digests(TEXTS)
MANIFEST = FakeEncoder().manifest


class Sender:
    """An actor's side of a transfer, in this process."""

    def __init__(self, actor: EncodingActor) -> None:
        self.uncollected: set[str] = set()
        self.forgotten: list[str] = []
        self.sizes: list[int] = []
        self._actor = actor
        self.damage = False

    def fetch(self, name: str, start: int, size: int) -> bytes:
        content = self._actor.piece(name, start, size)
        self.sizes.append(len(content))
        return bytes(len(content)) if self.damage else content

    def forget(self, name: str) -> None:
        self.forgotten.append(name)
        self._actor.discard(name)


def actor(root: Path, place: Place) -> EncodingActor:
    started = EncodingActor(FakeRecipe(root), MANIFEST, place, 20_000)
    assert started.start(EXPECTED).problem == ""
    return started


def test_reports_name_the_shards_that_hold_every_text(tmp_path: Path) -> None:
    """What the reports of two chunks and a flush name is all that was encoded, across chunks."""
    some = actor(tmp_path, Place(tmp_path / "disk", None))
    first = some.encode(TEXTS[:90], DIGESTS[:90])
    second = some.encode(TEXTS[90:], DIGESTS[90:])
    last = some.flush()
    names = [shard.name for report in (first, second, last) for shard in report.shards]
    assert (first.texts, second.texts) == (90, 110)
    assert first.tokens == int(FakeEncoder().tokenize(TEXTS[:90]).lengths.sum())
    assert last.peak_memory > 0
    written = sorted((tmp_path / "disk").glob("*/*/shards/*.h5"))
    assert sorted(names) == [path.stem for path in written]
    some.leave()
    assert not list((tmp_path / "disk").rglob("*.h5"))


def test_shards_are_collected_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fetched shards stand in the store under their names, and their sender forgets them."""
    monkeypatch.setattr("features.cluster.inbox.PIECE", 5000)
    some = actor(tmp_path, Place(tmp_path / "disk", None))
    offered = some.encode(TEXTS, DIGESTS).shards + some.flush().shards
    sender, ledger = Sender(some), Ledger(DIGESTS)
    with Store(tmp_path / "store", MANIFEST, print) as store, Inbox(store, ledger, collect=True) as inbox:
        assert inbox.offer(sender, offered) == 0
        while sender.uncollected:
            inbox.collected(ConnectionError, 5.0)
    assert ledger.done == len(TEXTS)
    assert ledger.tokens == int(FakeEncoder().tokenize(TEXTS).lengths.sum())
    assert sorted(sender.forgotten) == sorted(shard.name for shard in offered)
    assert max(sender.sizes) == 5000 < PIECE
    with Store(tmp_path / "store", MANIFEST, print) as store:
        assert len(store.missing(DIGESTS)) == 0


def test_what_is_damaged_on_its_way_is_not_kept(tmp_path: Path) -> None:
    """A shard that is not what its name says never gets into the store."""
    some = actor(tmp_path, Place(tmp_path / "disk", None))
    some.encode(TEXTS, DIGESTS)
    sender = Sender(some)
    sender.damage = True
    with Store(tmp_path / "store", MANIFEST, print) as store:
        with Inbox(store, Ledger(DIGESTS), collect=True) as inbox:
            inbox.offer(sender, some.flush().shards)
            with pytest.raises(InputError, match="was damaged on its way"):
                inbox.collected(ConnectionError, 5.0)
        assert not list((store.folder / SHARDS).iterdir())


def test_an_actor_adopts_what_a_dead_one_left(tmp_path: Path) -> None:
    """Whole shards of an actor that is no more are offered by the next one; those of a living one are not."""
    place = Place(tmp_path / "disk", None)
    dead, living = actor(tmp_path, place), actor(tmp_path, place)
    shards: dict[EncodingActor, tuple[Written, ...]] = {}
    for some, part in ((dead, slice(0, 100)), (living, slice(100, 200))):
        shards[some] = some.encode(TEXTS[part], DIGESTS[part]).shards + some.flush().shards
    left = shards[dead]
    assert dead._outbox is not None
    dead._outbox._lock.close()  # as the end of its process does
    (dead._outbox.folder / SHARDS / "half.h5.partial").write_bytes(b"cut short")
    heir = EncodingActor(FakeRecipe(tmp_path), MANIFEST, place, 20_000)
    assert sorted(heir.start(EXPECTED).shards) == sorted(left)
    assert not dead._outbox.folder.exists()
    assert len(heir.piece(left[0].name, 0, 10)) == 10


def test_an_actor_that_does_not_see_the_store_stops(tmp_path: Path) -> None:
    """A folder of the same name without the driver's mark is not taken for the store."""
    (tmp_path / SHARDS).mkdir()
    (tmp_path / MARK).write_text("of another run")
    some = EncodingActor(FakeRecipe(tmp_path), MANIFEST, Place(tmp_path, "of this run"), 20_000)
    assert "does not see the driver's store" in some.start(EXPECTED).problem
    (tmp_path / MARK).write_text("of this run")
    assert some.start(EXPECTED).problem == ""


def test_a_full_disk_is_a_problem_not_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The report says that the disk is full, and the actor's next chunk finds it writing again."""
    some = actor(tmp_path, Place(tmp_path / "disk", None))

    def full(*_: object) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("features.store.writing.write_shard", full)
        assert "is full (No space left on device)" in some.encode(TEXTS, DIGESTS).problem
    assert some.encode(TEXTS, DIGESTS).problem == ""
    assert some.flush().shards


def test_a_stopped_actor_ends_its_chunk_early(tmp_path: Path) -> None:
    """After `stop` nothing more is encoded, and a flush still writes what was."""
    some = actor(tmp_path, Place(tmp_path / "disk", None))
    some.encode(TEXTS[:50], DIGESTS[:50])
    some.stop()
    assert some.encode(TEXTS[50:], DIGESTS[50:]).texts == 0
    assert some.flush().shards


def test_a_shard_that_nobody_sees_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the driver does not see what an actor wrote, the run ends in one line instead of waiting on."""
    monkeypatch.setattr("features.cluster.inbox._PATIENCE", 0.2)
    with Store(tmp_path / "store", MANIFEST, print) as store:
        inbox = Inbox(store, Ledger(DIGESTS), collect=False)
        sender = Sender(actor(tmp_path, Place(tmp_path / "disk", None)))
        with inbox, pytest.raises(InputError, match="but the driver does not see it"):
            inbox.offer(sender, (Written("0" * 32, 100),))
