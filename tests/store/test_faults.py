"""Full disks, days that may not be written, folders that go, damage: named, stepped over, nothing acknowledged lost.

Through the library, the hook and the commands: what a day cannot take waits in the spool, and is stored when it can be.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eyelet_ingest import capture
from eyelet_ingest.errors import PartitionUnreadable
from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, layout, spool, writer
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

# -B: what Python 3.11 compiles while the disk is full it keeps cut short, and cannot load for ever after.
LIGHT = [sys.executable, "-I", "-S", "-B", str(Path(capture.__file__))]
EYELET = [sys.executable, "-m", "eyelet_ingest.cli"]
PATHS = os.pathsep.join(one for one in sys.path if one)
DAY_US = layout.DAY_US
MakeEvent = Callable[..., Event]


def today_us() -> int:
    """An instant of the day a hook records now, which ends no sooner than the test."""
    now_us = time.time_ns() // 1_000
    if DAY_US - now_us % DAY_US < 60_000_000:
        pytest.skip("it is almost midnight UTC")
    return now_us


def hook(root: str, name: str, size: int = 0, **options: object) -> None:
    """Record one event of the session `name`, and hold the hook to its word: nothing printed, exit 0."""
    given = json.dumps({"session_id": name, "hook_event_name": "Stop", "x": "x" * size}).encode()
    done = subprocess.run([*LIGHT, "--root", root], input=given, capture_output=True, **options)  # type: ignore[call-overload]
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def eyelet(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*EYELET, *words], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": PATHS})


def sessions(root: str) -> set[str]:
    with Store(root) as store:
        found = store.search(Filter(), limit=1000)
        assert found.partitions.unreadable == ()
        names = [str(row["session_id"]) for row in found.rows]
    assert len(names) == len(set(names))
    return set(names)


# Disks


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    at = tmp_path / "disk"
    at.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(at)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("only root may mount a small disk; the limit on files stands in for it")
    yield at
    subprocess.run(["umount", "-l", str(at)], check=True)


def test_a_full_disk_refuses_by_name_and_takes_everything_once_there_is_room(
    small_disk: Path, make_event: MakeEvent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run").mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 2**20)
    root = str(small_disk / "root")
    now_us = today_us()
    acknowledged: set[str] = set()
    with Store(root) as store:
        for in_bulk in (False, True):
            with store.bulk() if in_bulk else store:
                for at in range(2000):
                    name = f"{in_bulk}-{at}"
                    done = store.append([make_event(now_us - at, session_id=name, data=json.dumps({"x": "x" * 4000}))])
                    if done.refused:
                        break
                    acknowledged.add(name)
            assert "disk is full" in str(done.refused[0].error) or "failing" in str(done.refused[0].error)
        rest = os.open(small_disk / "rest", os.O_WRONLY | os.O_CREAT)
        with pytest.raises(OSError, match="No space"):
            while True:
                os.write(rest, b"x" * 4096)
        os.close(rest)
        hook(root, "hook", size=20_000)
        acknowledged.add("hook")
        refused = eyelet("drain", "--root", root)
        assert "full" in refused.stderr + refused.stdout
        found = store.search(Filter(), limit=5000)
        assert {str(row["session_id"]) for row in found.rows} == acknowledged - {"hook"}
        ballast.unlink()
        (small_disk / "rest").unlink()
        assert store.append(done.refused[0].events).stored == 1
        assert eyelet("drain", "--root", root).returncode == 0
        assert store.count(Filter()).count == len(acknowledged) + 1
        assert spool.waiting(root) == []


LIMITED = """
import os, resource, sys
from eyelet_ingest.events import Event
from eyelet_ingest.store import connect
from eyelet_ingest.store.store import Store
root, now_us, in_bulk = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "in bulk"
connect.driver()
with Store(root) as store:
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    with store.bulk() if in_bulk else store:
        for at in range(1000):
            event = Event(hook_type="Note", uid=os.urandom(16), time_us=now_us + at, session_id=f"s{at}",
                          data='{"x":"' + "x" * 4000 + '"}')
            done = store.append([event])
            if done.refused:
                break
            print(event.session_id)
        print(done.refused[0].error, file=sys.stderr)
