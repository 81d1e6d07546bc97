"""A day that stays open for a bulk of appends: quick for them, and as good as closed for everybody else."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from eyelet_ingest.errors import PartitionBusy, PartitionUnreadable
from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, layout, writer, writers
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from eyelet_ingest.store.writers import Writers

DAY = layout.PartitionKey("default", 2026, 79)
NOON = DAY.bounds_us[0] + layout.DAY_US // 2
MakeEvent = Callable[..., Event]


def put(kept: Writers, event: Event, deadline_ms: int = 5_000) -> int:
    key = layout.key_for("default", event.time_us)
    return kept.insert(key, "default", [writer.row_of(event)], time.monotonic_ns() + deadline_ms * 1_000_000)


def open_files(root: str) -> int:
    """How many files under the root this process has open."""
    found = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            found += os.readlink(f"/proc/self/fd/{name}").startswith(root)
        except OSError:
            continue
    return found


@pytest.fixture
def kept(root: str) -> Writers:
    return Writers(root)


def test_a_bulk_opens_its_day_once_and_closes_it_at_its_end(store: Store, make_event: MakeEvent) -> None:
    with store.bulk(), store.bulk():
        for at in range(50):
            assert store.append([make_event(NOON + at)]).stored == 1
        (mine,) = store._writers
        assert (mine.opened, mine.hits) == (1, 49)
        assert os.path.exists(layout.db_path(store.root, DAY) + "-wal")
    assert not os.path.exists(layout.db_path(store.root, DAY) + "-wal")
    assert store.append([make_event(NOON)]).stored == 1
    assert not os.path.exists(layout.db_path(store.root, DAY) + "-wal")
    assert store.count(Filter()).count == 51


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_at_most_so_many_days_are_open_and_those_that_nobody_uses_are_closed(root: str, make_event: MakeEvent) -> None:
    kept = Writers(root, max_open=3, idle_s=1000)
    with kept:
        for day in range(20):
            put(kept, make_event(NOON + day * layout.DAY_US))
            assert open_files(root) <= 3 * 3
        assert kept.evictions == 17
        kept.idle_s = -1
        kept.close_idle()
        assert (kept.idle_closes, open_files(root)) == (3, 0)


def test_no_lock_is_held_between_two_appends(store: Store, make_event: MakeEvent) -> None:
    with store.bulk():
        store.append([make_event(NOON)])
        with connect.FileLock(layout.lock_path(store.root, DAY), time.monotonic_ns()):
            pass
        with Store(store.root) as other:
            assert other.append([make_event(NOON)]).stored == 1
            assert other.delete(Filter(until_us=NOON)).failed == []
        assert store.append([make_event(NOON)]).stored == 1


def test_a_day_that_was_removed_meanwhile_is_made_anew(store: Store, make_event: MakeEvent) -> None:
    with store.bulk():
        store.append([make_event(NOON)])
        with Store(store.root) as other:
            assert other.delete(Filter(since_us=DAY.bounds_us[0], until_us=DAY.bounds_us[1])).events == 1
        store.append([make_event(NOON, session_id="second")])
        shutil.rmtree(layout.partition_dir(store.root, DAY))
        store.append([make_event(NOON, session_id="third")])
        shutil.rmtree(store.root)
        store.append([make_event(NOON, session_id="fourth")])
    assert [row["session_id"] for row in store.search(Filter()).rows] == ["fourth"]


def test_closing_the_writer_of_a_removed_day_leaves_the_new_one_alone(store: Store, make_event: MakeEvent) -> None:
    with store.bulk():
        store.append([make_event(NOON)])
        shutil.rmtree(layout.partition_dir(store.root, DAY))
        with Store(store.root) as other, other.bulk():
            other.append([make_event(NOON, session_id="new")])
            store.close()
            assert os.path.exists(layout.db_path(store.root, DAY) + "-wal")
    assert [row["session_id"] for row in store.search(Filter()).rows] == ["new"]


def test_the_end_of_a_bulk_brings_no_removed_day_back(store: Store, make_event: MakeEvent) -> None:
    with store.bulk():
        store.append([make_event(NOON)])
        shutil.rmtree(store.root)
    assert not os.path.exists(store.root)


def test_an_error_closes_the_writer_and_the_next_append_begins_anew(store: Store, make_event: MakeEvent) -> None:
    big = make_event(NOON, data='{"a":"' + "x" * 200_000 + '"}')
    with store.bulk():
        store.append([make_event(NOON)])
        (mine,) = store._writers
        mine._kept[DAY].conn.execute("pragma max_page_count = 1")  # SQLite's own full disk
        (refused,) = store.append([big]).refused
        assert isinstance(refused.error, PartitionUnreadable)
        assert store.append([big]).stored == 1
        assert (mine.opened, mine.errors) == (2, 1)


def test_a_deadline_holds_in_a_bulk_too(kept: Writers, make_event: MakeEvent) -> None:
    with kept:
        put(kept, make_event(NOON))
        with connect.FileLock(layout.lock_path(kept.root, DAY), time.monotonic_ns()), pytest.raises(PartitionBusy):
            put(kept, make_event(NOON), deadline_ms=20)
        other = connect.open_writer(layout.db_path(kept.root, DAY))
        other.execute("begin immediate")
        with pytest.raises(PartitionBusy):
            put(kept, make_event(NOON), deadline_ms=20)
        other.execute("rollback")
        other.close()
        assert put(kept, make_event(NOON)) == 1


def test_threads_share_one_writer_of_a_day(store: Store, make_event: MakeEvent) -> None:
    refused = []

    def work() -> None:
        with store.bulk():
            for at in range(40):
                refused.extend(store.append([make_event(NOON + at)]).refused)

    threads = [threading.Thread(target=work) for _ in range(8)]
    with store.bulk():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert store._writers[0].opened == 1
    assert refused == []
    assert store.count(Filter()).count == 320


FORK = """
import os, sys, time
from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, layout
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
noon = int(sys.argv[2])
def event(name):
    return Event(hook_type="Note", uid=os.urandom(16), time_us=noon, session_id=name)
