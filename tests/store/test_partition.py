"""One partition: its schema in plain sqlite3, ids, identity, rows made by hand, files nobody can use."""

import json
import os
import shutil
import sqlite3  # a user's own shell: the point is that nothing of ours is needed
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from eyelet_ingest.errors import PartitionBusy, PartitionUnreadable, RootError
from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, identity, layout, schema, writer
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

DAY = layout.PartitionKey("default", 2026, 79)
NOON = DAY.bounds_us[0] + layout.DAY_US // 2

MakeEvent = Callable[..., Event]


def plain(root: str, key: layout.PartitionKey = DAY) -> sqlite3.Connection:
    return sqlite3.connect(layout.db_path(root, key))


def test_a_plain_sqlite3_reads_a_day_and_takes_data_apart(store: Store, make_event: MakeEvent) -> None:
    event = make_event(NOON, data='{"tool_input":{"command":"git push"}}', meta={"git": {"branch": "main"}})
    event.meta["execution"] = {"error_code": "exit:128"}
    store.append([event])
    row = plain(store.root).execute(
        "select json_extract(data, '$.tool_input.command'), git_branch, error_code, typeof(data), timestamp from hooks"
    )
    assert row.fetchone() == ("git push", "main", "exit:128", "text", NOON / 1e6)


def test_files_and_folders_are_private(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(NOON)])
    identity.load_key(store.root)
    for folder, _, names in os.walk(store.root):
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700, folder
        for name in names:
            assert stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode) == 0o600, name


def test_the_given_name_of_the_context_is_kept_inside(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(NOON)], "../../etc")
    safe = layout.safe_context("../../etc")
    assert os.listdir(os.path.join(store.root, "logs")) == [safe]
    conn = plain(store.root, layout.PartitionKey(safe, 2026, 79))
    facts = dict(conn.execute("select key, value from eyelet_partition"))
    assert facts == {"context": safe, "given": "../../etc", "start_us": DAY.bounds_us[0], "end_us": DAY.bounds_us[1]}


def test_the_same_uid_is_stored_once(store: Store, make_event: MakeEvent) -> None:
    event = make_event(NOON)
    first = store.append([event, event])
    again = store.append([event])
    assert (first.stored, first.duplicates, again.stored, again.duplicates) == (1, 1, 0, 1)


def test_equal_times_are_moved_on_by_a_microsecond_each(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(NOON + 3)])
    assert store.append([make_event(NOON) for _ in range(10_000)]).stored == 10_000
    assert store.append([make_event(NOON) for _ in range(10_000)]).stored == 10_000
    ids = [row[0] for row in plain(store.root).execute("select id from hooks order by id")]
    assert ids == list(range(NOON, NOON + 20_001))


def test_an_id_never_leaves_its_day(store: Store, make_event: MakeEvent) -> None:
    last = DAY.bounds_us[1] - 1
    store.append([make_event(last - 2)])
    for _ in range(3):
        store.append([make_event(last) for _ in range(100)])
    ids = {row[0] for row in plain(store.root).execute("select id from hooks")}
    assert ids == set(range(last - 300, last + 1))
    assert [key.day for key in store.catalog.partitions()] == [79]


def test_arrival_is_strictly_rising_whatever_the_times_say(store: Store, make_event: MakeEvent) -> None:
    names = [f"s{number}" for number in range(50)]
    for start in (0, 25):
        late_first = [
            make_event(NOON - number * 1_000, session_id=names[number]) for number in range(start, start + 25)
        ]
        store.append(late_first)
    rows = plain(store.root).execute("select session_id, arrived from hooks order by arrived").fetchall()
    assert [name for name, _ in rows] == names
    assert all(one < two for (_, one), (_, two) in pairwise(rows))


def test_arrival_rises_even_where_the_clock_stepped_back(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(NOON)])
    ahead = time.time_ns() // 1_000 + 10**12
    conn = plain(store.root)
    with conn:
        conn.execute("update hooks set arrived = ?", (ahead,))
    conn.close()
    store.append([make_event(NOON)])
    assert plain(store.root).execute("select max(arrived) from hooks").fetchone() == (ahead + 1,)


