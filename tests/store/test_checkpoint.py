"""The WAL is emptied in nobody's way, and a checkpoint that fails fails nothing else."""

import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eyelet_ingest.errors import BadInput
from eyelet_ingest.events import Event
from eyelet_ingest.store import checkpoint, connect, layout
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

DAY = layout.PartitionKey("default", 2026, 79)
NOON = DAY.bounds_us[0] + layout.DAY_US // 2
MakeEvent = Callable[..., Event]


def wal_bytes(root: str, key: layout.PartitionKey = DAY) -> int:
    path = layout.db_path(root, key) + "-wal"
    return os.path.getsize(path) if os.path.exists(path) else 0


def reading(root: str) -> Any:
    """A reader in the middle of its transaction, which needs what it sees."""
    conn = connect.open_reader(layout.db_path(root, DAY))
    conn.execute("begin")
    conn.execute("select count(*) from hooks").fetchone()
    return conn


@pytest.mark.parametrize("mode", checkpoint.MODES)
def test_what_stands_in_the_wal_goes_into_the_file_while_the_day_is_open(
    store: Store, make_event: MakeEvent, mode: str
) -> None:
    with store.bulk():
        store.append([make_event(NOON + at) for at in range(100)])
        before = wal_bytes(store.root)
        assert before > 0
        (done,) = store.checkpoint(DAY, mode)
        assert (done.key, done.mode, done.busy, done.error) == (DAY, mode, False, "")
        assert done.wal_frames == done.moved_frames == (before - 32) // (4096 + 24)
        assert (wal_bytes(store.root) == 0) == (mode == "truncate")
        copy = shutil.copy(layout.db_path(store.root, DAY), store.root + "/copy.sqlite")
        assert sqlite3.connect(copy).execute("select count(*) from hooks").fetchone() == (100,)
        store.append([make_event(NOON)])
    assert store.count(Filter()).count == 101


def test_a_mode_that_is_none_is_refused(store: Store) -> None:
    with pytest.raises(BadInput, match="passive, full, restart, truncate"):
        store.checkpoint(DAY, "truncate; drop table hooks")


def test_every_day_that_has_a_wal_is_done_and_no_other_is_opened(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(NOON - layout.DAY_US)])
    assert store.checkpoint() == []
    with store.bulk():
        store.append([make_event(NOON), make_event(NOON + layout.DAY_US)])
        assert [done.key.day for done in store.checkpoint(mode="truncate")] == [79, 80]
        assert store.checkpoint() == []
    nowhere = layout.PartitionKey("nowhere", 2026, 1)
    assert store.checkpoint(nowhere) == [checkpoint.Checkpointed(nowhere, "passive", False, 0, 0)]
    assert not os.path.exists(layout.partition_dir(store.root, nowhere))


def test_a_reader_keeps_what_it_needs_and_is_waited_for_a_bounded_time(store: Store, make_event: MakeEvent) -> None:
    with store.bulk():
        store.append([make_event(NOON)])
        reader = reading(store.root)
        store.append([make_event(NOON + at) for at in range(50)])
        (passive,) = store.checkpoint(DAY)
        (truncated,) = store.checkpoint(DAY, "truncate")
        assert passive.moved_frames < passive.wal_frames
        assert truncated.busy
        assert truncated.moved_frames < truncated.wal_frames
        assert reader.execute("select count(*) from hooks").fetchone() == (1,)
        assert store.append([make_event(NOON)]).stored == 1
        reader.execute("rollback")
        reader.close()
        (done,) = store.checkpoint(DAY, "truncate")
        assert (done.busy, wal_bytes(store.root)) == (False, 0)


def test_a_day_that_others_keep_is_left_alone_and_named_busy(
    store: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "DEADLINE_MS", 20)
    with store.bulk():
        store.append([make_event(NOON)])
        before = wal_bytes(store.root)
        with connect.FileLock(layout.lock_path(store.root, DAY), time.monotonic_ns() + 10**9):
            (done,) = store.checkpoint(DAY, "truncate")
        assert done.busy
        assert "others kept it" in done.error
        assert wal_bytes(store.root) == before


def test_a_checkpoint_that_fails_is_said_so_and_fails_no_read_and_no_write(
    store: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(conn: Any, mode: str, version: str) -> None:
        raise conn.OperationalError("disk I/O error")

    with store.bulk():
        store.append([make_event(NOON)])
        monkeypatch.setattr(connect, "checkpoint", fail)
        (done,) = store.checkpoint(DAY)
        assert (done.busy, done.error) == (False, "disk I/O error")
        assert store.append([make_event(NOON)]).stored == 1
        assert store.count(Filter()).count == 2


def test_a_day_that_is_garbage_is_named_and_the_others_are_done(store: Store, make_event: MakeEvent) -> None:
    with store.bulk():
        store.append([make_event(NOON), make_event(NOON + layout.DAY_US)])
        Path(layout.db_path(store.root, DAY)).write_bytes(b"garbage " * 1000)
        Path(layout.db_path(store.root, DAY) + "-wal").write_bytes(b"garbage " * 1000)
        bad, good = store.checkpoint(mode="truncate")
        assert "not a database" in bad.error
        assert (good.error, good.busy) == ("", False)


def test_a_sqlite_with_the_wal_reset_bug_never_resets_the_wal(
    store: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.bulk():
        store.append([make_event(NOON)])
        monkeypatch.setattr(connect, "may_checkpoint", lambda version: False)
        (done,) = store.checkpoint(DAY, "truncate")
        assert (done.mode, done.busy) == ("passive", False)
        assert wal_bytes(store.root) > 0


def test_checkpoints_hinder_no_writer_and_no_reader(store: Store, make_event: MakeEvent) -> None:
    """All modes, all the time, while others write and read: nothing is refused, nothing is lost."""
    done, troubles = threading.Event(), []

    def keep_on() -> None:
        while not done.is_set():
            for mode in checkpoint.MODES:
                troubles.extend(one for one in store.checkpoint(mode=mode) if one.error and not one.busy)

    def look() -> None:
        seen = 0
        while not done.is_set():
            found = store.count(Filter())
            troubles.extend(found.partitions.unreadable)
            if found.count < seen:
                troubles.append(found)
            seen = found.count

    threads = [threading.Thread(target=one) for one in (keep_on, look, look)]
    for thread in threads:
        thread.start()
    with store.bulk():
        refused = [one for at in range(300) for one in store.append([make_event(NOON + at)]).refused]
    done.set()
    for thread in threads:
        thread.join()
    assert refused == troubles == []
    assert store.count(Filter()).count == 300
