"""Sync brings what is new, once, whoever writes, is stopped or is made anew meanwhile."""

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from eyelet_ingest.errors import BadInput
from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, copier, layout, sync, transfer
from eyelet_ingest.store.cursors import Cursors
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from eyelet_ingest.store.sync import Synced
from eyelet_ingest.store.tombstones import Tombstones
from tests.store.test_backup import run_movers
from tests.store.test_transfer import whole

DAY_US = 86_400_000_000
START_US = 1_773_792_000_000_000  # 2026-03-18T00:00:00Z
MakeEvent = Callable[..., Event]


@pytest.fixture(autouse=True)
def settled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copier, "SETTLED_NS", 0)


@pytest.fixture
def here(tmp_path: Path) -> str:
    return str(tmp_path / "here")


@pytest.fixture
def filled(store: Store, make_event: MakeEvent) -> Store:
    store.append([make_event(START_US + n % 2 * DAY_US + n) for n in range(40)], "My Shop")
    return store


def synced(here: str, *sources: str, **how: bool) -> list[int]:
    """How many came from each; nothing may be in the way."""
    results = sync.sync(here, sources, **how)  # type: ignore[arg-type]
    assert [one.failed for one in results] == [[]] * len(results)
    return [one.stored for one in results]


def test_what_is_killed_anywhere_loses_nothing_and_doubles_nothing_both_roots_being_written(tmp_path: Path) -> None:
    run_movers(tmp_path, "sync", 15)