def test_a_batch_is_split_over_days(store: Store, make_event: MakeEvent) -> None:
    midnight = DAY.bounds_us[1]
    done = store.append([make_event(midnight + step) for step in (-1, 0, 1, -2)])
    assert done.stored == 4
    assert {key.day for key in done.partitions} == {79, 80}
    assert plain(store.root).execute("select count(*) from hooks").fetchone() == (2,)


@pytest.mark.parametrize("count", [2, writer.STATEMENT_ROWS - 1, writer.STATEMENT_ROWS, 2 * writer.STATEMENT_ROWS + 5])
def test_a_batch_stores_what_its_events_would_one_by_one(tmp_path: Path, make_event: MakeEvent, count: int) -> None:
    """Whether a column is null in all of them, in some or in none, and however many rows are over."""
    names = sorted(writer.NULL_BY_DEFAULT)
    columns = ", ".join(column for column in schema.COLUMNS if column != "arrived")
    found = []
    for size in (1, count):
        events = []
        for at in range(count):
            given = [name for nth, name in enumerate(names) if nth % 3 == 0 or (nth % 3 == 1 and at % 2)]
            fields = {name: 1.5 if name == "duration_ms" else f"{name} {at}" for name in given}
            events.append(make_event(NOON + at, uid=at.to_bytes(16, "big"), **fields))
        with Store(str(tmp_path / str(size))) as store, store.bulk():
            for start in range(0, count, size):
                store.append(events[start : start + size])
            with closing(plain(store.root)) as conn:
                found.append(conn.execute(f"select {columns} from hooks order by arrived").fetchall())
    assert found[0] == found[1] and len(found[0]) == count


def test_what_passes_for_json_but_not_in_sqlite_is_kept_raw(store: Store, make_event: MakeEvent) -> None:
    good, bad = make_event(NOON, data='{"a":1}'), make_event(NOON, data='{"a":')
    assert store.append([good, bad]).stored == 2
    values = [json.loads(row[0]) for row in plain(store.root).execute("select data from hooks order by id")]
    assert values[0] == {"a": 1}
    assert set(values[1]) == {"_raw", "_why"}


def by_hand(conn: sqlite3.Connection, timestamp: object) -> None:
    with conn:
        conn.execute("insert into hooks (timestamp, hook_type, data) values (?, 'note', '{}')", (timestamp,))


def test_a_row_made_by_hand_is_found_by_search_in_its_place(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(NOON), make_event(NOON + 2_000_000)])
    conn = plain(store.root)
    for seconds in (1, 1, 0):
        by_hand(conn, NOON / 1e6 + seconds)
    found = store.search(Filter(since_us=NOON, until_us=NOON + 3_000_000), oldest_first=True).rows
    assert [row["id"] for row in found] == [NOON, NOON + 1, NOON + 1_000_000, NOON + 1_000_001, NOON + 2_000_000]
    assert len({row["uid"] for row in found}) == 5
    assert all(row["uid"] and row["arrived"] for row in found)
    arrived = [row[0] for row in conn.execute("select arrived from hooks order by arrived")]
    assert len(set(arrived)) == 5


@pytest.mark.parametrize(
    ("timestamp", "reason"),
    [(DAY.bounds_us[1] / 1e6, "outside the UTC day"), ("yesterday", "seconds since 1970"), (0, "outside the UTC day")],
)
def test_a_row_made_by_hand_with_a_wrong_time_is_refused_with_the_reason(
    store: Store, make_event: MakeEvent, timestamp: object, reason: str
) -> None:
    store.append([make_event(NOON)])
    with pytest.raises(sqlite3.IntegrityError, match=reason):
        by_hand(plain(store.root), timestamp)


def test_migrating_twice_is_a_noop(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(NOON)])
    path = layout.db_path(store.root, DAY)
    before = "\n".join(plain(store.root).iterdump())
    conn = connect.open_writer(path)
    schema.bring_up(conn, path, "default", "default", DAY.bounds_us)
    conn.close()
    assert "\n".join(plain(store.root).iterdump()) == before