"""


@pytest.mark.parametrize("how", ["one by one", "in bulk"])
def test_where_a_file_may_not_grow_what_was_acknowledged_stays(root: str, how: str) -> None:
    """A quota, as far as a user without rights can make one: a limit on the size of files."""
    now_us = today_us()
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, root, str(now_us), how],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": PATHS},
        check=True,
    )
    assert "is the disk full, or failing?" in done.stderr
    acknowledged = set(done.stdout.split())
    assert len(acknowledged) > 3
    hook(root, "hook", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, 8_000)))
    assert len(spool.waiting(root)) == 1
    with Store(root) as store:
        assert store.drain_spool().stored == 1
    assert sessions(root) == acknowledged | {"hook"}


# What may not be written

READ_ONLY = f"""
import os, select, sys
sys.path[:0] = {PATHS.split(os.pathsep)!r}
import eyelet_ingest.sources.claude_hooks, eyelet_ingest.store.journal
import _blake2, _signal, _socket
from eyelet_ingest import capture, faults, metadata
from eyelet_ingest.store import connect, spool, writer
connect.light_driver()
if os.geteuid() == 0:
    os.setuid(65534)
sys.argv = ["hook", "--root", sys.argv[1]]
capture.main()
"""


@pytest.mark.parametrize("what", ["folder", "file"])
def test_a_hook_that_may_not_write_the_day_leaves_its_event_elsewhere(make_event: MakeEvent, what: str) -> None:
    top = Path(tempfile.mkdtemp(dir="/tmp"))  # pytest's own folders are closed to other users
    root, elsewhere = top / "root", top / "run"
    try:
        with Store(str(root)) as store:
            store.append([make_event(today_us(), session_id="before")])
            (key,) = store.catalog.partitions()
        elsewhere.mkdir(mode=0o777)
        for path in [top, elsewhere, root, *root.rglob("*")]:
            path.chmod(0o777 if path.is_dir() else 0o666)
        day = Path(layout.partition_dir(str(root), key))
        for path in [root, *day.iterdir()] if what == "file" else [root, day, *day.iterdir()]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        given = json.dumps({"session_id": "hook", "hook_event_name": "Stop"}).encode()
        env = {**os.environ, "XDG_RUNTIME_DIR": str(elsewhere), "TMPDIR": str(elsewhere)}
        done = subprocess.run([sys.executable, "-c", READ_ONLY, str(root)], input=given, capture_output=True, env=env)
        if b"Permission" in done.stderr and b"site-packages" in done.stderr:
            pytest.skip("another user may not read this virtual environment")
        assert (done.returncode, done.stderr) == (0, b"")
        (waits,) = elsewhere.glob("eyelet-*/*.json")
        assert json.loads(waits.read_text())["why"]
        with Store(str(root)) as store:
            found = store.search(Filter())
            assert [row["session_id"] for row in found.rows] == ["before"]
            assert found.partitions.unreadable == ()
    finally:
        shutil.rmtree(top)


@pytest.mark.parametrize("gone", ["day", "year", "root"])
def test_a_folder_that_goes_takes_no_later_event_with_it(root: str, make_event: MakeEvent, gone: str) -> None:
    now_us = today_us()
    with Store(root) as store, store.bulk():
        store.append([make_event(now_us, session_id="lost with the folder")])
        day = Path(layout.partition_dir(root, layout.key_for("default", now_us)))
        shutil.rmtree({"day": day, "year": day.parent, "root": Path(root)}[gone])
        found = store.search(Filter())
        assert (found.rows, found.partitions.unreadable) == ([], ())
        hook(root, "hook")
        assert store.append([make_event(now_us, session_id="append")]).refused == []
    assert sessions(root) == {"hook", "append"}


# Damage


def header(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"garbage " * 12)


def page(path: Path) -> None:
    """Every page of the table is garbage; the schema can still be read."""
    conn = connect.driver().connect(str(path))
    (root_page,) = conn.execute("select rootpage from sqlite_master where name = 'hooks'").fetchone()
    conn.close()
    with path.open("r+b") as file:
        file.seek((root_page - 1) * 4096)
        file.write(b"\xff" * 4096)


def index(path: Path) -> None:
    """An index that still holds rows that the table has lost."""
    conn = connect.driver().connect(str(path), isolation_level=None)
    conn.execute("pragma writable_schema = on")
    found = conn.execute("select type, name, tbl_name, rootpage, sql from sqlite_master where name = 'hooks_session'")
    kept = found.fetchone()
    conn.execute("delete from sqlite_master where name = 'hooks_session'")
    conn.close()
    conn = connect.driver().connect(str(path), isolation_level=None)
    conn.execute("delete from hooks where session_id = 'before'")
    conn.execute("pragma writable_schema = on")
    conn.execute("insert into sqlite_master values (?, ?, ?, ?, ?)", kept)
    conn.close()


def unique(path: Path) -> None:
    """The index that every write needs is garbage."""
    conn = connect.driver().connect(str(path))
    name = "select rootpage from sqlite_master where name = 'sqlite_autoindex_hooks_1'"
    (root_page,) = conn.execute(name).fetchone()
    conn.close()
    with path.open("r+b") as file:
        file.seek((root_page - 1) * 4096)
        file.write(b"\xff" * 4096)


@pytest.fixture
def damaged(root: str, make_event: MakeEvent) -> Callable[[Callable[[Path], None]], Path]:
    """A root with a sound day, yesterday, and a damaged one, today."""

    def damage(how: Callable[[Path], None]) -> Path:
        now_us = today_us()
        with Store(root) as store:
            store.append([make_event(now_us - DAY_US, session_id="yesterday")])
            events = [make_event(now_us - at, session_id="before") for at in range(50)]
            store.append(events)
        path = Path(layout.db_path(root, layout.key_for("default", now_us)))
        how(path)
        return path

    return damage


@pytest.mark.parametrize("how", [header, page, unique, index], ids=lambda one: one.__name__)
def test_a_damaged_day_is_named_the_rest_is_served_and_its_new_events_wait(
    root: str, make_event: MakeEvent, damaged: Callable[..., Path], how: Callable[[Path], None]
) -> None:
    path = damaged(how)
    question = Filter(session_id=("before", "yesterday")) if how is index else Filter(status=("ok",))
    with Store(root) as store:
        found = store.search(question)
        names = [row["session_id"] for row in found.rows]
        if how in (header, page):
            assert names == ["yesterday"]
            (named,) = found.partitions.unreadable
            assert "malformed" in named.error or "not a database" in named.error
            shown = eyelet("query", "search", "--session", "before", "--root", root)
            assert "malformed" in shown.stderr or "not a database" in shown.stderr
        elif how is index:  # SQLite notices it where it goes from the index to the table, not the other way round
            assert names == ["yesterday"]
            with pytest.raises(connect.driver().DatabaseError, match="malformed"):
                forced = connect.open_reader(str(path))
                forced.execute("select data from hooks indexed by hooks_session where session_id = 'before'").fetchall()
            forced.close()
        done = store.append([make_event(today_us(), session_id="append")])
        for refused in done.refused:
            assert isinstance(refused.error, PartitionUnreadable)
            assert "restore it from a back-up" in str(refused.error)
            spool.put(root, refused.key, "default", writer.row_of(refused.events[0]), str(refused.error))
        hook(root, "hook")
        assert bool(done.refused) == (how is not index)
        assert len(spool.waiting(root)) == (0 if how is index else 2)
        if how is not index:
            drained = eyelet("drain", "--root", root)
            assert "malformed" in drained.stderr or "not a database" in drained.stderr
            path.rename(path.with_name("damaged"))
            for side in ("-wal", "-shm"):
                path.with_name(path.name + side).unlink(missing_ok=True)
            assert store.drain_spool().stored == 2
    assert sessions(root) >= {"yesterday", "append", "hook"}


def test_garbage_where_the_wal_should_be_costs_no_more_than_what_was_in_it(
    root: str, make_event: MakeEvent, damaged: Callable[..., Path]
) -> None:
    def wal(path: Path) -> None:
        path.with_name(path.name + "-wal").write_bytes(b"garbage " * 5000)

    damaged(wal)
    with Store(root) as store:
        found = store.search(Filter(), limit=1000)
        assert (len(found.rows), found.partitions.unreadable) == (51, ())
        assert store.append([make_event(today_us(), session_id="append")]).stored == 1
        hook(root, "hook")
        assert store.count(Filter()).count == 53
        for key in store.catalog.partitions():
            conn = connect.open_reader(layout.db_path(root, key))
            assert conn.execute("pragma integrity_check").fetchone() == ("ok",)
            conn.close()


def test_a_wal_that_is_torn_keeps_every_transaction_before_the_tear(root: str, make_event: MakeEvent) -> None:
    now_us = today_us()
    torn = Path(root).with_name("torn")
    with Store(root) as store, store.bulk():
        for at in range(20):
            store.append([make_event(now_us + at, session_id=f"s{at}")])
        shutil.copytree(root, torn)
    path = Path(layout.db_path(str(torn), layout.key_for("default", now_us)))
    path.with_name(path.name + "-shm").unlink()
    with path.with_name(path.name + "-wal").open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(size * 2 // 3)
        file.write(b"\xff" * 64)
    kept = sessions(str(torn))
    assert kept == {f"s{at}" for at in range(len(kept))}
    assert 0 < len(kept) < 20
    hook(str(torn), "hook")
    assert sessions(str(torn)) == kept | {"hook"}


# Clocks

CLOCK = f"""
import sys, time
sys.path.append({str(Path(capture.__file__).parent.parent)!r})
from eyelet_ingest import capture
now_ns = int(sys.argv[2])
time.time_ns = lambda: now_ns
sys.argv = ["hook", "--root", sys.argv[1]]
capture.main()
"""


@pytest.mark.parametrize(
    ("now_s", "own_s", "date"),
    [(-5, None, "1970-01-01"),
     (8_993_721_600 + 86_400 * 400, None, "2254-12-31"), (8_993_721_600 - 60, 60, "2254-12-31"),
     (30, -60, "1970-01-01"), (2**63 // 10**9, None, "2254-12-31")],
    ids=["before 1970", "after 2254", "tomorrow is 2255", "yesterday was 1969", "the end of time"],
)  # fmt: skip
@pytest.mark.parametrize("where", ["day", "spool"])
def test_a_clock_that_no_day_has_loses_no_event(
    root: str, now_s: int, own_s: int | None, date: str, where: str
) -> None:
    """It goes to the day of receipt, or the nearest there is, and says what it said."""
    if where == "spool":
        Path(root).mkdir(mode=0o700)
        (Path(root) / "logs").write_text("in the way")
    own = {} if own_s is None else {"timestamp": (now_s + own_s)}
    given = json.dumps({"session_id": "s", "hook_event_name": "Stop", **own}).encode()
    code = [sys.executable, "-I", "-S", "-B", "-c", CLOCK, root, str(now_s * 10**9)]
    done = subprocess.run(code, input=given, capture_output=True, check=True)
    assert done.stderr == b""
    if where == "spool":
        assert len(spool.waiting(root)) == 1
        (Path(root) / "logs").unlink()
    with Store(root) as store:
        store.drain_spool()
        assert [key.date for key in store.catalog.partitions()] == [date]
        (row,) = store.search(Filter()).rows
    assert row["context_name"] == "default"
    meta = json.loads(str(row["meta"]))
    assert "original_timestamp" in meta
    assert meta["timestamp_suspect"] is True


def test_a_time_that_no_day_has_goes_to_the_day_of_receipt_and_hinders_no_other(
    store: Store, make_event: MakeEvent
) -> None:
    now_us = today_us()
    events = [make_event(time_us) for time_us in (-1, now_us, 10**17, -(10**30), now_us + 1)]
    done = store.append(events)
    assert (done.stored, done.refused) == (5, [])
    assert done.partitions == {layout.key_for("default", now_us)}
    suspects = [json.loads(str(row["meta"])).get("original_timestamp") for row in store.search(Filter()).rows]
    assert sorted(filter(None, suspects)) == sorted(["-1e-06", "100000000000.0", "-1e+24"])


@pytest.mark.parametrize("year", [2023, 2024])
def test_days_change_at_midnight_over_leap_days_and_years_ends(store: Store, make_event: MakeEvent, year: int) -> None:
    leap = year % 4 == 0
    ends = [layout.PartitionKey("default", year, day).bounds_us[1] for day in (59, 60, 365, 366)[: 4 if leap else 3]]
    times = [end + step for end in ends for step in (1, -1, 0, -1, 0, 1)]  # the clock steps back, times repeat
    with store.bulk():
        assert sum(store.append([make_event(time_us)]).stored for time_us in times) == len(times)
    assert store.append([make_event(time_us) for time_us in times]).stored == len(times)
    for key in store.catalog.partitions():
        rows = store.search(Filter(since_us=key.bounds_us[0], until_us=key.bounds_us[1])).rows
        wanted = sum(key.bounds_us[0] <= time_us < key.bounds_us[1] for time_us in times)
        assert len(rows) == 2 * wanted
    days = {(key.year, key.day) for key in store.catalog.partitions()}
    assert days == {(year, 59), (year, 60), (year, 61), (year, 365), *([(year, 366)] if leap else []), (year + 1, 1)}
