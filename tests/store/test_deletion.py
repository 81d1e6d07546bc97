"""Deleting: what matches goes and nothing else, days that lie whole in the range as files, under the day's lock."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eyelet_ingest.errors import BadInput
from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, layout, spool, writer
from eyelet_ingest.store.connect import FileLock, open_reader
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

DAY_US = 86_400_000_000
START_US = 1_773_792_000_000_000  # 2026-03-18T00:00:00Z
SECRET = "correct-horse-battery-staple"

MakeEvent = Callable[..., Event]


@pytest.fixture
def week(store: Store, make_event: MakeEvent) -> Store:
    """Two contexts, seven days, ten events a day: half of src `a.b`, half of `a.bc`."""
    for context in ("one", "two"):
        store.append(
            [
                make_event(START_US + day * DAY_US + n * 3_600_000_000, src="a.b" if n % 2 else "a.bc")
                for day in range(7)
                for n in range(10)
            ],
            context,
        )
    return store


def count(store: Store, **where: object) -> int:
    return store.count(Filter(**where)).count  # type: ignore[arg-type]


def test_a_dry_run_says_what_would_go_and_changes_nothing(week: Store) -> None:
    before = files(week.root)
    done = week.delete(Filter(src=("a.b",), contexts=("one",)), dry_run=True)
    assert (done.dry_run, done.events, len(done.days)) == (True, 35, 7)
    assert {day.whole for day in done.days} == {False}
    assert files(week.root) == before
    assert count(week) == 140


def test_what_matches_goes_and_nothing_else(week: Store) -> None:
    done = week.delete(Filter(src=("a.b",), contexts=("one",)))
    assert (done.events, done.failed) == (35, [])
    assert count(week, src=("a.b",)) == 35
    assert count(week, src=("a.bc",)) == 70
    assert count(week, contexts=("one",)) == 35


def test_days_whole_in_the_range_go_as_files_and_the_boundary_day_by_rows(week: Store) -> None:
    until_us = START_US + 2 * DAY_US + 5 * 3_600_000_000
    done = week.delete(Filter(until_us=until_us))
    assert done.events == 2 * 25
    assert sum(day.whole for day in done.days) == 4
    assert count(week) == 140 - 50
    assert count(week, until_us=until_us) == 0
    for context in ("one", "two"):
        gone = layout.partition_dir(week.root, layout.key_for(context, START_US))
        assert not os.path.exists(gone)
        assert os.path.exists(layout.db_path(week.root, layout.key_for(context, until_us)))


def test_empty_folders_go_with_the_last_day(week: Store) -> None:
    done = week.delete(Filter(contexts=("one",)))
    assert (done.events, len(done.days)) == (70, 7)
    assert not os.path.exists(os.path.join(week.root, "logs", "one"))
    assert week.contexts() == ["two"]
    week.delete(Filter(until_us=START_US + 100 * DAY_US))
    assert os.listdir(os.path.join(week.root, "logs")) == []


def test_files_of_others_in_a_days_folder_stay(week: Store) -> None:
    folder = Path(layout.partition_dir(week.root, layout.key_for("one", START_US)))
    (folder / "notes.txt").write_text("mine")
    week.delete(Filter(contexts=("one",)))
    assert os.listdir(folder) == ["notes.txt"]


def test_deleting_everything_must_be_said(week: Store) -> None:
    with pytest.raises(BadInput, match="everything"):
        week.delete(Filter())
    assert count(week) == 140


def test_deleting_twice_is_deleting_once(week: Store) -> None:
    where = Filter(until_us=START_US + DAY_US // 4)
    assert week.delete(where).events == 12
    again = week.delete(where)
    assert (again.events, again.days, again.failed) == (0, [], [])


def test_a_deleted_text_is_in_no_byte_under_the_root(store: Store, make_event: MakeEvent) -> None:
    told = [make_event(START_US + n, data=f'{{"prompt": "{SECRET} {n}"}}') for n in range(300)]
    store.append([*told, make_event(START_US + 1_000, data='{"prompt": "stays"}')])
    assert store.delete(Filter(text=SECRET)).events == 300
    for folder, _, names in os.walk(store.root):
        for name in names:
            assert SECRET.encode() not in Path(folder, name).read_bytes()
    assert count(store, text="stays") == 1


def test_what_waits_in_the_spool_goes_too(root: str, store: Store, make_event: MakeEvent) -> None:
    event = make_event(START_US, session_id="waits")
    spool.put(root, layout.key_for("default", START_US), "default", writer.row_of(event), "busy")
    assert store.delete(Filter(session_id=("waits",))).events == 1
    assert spool.waiting(root) == []
    assert count(store) == 0


def test_a_reader_keeps_its_snapshot_of_a_day_that_is_removed(week: Store) -> None:
    key = layout.key_for("one", START_US)
    reader = open_reader(layout.db_path(week.root, key))
    try:
        rows = reader.execute("select id from hooks")
        rows.fetchone()
        week.delete(Filter(contexts=("one",)))
        assert len(rows.fetchall()) == 9
        assert reader.execute("select count(*) from hooks").fetchone()[0] == 10
    finally:
        reader.close()


def test_a_reader_keeps_its_snapshot_of_rows_that_are_deleted(week: Store) -> None:
    reader = open_reader(layout.db_path(week.root, layout.key_for("one", START_US)))
    try:
        reader.execute("begin")
        assert reader.execute("select count(*) from hooks").fetchone()[0] == 10
        week.delete(Filter(src=("a.b",)))
        assert reader.execute("select count(*) from hooks").fetchone()[0] == 10
        reader.execute("commit")
        assert reader.execute("select count(*) from hooks").fetchone()[0] == 5
    finally:
        reader.close()


def test_each_day_is_announced_before_its_files_go(week: Store) -> None:
    told: list[PartitionKey] = []

    def release(key: PartitionKey) -> None:
        assert os.path.exists(layout.db_path(week.root, key))
        told.append(key)

    done = week.delete(Filter(contexts=("two",), until_us=START_US + 3 * DAY_US + 1), before_removal=release)
    assert told == [day.key for day in done.days if day.whole]
    assert len(told) == 3


def test_a_broken_day_is_named_and_the_others_go(week: Store) -> None:
    path = Path(layout.db_path(week.root, layout.key_for("one", START_US)))
    path.write_bytes(b"this is no database" * 500)
    done = week.delete(Filter(src=("a.b",)))
    assert [(bad.context, bad.day) for bad in done.failed] == [("one", "2026-03-18")]
    assert done.events == 65
    assert path.exists()


def test_a_broken_day_can_go_as_a_whole(week: Store) -> None:
    path = Path(layout.db_path(week.root, layout.key_for("one", START_US)))
    path.write_bytes(b"this is no database" * 500)
    done = week.delete(Filter(until_us=START_US + DAY_US))
    assert {(day.key.context, day.events) for day in done.days} == {("one", None), ("two", 10)}
    assert not path.exists()


def test_a_day_that_others_keep_locked_is_named(week: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eyelet_ingest.store.deletion.DEADLINE_MS", 50)
    key = layout.key_for("one", START_US)
    with FileLock(layout.lock_path(week.root, key), time.monotonic_ns()):
        done = week.delete(Filter(until_us=START_US + DAY_US))
    assert [bad.context for bad in done.failed] == ["one"]
    assert count(week, contexts=("one",)) == 70
    assert count(week, contexts=("two",)) == 60


def test_a_day_that_is_not_there_is_not_made(week: Store) -> None:
    week.delete(Filter(contexts=("three",), src=("a.b",)))
    assert not os.path.exists(os.path.join(week.root, "logs", "three"))


def test_a_limited_store_deletes_nothing_of_other_contexts(week: Store) -> None:
    done = week.limited_to(frozenset(("one",))).delete(Filter(until_us=START_US + 100 * DAY_US))
    assert {day.key.context for day in done.days} == {"one"}
    assert week.contexts() == ["two"]


def test_a_row_that_hangs_on_an_event_goes_as_its_table_says(week: Store) -> None:
    path = layout.db_path(week.root, layout.key_for("one", START_US))
    conn = connect.open_writer(path)
    conn.execute("create table notes (event integer references hooks(id) on delete cascade, note text)")
    conn.execute("insert into notes select id, src from hooks")
    conn.close()
    week.delete(Filter(src=("a.b",)))
    conn = open_reader(path)
    assert conn.execute("select distinct note from notes").fetchall() == [("a.bc",)]
    conn.close()


def test_writers_lose_nothing_while_their_day_is_removed_again_and_again(store: Store, make_event: MakeEvent) -> None:
    stop, stored = threading.Event(), 0

    def remove() -> None:
        while not stop.is_set():
            removed.append(store.delete(Filter(contexts=("default",))))

    removed: list[object] = []
    thread = threading.Thread(target=remove)
    thread.start()
    try:
        for n in range(150):
            done = store.append([make_event(START_US + n)])
            assert not done.refused
            stored += done.stored
    finally:
        stop.set()
        thread.join()
    assert stored == 150
    gone = sum(done.events for done in removed)  # type: ignore[attr-defined]
    assert gone + count(store) == 150


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    events=st.lists(st.tuples(st.integers(0, 3 * DAY_US), st.sampled_from(["a", "a.b", "ab", "b"])), max_size=30),
    since=st.none() | st.integers(0, 3 * DAY_US),
    until=st.none() | st.integers(0, 3 * DAY_US),
    src=st.sampled_from([(), ("a",), ("a*",), ("b", "ab")]),
)
def test_deleting_and_searching_mean_the_same(
    tmp_path: Path,
    make_event: MakeEvent,
    events: list[tuple[int, str]],
    since: int | None,
    until: int | None,
    src: tuple[str, ...],
) -> None:
    with Store(str(tmp_path / os.urandom(8).hex())) as store:
        store.append([make_event(START_US + at, src=name) for at, name in events])
        where = Filter(
            since_us=None if since is None else START_US + since,
            until_us=None if until is None else START_US + until,
            src=src,
        )
        if where == Filter():
            return
        everything, found = count(store), store.count(where).count
        assert store.delete(where, dry_run=True).events == found
        assert store.delete(where).events == found
        assert store.count(where).count == 0
        assert count(store) == everything - found


def files(root: str) -> dict[str, bytes]:
    return {
        os.path.join(folder, name): Path(folder, name).read_bytes()
        for folder, _, names in os.walk(os.path.join(root, "logs"))
        for name in names
        if not name.endswith(("-shm", "-wal", ".lock"))
    }