def test_a_day_whose_maker_died_before_the_first_commit_is_empty_and_then_used(
    store: Store, make_event: MakeEvent
) -> None:
    path = Path(layout.db_path(store.root, DAY))
    path.parent.mkdir(parents=True)
    path.touch()
    assert store.search(Filter()).partitions.unreadable == ()
    assert store.append([make_event(NOON)]).stored == 1
    assert store.count(Filter()).count == 1


def garbage(path: Path) -> None:
    path.write_bytes(b"this is no database, " * 500)


def half_overwritten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000] + b"\xff" * 60_000)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def others_table(path: Path) -> None:
    path.unlink()
    conn = sqlite3.connect(path)
    conn.execute("create table hooks (something)")
    conn.close()


@pytest.mark.parametrize("spoil", [garbage, half_overwritten, a_folder, others_table])
def test_one_bad_day_is_named_and_hides_no_other(
    store: Store, make_event: MakeEvent, spoil: Callable[[Path], None]
) -> None:
    events = [
        make_event(NOON + day * layout.DAY_US, data=f'{{"n":"{"x" * 3000}"}}') for day in range(3) for _ in "1234"
    ]
    store.append(events)
    spoil(Path(layout.db_path(store.root, DAY)))
    found = store.search(Filter())
    assert len(found.rows) == 8
    assert [(bad.context, bad.day) for bad in found.partitions.unreadable] == [("default", "2026-03-20")]
    assert found.partitions.unreadable[0].error
    assert store.count(Filter()).count == 8
    assert store.summary(Filter()).events == 8
    done = store.append([make_event(NOON), make_event(NOON + layout.DAY_US)])
    assert done.stored == 1
    assert [one.key for one in done.refused] == [DAY]
    assert isinstance(done.refused[0].error, PartitionUnreadable)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs users")
def test_a_read_only_day_is_read_and_not_written(make_event: MakeEvent) -> None:
    """In a process without root's rights, which may write anything."""
    root = tempfile.mkdtemp(dir="/tmp")  # pytest's own folders are closed to other users
    with Store(root) as writable:
        writable.append([make_event(NOON)])
    for path in [Path(root), *Path(root).rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    code = """
import os, sys
sys.path[:0] = sys.argv[2].split(os.pathsep)
from eyelet_ingest.events import Event
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store import connect, layout, writer
from eyelet_ingest.store.store import Store
connect.driver()
if os.geteuid() == 0:
    os.setuid(65534)
store = Store(sys.argv[1])
found = store.search(Filter())
print(len(found.rows), found.partitions.unreadable)
print([str(one.error) for one in store.append([Event(hook_type="x", uid=b"1" * 16, time_us=int(sys.argv[3]))]).refused])
"""
    done = subprocess.run(
        [sys.executable, "-c", code, root, os.pathsep.join(sys.path), str(NOON)], capture_output=True, text=True
    )
    for path in [Path(root), *Path(root).rglob("*")]:
        path.chmod(0o700)
    shutil.rmtree(root)
    if "Permission" in done.stderr and "site-packages" in done.stderr:
        pytest.skip("another user may not read this virtual environment")
    assert done.stderr == ""
    rows, refused = done.stdout.splitlines()
    assert rows == "1 ()"
    assert "may you write" in refused or "writable" in refused or "read-only" in refused


def test_a_root_that_is_a_file_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "root").write_text("")
    with pytest.raises(RootError, match="a file, not a folder"):
        Store(str(tmp_path / "root"))


def test_a_root_that_cannot_be_made_is_an_error_with_the_path(tmp_path: Path, make_event: MakeEvent) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    for root, reason in ((tmp_path / "link", "link to nothing"), (Path("/proc/nowhere/root"), "No such file")):
        with Store(str(root)) as store, pytest.raises(RootError, match=reason):
            store.append([make_event(NOON)])


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ("database or disk is full", "make room"),
        ("disk I/O error", "disk full, or failing"),
        ("attempt to write a readonly database", "may read"),
        ("database is locked", "try again"),
        ("file is not a database", "restore it"),
    ],
)
def test_the_remedy_fits_the_trouble(tmp_path: Path, reason: str, hint: str) -> None:
    assert hint in connect.remedy(str(tmp_path / "logs.sqlite"), ValueError(reason))