def test_twice_is_once_and_the_second_time_opens_nothing(
    filled: Store, here: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert synced(here, filled.root) == [40]
    assert whole(here) == whole(filled.root)
    monkeypatch.setattr(transfer, "reading", None)
    assert synced(here, filled.root) == [0]


def test_an_event_that_came_late_is_not_missed(filled: Store, here: str, make_event: MakeEvent) -> None:
    synced(here, filled.root)
    filled.append([make_event(START_US)], "My Shop")
    assert synced(here, filled.root) == [1]
    assert synced(here, filled.root) == [0]


def test_both_directions_end_with_the_same_and_come_to_rest(filled: Store, here: str, make_event: MakeEvent) -> None:
    with Store(here) as store:
        store.append([make_event(START_US + n) for n in range(30)], "My Shop")
    assert synced(here, filled.root) == [40] and synced(filled.root, here) == [30]
    assert synced(here, filled.root) == [0] and synced(filled.root, here) == [0]
    with Store(here) as store:
        assert store.count(Filter()).count == filled.count(Filter()).count == 70


def test_a_third_root_gets_what_another_got_by_sync(filled: Store, here: str, tmp_path: Path) -> None:
    third = str(tmp_path / "third")
    assert synced(here, filled.root) == [40]
    assert synced(third, here) == [40] and synced(third, filled.root) == [0]
    assert whole(third) == whole(filled.root)


def test_a_day_that_was_deleted_and_made_again_is_read_from_its_beginning(
    filled: Store, here: str, make_event: MakeEvent
) -> None:
    synced(here, filled.root)
    filled.delete(Filter(contexts=("My Shop",), since_us=START_US, until_us=START_US + DAY_US))
    key = layout.key_for(layout.safe_context("My Shop"), START_US)
    row = (START_US + 7, b"u" * 16, 5, START_US / 1e6, "", "Note", *[None] * 3, "", *[None] * 11, "{}", "{}")
    transfer.store(filled.root, key, "My Shop", [row])  # it arrived long before the cursor
    assert synced(here, filled.root) == [1]


def test_the_place_is_known_only_after_the_rows_are_stored(
    filled: Store, here: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "BATCH_ROWS", 7)
    save, calls = Cursors.save, []

    def stopped(*args: object) -> None:
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        save(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(Cursors, "save", stopped)
    with pytest.raises(KeyboardInterrupt):
        sync.sync(here, [filled.root])
    (again,) = sync.sync(here, [filled.root])
    assert (again.stored, again.known) == (40 - 14, 7)
    assert whole(here) == whole(filled.root)


def test_a_broken_day_and_a_missing_source_are_named_and_the_rest_comes(filled: Store, here: str) -> None:
    path = Path(layout.db_path(filled.root, filled.catalog.partitions()[0]))
    good = path.read_bytes()
    path.write_bytes(b"this is no database" * 500)
    results = sync.sync(here, ["/nowhere", filled.root])
    assert [len(one.failed) for one in results] == [1, 1]
    assert [one.stored for one in results] == [0, 20]
    path.write_bytes(good)
    assert synced(here, filled.root) == [20]


def test_a_target_day_that_takes_nothing_is_named_and_taken_up_later(filled: Store, here: str) -> None:
    path = Path(layout.db_path(here, filled.catalog.partitions()[0]))
    path.parent.mkdir(parents=True)
    path.write_bytes(b"this is no database" * 500)
    (done,) = sync.sync(here, [filled.root])
    assert (done.stored, len(done.failed)) == (20, 1)
    path.unlink()
    assert synced(here, filled.root) == [20]


def test_what_was_deleted_here_stays_away_unless_it_is_forced(filled: Store, here: str) -> None:
    synced(here, filled.root)
    with Store(here) as store:
        store.delete(Filter(contexts=("My Shop",), since_us=START_US, until_us=START_US + DAY_US))
        filled.append([], "My Shop")
        os.unlink(os.path.join(here, "sync.sqlite"))  # and nobody knows how far it was
        (done,) = sync.sync(here, [filled.root])
        assert (done.stored, done.known, done.dead) == (0, 20, 20)
        assert synced(here, filled.root, force=True) == [20]
        assert store.count(Filter()).count == 40
    assert sum(Tombstones.of(here).counts().values()) == 0


def test_only_the_contexts_asked_for_come(filled: Store, here: str, make_event: MakeEvent) -> None:
    filled.append([make_event(START_US)], "other")
    (done,) = sync.sync(here, [filled.root], contexts=["other"])
    assert done.stored == 1
    assert synced(here, filled.root) == [40]


def test_a_dry_run_changes_nothing(filled: Store, here: str) -> None:
    assert synced(here, filled.root, dry_run=True) == [40]
    assert not os.path.exists(here)


def test_rows_without_arrival_come_too(filled: Store, here: str) -> None:
    conn = connect.open_writer(layout.db_path(filled.root, filled.catalog.partitions()[0]))
    conn.execute("update hooks set arrived = null where id % 4 = 0")
    conn.execute("update hooks set arrived = 'when?' where id = (select max(id) from hooks)")
    conn.close()
    assert synced(here, filled.root) == [40] and synced(here, filled.root) == [0]
    assert whole(here) == whole(filled.root)


def test_a_root_is_no_source_of_itself_and_an_address_no_option(filled: Store, tmp_path: Path) -> None:
    os.symlink(filled.root, tmp_path / "link")
    for source in (filled.root, str(tmp_path / "link"), "ssh://-oProxyCommand=x/y", "ssh:///x", "ssh://h/x?y"):
        with pytest.raises(BadInput):
            sync.sync(filled.root, [source])


@pytest.fixture
def ssh(tmp_path: Path) -> str:
    """What stands for ssh: the other machine is this one."""
    fake = tmp_path / "ssh"
    fake.write_text('#!/bin/sh\nshift\nexec sh -c "$*"\n')
    fake.chmod(0o700)
    return str(fake)


PROGRAM = f"{sys.executable} -m eyelet_ingest.cli"


def test_over_ssh_it_is_the_same(filled: Store, here: str, ssh: str, make_event: MakeEvent) -> None:
    source = f"ssh://me@there{filled.root}"
    (done,) = sync.sync(here, [source], ssh=ssh, program=PROGRAM)
    assert (done.stored, done.failed) == (40, [])
    assert whole(here) == whole(filled.root)
    filled.append([make_event(START_US)], "My Shop")
    (done,) = sync.sync(here, [source], ssh=ssh, program=PROGRAM)
    assert (done.stored, done.known) == (1, 0)


def test_another_machine_that_fails_is_named(filled: Store, here: str, ssh: str) -> None:
    (done,) = sync.sync(here, ["ssh://there/x"], ssh=ssh, program="false")
    assert "cut" in done.failed[0].error
    (done,) = sync.sync(here, ["ssh://there/x"], ssh="/no/such/ssh")
    assert "is ssh installed?" in done.failed[0].error


@pytest.mark.parametrize("at", range(0, 100, 9))
def test_an_answer_that_is_cut_or_damaged_stores_what_came_and_goes_on_the_next_time(
    filled: Store, here: str, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "BATCH_ROWS", 7)
    answer = b"".join(sync.sender(filled.root, sync.asking({}, frozenset())))
    for bad in (answer[: len(answer) * at // 100], answer[: len(answer) * at // 100] + b"\x00garbage\n"):
        done = Synced("there", False)
        with pytest.raises(BadInput):
            sync.receive(here, done, lambda *_, bad=bad: sync.received(io.BytesIO(bad)))
    rest = b"".join(sync.sender(filled.root, sync.asking(Cursors(here, "there").all(), frozenset())))
    sync.receive(here, Synced("there", False), lambda *_: sync.received(io.BytesIO(rest)))
    assert whole(here) == whole(filled.root)


@pytest.mark.parametrize(
    "asked", [b"", b"{}", b"[]", b'{"eyelet_sync": 2}', b'{"eyelet_sync": 1, "cursors": {"a": 1}}']
)
def test_what_cannot_be_understood_is_refused(filled: Store, asked: bytes) -> None:
    with pytest.raises(BadInput):
        list(sync.sender(filled.root, asked))