with Store(sys.argv[1]) as store, store.bulk():
    store.append([event("parent")])
    for at in range(5):
        pid = os.fork()
        if not pid:
            store.append([event(f"child {at}")])
            assert (store._writers[0].opened, len(store._writers[0]._inherited)) == (2, 1)
            store.close()
            os._exit(0)
        store.append([event("parent")])
        assert os.waitpid(pid, 0)[1] == 0
    lock = connect.FileLock(layout.lock_path(sys.argv[1], layout.key_for("default", noon)), 0)
    with lock:
        sleeper = os.fork()
        if not sleeper:
            os.close(1)
            time.sleep(60)
            os._exit(0)
    assert not store.append([event("after")], deadline_ms=1000).refused  # the sleeper keeps no lock of its parent's
print(sleeper)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_opens_its_own_writers_and_keeps_no_lock_of_its_parents(store: Store) -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(one for one in sys.path if one)}
    done = subprocess.run(
        [sys.executable, "-c", FORK, store.root, str(NOON)], stdout=subprocess.PIPE, env=env, check=True, text=True
    )
    os.kill(int(done.stdout), signal.SIGKILL)
    names = sorted(str(row["session_id"]) for row in store.search(Filter()).rows)
    assert names == sorted(["parent"] * 6 + [f"child {at}" for at in range(5)] + ["after"])


def test_the_day_is_closed_under_its_lock(store: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it was not, a checkpoint of the closing connection could meet a writer; it waits for the lock instead."""
    monkeypatch.setattr(writers, "CLOSE_DEADLINE_MS", 50)
    wal = Path(layout.db_path(store.root, DAY) + "-wal")
    with store.bulk():
        store.append([make_event(NOON)])
        lock = connect.FileLock(layout.lock_path(store.root, DAY), time.monotonic_ns())
        with lock:
            closing = threading.Thread(target=store.close)
            closing.start()
            assert wal.exists()
        closing.join()
        assert not wal.exists()


def test_a_day_that_has_to_be_closed_makes_nobody_wait_beyond_the_deadline(store: Store, make_event: MakeEvent) -> None:
    """Its lock is another's, for as long as that likes; it is closed at a later append."""
    with store.bulk():
        (mine,) = store._writers
        mine.max_open = 1
        store.append([make_event(NOON)])
        for idle_s in (1000, -1):
            mine.idle_s = idle_s
            with connect.FileLock(layout.lock_path(store.root, DAY), time.monotonic_ns()):
                late = threading.Timer(20, os.abort)  # the old wait was one of 30 s
                late.start()
                assert store.append([make_event(NOON + layout.DAY_US)], deadline_ms=500).stored == 1
                late.cancel()
                assert DAY in mine._kept
        assert mine.evictions == 0
        store.append([make_event(NOON + layout.DAY_US)])
        assert DAY not in mine._kept
    assert store.count(Filter()).count == 4


def test_after_a_bulk_an_append_is_as_if_there_had_been_none(store: Store, make_event: MakeEvent) -> None:
    with store.bulk():
        store.append([make_event(NOON)])
    (mine,) = store._writers
    assert store.append([make_event(NOON)]).stored == 1
    assert (mine.opened, mine._kept) == (1, {})


FORK_AND_LEAVE = """
import os, sys
from eyelet_ingest.events import Event
from eyelet_ingest.store.store import Store
def event(name):
    return Event(hook_type="Note", uid=os.urandom(16), time_us=int(sys.argv[2]), session_id=name)
store = Store(sys.argv[1])
with store.bulk():
    store.append([event("parent")])
    (kept,) = store._writers[0]._kept.values()
    for how in ("close", "leave", "idle", "enter"):
        pid = os.fork()
        if not pid:
            store._writers[0].idle_s = -1
            try:
                with store.bulk() if how == "enter" else store if how == "close" else store._writers[0]:
                    if how == "idle":
                        store._writers[0].close_idle()
            except BaseException:
                os._exit(2)
            os._exit(0 if kept.conn is not None else 1)
        assert os.waitpid(pid, 0)[1] == 0, how
        store.append([event("parent")])
    pid = os.fork()
    if not pid:
        sys.exit(0)  # as any program ends: its memory is freed, and with it what it inherited
    assert os.waitpid(pid, 0)[1] == 0
    store.append([event("parent")])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_closes_nothing_of_its_parents_however_it_ends(store: Store) -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(one for one in sys.path if one)}
    command = [sys.executable, "-c", FORK_AND_LEAVE, store.root, str(NOON)]
    done = subprocess.run(command, capture_output=True, env=env, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert store.count(Filter()).count == 6