def test_a_missing_root_has_no_rows_and_stays_missing(store: Store) -> None:
    assert store.search(Filter()).rows == []
    assert store.count(Filter()).count == 0
    assert not os.path.exists(store.root)


def test_invalid_utf8_in_a_row_does_not_raise(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(NOON)])
    conn = plain(store.root)
    with conn:
        conn.execute("update hooks set src = cast(x'66ff6f' as text)")
    conn.close()
    assert [row["src"] for row in store.search(Filter()).rows] == ["f\ufffdo"]


@pytest.mark.parametrize("deadline_ms", [None, 60_000])
@pytest.mark.parametrize("where", [Filter(), Filter(session_id=("s",)), Filter(src=("x",))], ids=str)
def test_a_row_that_is_no_utf8_costs_a_page_no_other_row(
    store: Store, make_event: MakeEvent, where: Filter, deadline_ms: float | None
) -> None:
    """Rows are read as UTF-8 until one is none; what that question had read by then is read again."""
    events = [make_event(NOON + at, session_id="s", src="x", tool_name=f"tool-{at}") for at in range(300)]
    store.append(events)
    conn = plain(store.root)
    with conn:
        conn.execute("update hooks set tool_name = cast(x'66ff6f' as text) where tool_name = 'tool-150'")
    conn.close()
    for _ in range(2):
        page = store.search(where, limit=1_000, deadline_ms=deadline_ms)
        expected = [f"tool-{at}" if at != 150 else "f\ufffdo" for at in reversed(range(300))]
        assert [row["tool_name"] for row in page.rows] == expected
        assert page.partitions.unreadable == ()


def test_writers_take_turns_and_a_late_one_gives_up_at_its_deadline(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(NOON)])
    path = layout.lock_path(store.root, DAY)
    with connect.FileLock(path, time.monotonic_ns()), pytest.raises(PartitionBusy):
        connect.FileLock(path, time.monotonic_ns() + 20_000_000).__enter__()
    with connect.FileLock(path, time.monotonic_ns()):
        pass


def test_a_lock_on_a_removed_day_is_no_lock(store: Store, make_event: MakeEvent) -> None:
    """Whoever waited while the day was removed gets the lock of the day that is there now."""
    store.append([make_event(NOON)])
    path = layout.lock_path(store.root, DAY)
    with connect.FileLock(path, time.monotonic_ns()):
        os.unlink(path)
        with connect.FileLock(path, time.monotonic_ns()) as second:
            assert os.fstat(second.handle).st_ino == os.stat(path).st_ino


@pytest.mark.parametrize(
    ("version", "safe"),
    [("3.40.1", False), ("3.44.5", False), ("3.44.6", True), ("3.45.0", False), ("3.50.7", True), ("3.51.2", False),
     ("3.51.3", True), ("3.53.4", True), ("4.0", True)],
)  # fmt: skip
def test_checkpoints_run_only_on_a_fixed_sqlite(version: str, safe: bool) -> None:
    assert connect.may_checkpoint(version) is safe


def test_the_driver_is_pysqlite3_where_it_is_installed() -> None:
    pysqlite3 = pytest.importorskip("pysqlite3")
    assert connect.driver().sqlite_version == pysqlite3.sqlite_version


def test_of_many_makers_of_the_key_one_wins(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.append(sys.argv[2]); from eyelet_ingest.store import identity; "
        "print(identity.load_key(sys.argv[1]).hex())"
    )
    source = str(Path(identity.__file__).parents[2])
    makers = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "r"), source], stdout=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    assert len({maker.communicate()[0] for maker in makers}) == 1
    assert os.listdir(tmp_path / "r") == ["secret.key"]


def test_uids_of_different_kinds_never_meet() -> None:
    key = bytes(32)
    uids = [
        identity.record_uid(key, "a", "bc"),
        identity.record_uid(key, "ab", "c"),
        identity.timed_uid(key, b"x", 1),
        identity.timeless_uid(key, b"x", 1),
        identity.timeless_uid(key, b"x", 1, b"g"),
        identity.timed_uid(bytes(31) + b"1", b"x", 1),
    ]
    assert len(set(uids)) == len(uids)
    assert all(len(uid) == 16 for uid in uids)


def test_a_day_filled_to_its_end_gives_ids_downwards_in_one_pass(store: Store, make_event: MakeEvent) -> None:
    last = DAY.bounds_us[1] - 1
    store.append([make_event(last - at) for at in (1, 2, 5_000, 9_000)])
    for _ in range(2):
        assert store.append([make_event(last) for _ in range(20_000)]).stored == 20_000
    ids = {row[0] for row in plain(store.root).execute("select id from hooks")}
    assert ids == set(range(last - 40_003, last + 1))


def test_distinct_times_inside_a_long_run_of_taken_ids_are_placed_in_one_pass(
    store: Store, make_event: MakeEvent
) -> None:
    store.append([make_event(NOON) for _ in range(60_000)])
    assert store.append([make_event(NOON + at * 7) for at in range(5_000)]).stored == 5_000
    ids = {row[0] for row in plain(store.root).execute("select id from hooks")}
    assert ids == set(range(NOON, NOON + 65_000))


def test_a_copy_with_another_time_is_still_the_same_event(store: Store, make_event: MakeEvent) -> None:
    """Known events are looked for only where they can be; the unique index tells where that was wrong."""
    event = make_event(NOON)
    store.append([event])
    event.time_us += 5_000_000
    done = store.append([event, make_event(NOON + 9_000_000)])
    assert (done.stored, done.duplicates) == (1, 1)


def test_a_context_that_is_no_utf8_is_stored(store: Store, make_event: MakeEvent) -> None:
    assert store.append([make_event(NOON)], "a\udcff").stored == 1


@pytest.mark.parametrize("what", ["a folder", "a pipe", "a link to nothing", "too short"])
def test_a_key_that_is_none_is_an_error_and_no_hang(tmp_path: Path, what: str) -> None:
    path = tmp_path / "secret.key"
    if what == "a folder":
        path.mkdir()
    elif what == "a pipe":
        os.mkfifo(path)
    elif what == "a link to nothing":
        path.symlink_to(tmp_path / "gone")
    else:
        path.write_bytes(b"short")
    with pytest.raises(RootError, match=r"secret\.key"):
        identity.load_key(str(tmp_path))


def test_a_key_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity.os, "write", lambda handle, data: 3)
    with pytest.raises(RootError, match="make room"):
        identity.load_key(str(tmp_path / "root"))
    assert list((tmp_path / "root").iterdir()) == []


def test_a_lock_file_that_is_a_link_to_nothing_is_an_error_and_no_hang(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(NOON)])
    path = Path(layout.lock_path(store.root, DAY))
    path.unlink()
    path.symlink_to(path.parent / "gone" / "lock")
    (refused,) = store.append([make_event(NOON)]).refused
    assert "logs.lock" in str(refused.error)


def test_a_file_system_without_flock_is_written_all_the_same(
    store: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(connect.fcntl, "flock", no_locks)
    assert store.append([make_event(NOON)]).stored == 1


def test_a_wal_that_sqlite_may_not_empty_by_itself_is_bounded_while_a_reader_stays(
    store: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "may_checkpoint", lambda version: False)
    store.append([make_event(NOON)])
    path = layout.db_path(store.root, DAY)
    reader = connect.open_reader(path)
    assert reader.execute("select count(*) from hooks").fetchone() == (1,)
    for at in range(120):
        store.append([make_event(NOON + at, data=json.dumps({"a": "x" * 100_000}))])
    assert os.path.getsize(path + "-wal") < 3 * connect.WAL_LIMIT_BYTES
    assert os.path.getsize(path) > 100 * 100_000
    reader.close()


def test_one_folder_that_takes_nothing_hinders_no_other_day(store: Store, make_event: MakeEvent) -> None:
    logs = Path(layout.logs_dir(store.root))
    (logs / "default").mkdir(parents=True)
    (logs / "default" / "2025").write_text("a file where a year should be")
    done = store.append([make_event(NOON - 365 * layout.DAY_US), make_event(NOON)])
    assert done.stored == 1
    assert [one.key.year for one in done.refused] == [2025]
