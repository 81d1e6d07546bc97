"""What stands in place of a day, what is copied over it, who keeps it locked: named or waited for, and never for long.

What could hang is asked in a fork with an alarm, so that a hang fails one test and not the run.
"""

import os
import shutil
import signal
import socket
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from eyelet_ingest.errors import PartitionUnreadable, RootError
from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, fanout, handles, layout
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

DAY = layout.PartitionKey("default", 2024, 79)
START = DAY.bounds_us[0]
MakeEvent = Callable[..., Event]


def in_a_fork(work: Callable[[], bool]) -> None:
    """`work` says whether all is well; ten seconds are far too long for it."""
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(10)
            os._exit(0 if work() else 1)
        except BaseException:  # noqa: BLE001  a fork must never go on as the test itself
            traceback.print_exc()
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.fixture
def two(store: Store, make_event: MakeEvent) -> Store:
    """A day of five events and the next one with one."""
    store.append([make_event(START + at, session_id=f"old{at}") for at in range(5)])
    store.append([make_event(START + layout.DAY_US)])
    return store


def a_socket(path: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as short, socket.socket(socket.AF_UNIX) as one:
        os.symlink(path.parent, f"{short}/folder")  # a socket's own path may have a hundred characters
        one.bind(f"{short}/folder/{path.name}")


STANDING: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a socket": a_socket,
    "a device without end": lambda path: path.symlink_to("/dev/zero"),
    "an empty device": lambda path: path.symlink_to("/dev/null"),
    "a link to itself": lambda path: path.symlink_to(path),
    "a link to nothing": lambda path: path.symlink_to("/nowhere/logs.sqlite"),
    "a folder": Path.mkdir,
}


@pytest.mark.parametrize("was_open", [False, True], ids=["new", "open"])
@pytest.mark.parametrize("what", STANDING)
def test_what_is_no_file_is_named_and_waited_for_by_nobody(two: Store, what: str, was_open: bool) -> None:
    if was_open:
        two.count(Filter())
    path = Path(layout.db_path(two.root, DAY))
    path.unlink()
    for side in ("-wal", "-shm"):
        path.with_name(path.name + side).unlink(missing_ok=True)
    STANDING[what](path)

    def work() -> bool:
        found = two.search(Filter())
        (named,) = found.partitions.unreadable
        return (len(found.rows), named.day) == (1, DAY.date) and two.count(Filter()).count == 1

    in_a_fork(work)


@pytest.mark.parametrize("side", ["-wal", "-shm", "-journal"])
@pytest.mark.parametrize("what", ["a pipe", "a folder"])
def test_what_stands_beside_a_day_and_is_no_file_keeps_nobody(two: Store, side: str, what: str) -> None:
    """Reading can do without `-shm`."""
    beside = Path(layout.db_path(two.root, DAY) + side)
    beside.unlink(missing_ok=True)
    STANDING[what](beside)

    def work() -> bool:
        found = two.search(Filter())
        return len(found.rows) + 5 * len(found.partitions.unreadable) == 6

    in_a_fork(work)


def test_a_day_in_a_folder_that_may_not_be_entered_is_named(make_event: MakeEvent) -> None:
    top = tempfile.mkdtemp(dir="/tmp")  # pytest's own folders are closed to other users
    try:
        with Store(top) as store:
            store.append([make_event(START), make_event(START + layout.DAY_US)])
            for path in Path(top).rglob("*"):
                path.chmod(0o755 if path.is_dir() else 0o644)
            os.chmod(top, 0o755)
            os.chmod(layout.partition_dir(top, DAY), 0)

            def work() -> bool:
                if os.geteuid() == 0:
                    os.setuid(65534)
                found = store.count(Filter())
                return found.count == 1 and [bad.day for bad in found.partitions.unreadable] == [DAY.date]

            in_a_fork(work)
            os.chmod(layout.partition_dir(top, DAY), 0o755)
    finally:
        shutil.rmtree(top)


@pytest.mark.parametrize("count", [1, 5, 900], ids=["smaller", "as long", "longer"])
def test_a_day_that_was_written_over_in_place_is_read_anew(
    two: Store, make_event: MakeEvent, tmp_path: Path, count: int
) -> None:
    """As `cp` does with a back-up. SQLite, which has pages of the old one in its cache, does not notice."""
    two.search(Filter())
    two.checkpoint(mode="truncate")
    with Store(str(tmp_path / "other")) as other:
        other.append([make_event(START + at, session_id=f"new{at}") for at in range(count)])
        shutil.copyfile(layout.db_path(other.root, DAY), layout.db_path(two.root, DAY))
    found = two.search(Filter(until_us=START + layout.DAY_US), limit=1_000)
    assert {row["session_id"] for row in found.rows} == {f"new{at}" for at in range(count)}
    assert two.count(Filter()).count == count + 1


# Damage that SQLite does not name


def test_a_schema_of_which_sqlite_cannot_speak_is_named(two: Store, make_event: MakeEvent) -> None:
    """Its own message quotes what is no UTF-8, and Python then raises another error in place of it."""
    two.checkpoint(mode="truncate")
    path = Path(layout.db_path(two.root, DAY))
    whole = path.read_bytes()
    for was_open in (False, True):
        path.write_bytes(whole)
        two.count(Filter()) if was_open else two.close()
        path.write_bytes(whole.replace(b"hooks (src)", b"hooks (\xffrc)"))
        found = two.search(Filter())
        assert len(found.rows) == 1
        assert "malformed" in found.partitions.unreadable[0].error
        assert two.append([make_event(START + 9)]).refused[0].key == DAY
        assert [bad.day for bad in two.delete(Filter(src=("x",))).failed] == [DAY.date]
        assert len(two.maintain(1_000, [DAY]).troubled) <= 1
    path.write_bytes(whole)
    assert two.count(Filter()).count == 6


def swap_two_leaves(path: Path) -> None:
    """Of the table's tree, whose root lists its children: the header's 12 bytes, and then the places of the cells."""
    conn = connect.driver().connect(str(path))
    ((root_page,),) = conn.execute("select rootpage from sqlite_master where name = 'hooks'").fetchall()
    conn.close()
    data = bytearray(path.read_bytes())
    at = (root_page - 1) * 4096
    assert data[at] == 5, "an inner page"
    cells = [at + int.from_bytes(data[at + place : at + place + 2], "big") for place in (14, 18)]
    one, other = (slice(cell, cell + 4) for cell in cells)
    data[one], data[other] = data[other], data[one]
    path.write_bytes(data)


@pytest.mark.parametrize("oldest_first", [False, True])
@pytest.mark.parametrize("size", [1, 3, 50])
def test_pages_of_a_tree_in_disorder_have_an_end_and_no_row_twice(
    two: Store, make_event: MakeEvent, oldest_first: bool, size: int
) -> None:
    two.append([make_event(START + at, data='{"x":"' + "x" * 900 + '"}') for at in range(10, 60)])
    two.checkpoint(mode="truncate")
    two.close()
    swap_two_leaves(Path(layout.db_path(two.root, DAY)))
    seen: list[object] = []
    named: set[str] = set()
    after = None
    for _ in range(200):
        page = two.search(Filter(), limit=size, after=after, oldest_first=oldest_first)
        seen += [row["id"] for row in page.rows]
        named |= {bad.error for bad in page.partitions.unreadable}
        after = page.next
        if after is None:
            break
    assert after is None, "the pages have no end"
    assert len(seen) == len(set(seen))
    assert START + layout.DAY_US in seen
    assert size < 50 or any("out of order" in error for error in named)


# Locks


@contextmanager
def kept(store: Store, was_open: bool = False) -> Iterator[None]:
    """The first day has a roll-back journal, and another program keeps it to itself."""
    conn = connect.driver().connect(layout.db_path(store.root, DAY), isolation_level=None)
    conn.execute("pragma journal_mode = delete")
    if was_open:
        store.count(Filter())
    conn.execute("begin exclusive")
    try:
        yield
    finally:
        conn.execute("rollback")
        conn.close()


@pytest.mark.parametrize("was_open", [False, True], ids=["new", "open"])
def test_a_day_that_is_locked_until_the_deadline_was_not_asked_in_time(two: Store, was_open: bool) -> None:
    with kept(two, was_open):
        found = two.search(Filter(), deadline_ms=60, oldest_first=True)
        assert (found.rows, found.partitions.unasked, found.partitions.unreadable) == ([], 2, ())
        assert two.count(Filter(since_us=START + layout.DAY_US)).count == 1
    assert len(two.search(Filter(), oldest_first=True, after=found.next).rows) == 6


def test_a_day_that_is_locked_is_named_where_there_is_no_deadline(two: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handles, "BUSY_MS", 20)
    monkeypatch.setattr(fanout, "BUSY_MS", 20)
    with kept(two):
        found = two.count(Filter())
        assert found.count == 1
        assert "locked" in found.partitions.unreadable[0].error
    assert two.count(Filter()).count == 6


def test_what_another_program_writes_is_never_read_as_if_nobody_did(two: Store) -> None:
    """`immutable` is for what nobody can write: such a reader would see half a transaction, and nothing later."""
    with kept(two), pytest.raises(PartitionUnreadable, match="locked"):
        connect.open_reader(layout.db_path(two.root, DAY), busy_ms=20)


# Threads and forks


@pytest.mark.parametrize("possible", [0, 1], ids=["none", "one"])
def test_where_no_thread_may_be_started_questions_are_answered_without(
    store: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch, possible: int
) -> None:
    """At a limit of the system's, or as the process ends."""
    store.append([make_event(START + at * layout.DAY_US) for at in range(12)])
    monkeypatch.setattr(fanout, "SCAN_MS", -1.0)
    monkeypatch.setattr(fanout, "_threads", lambda: 3)
    start = threading.Thread.start
    started: list[threading.Thread] = []

    def refuse(thread: threading.Thread) -> None:
        if len(started) >= possible or thread.name == "eyelet-handles":
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert store.count(Filter()).count == 12
    assert [row["id"] for row in store.search(Filter(), limit=3).rows] == [
        START + at * layout.DAY_US for at in (11, 10, 9)
    ]
    assert not any(thread.is_alive() for thread in started)


@pytest.mark.parametrize("guard", ["catalog", "handles", "asked"])
def test_a_fork_asks_whatever_another_thread_did_at_that_moment(two: Store, guard: str) -> None:
    two.count(Filter())
    lock = {"catalog": two.catalog._lock, "handles": two._handles._lock, "asked": two._asked._lock}[guard]
    with lock:
        in_a_fork(lambda: two.counters().open_now == 0 and two.count(Filter()).count == 6 and len(two.contexts()) == 1)
    assert two.count(Filter()).count == 6


def test_a_fork_between_two_days_goes_on_with_its_own_connections(two: Store) -> None:
    two.count(Filter())
    question = fanout.FanOut(two.roots)
    answers = question.stream(two.catalog.parts(), lambda lent, part: lent.conn)
    theirs = next(answers).found

    def work() -> bool:
        mine = next(answers).found
        return mine is not theirs and two.count(Filter()).count == 6

    in_a_fork(work)
    assert len(list(answers)) == 1
    assert two.count(Filter()).count == 6


# Errors leave nothing behind


def open_files() -> list[str]:
    return [name for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}")]


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_questions_that_fail_leave_no_file_open_and_no_look_at_the_clock(
    two: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(layout.db_path(two.root, DAY))
    whole = path.read_bytes()
    two.count(Filter())
    two.close()
    before = len(open_files())
    for spoilt in (b"x" * 9000, whole[:100] + b"\xff" * (len(whole) - 100), whole[: len(whole) // 2], b"", whole[:50]):
        path.write_bytes(spoilt)
        for deadline_ms in (None, 0, 0.01, 50):
            two.search(Filter(text="x"), deadline_ms=deadline_ms)
            two.summary(Filter(), deadline_ms=deadline_ms)

    def fail(lent: Any, part: Any) -> None:
        raise KeyboardInterrupt

    path.write_bytes(whole)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            list(fanout.FanOut(two.roots, 1e6).each(two.catalog.parts(), fail))
    two.count(Filter(), deadline_ms=0.5)
    looks: list[int] = []
    monkeypatch.setattr(fanout.FanOut, "is_late", lambda self: bool(looks.append(1)))
    with two._handles.reader(str(path)) as conn:
        looks.clear()
        conn.execute("with recursive n(i) as (select 1 union all select i + 1 from n limit 99999) select sum(i) from n")
        assert looks == []
    two.close()
    assert len(open_files()) == before


def test_a_store_may_be_closed_while_others_ask(two: Store) -> None:
    wrong: list[object] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                if two.count(Filter()).count != 6 or len(two.search(Filter(), deadline_ms=1e6).rows) != 6:
                    wrong.append("another answer")
            except BaseException as error:  # noqa: BLE001  said by the test, as a thread cannot
                wrong.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(200):
        two.close()
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []


# Names


def test_one_folder_by_two_names_is_one_root(two: Store, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(two.root)
    with Store(str(tmp_path / "link"), also=[two.root, str(tmp_path / "link"), two.root + "/../root"]) as store:
        assert store.count(Filter()).count == 6


@pytest.mark.parametrize("name", ["a\0b", "a\0c", "\0", "a\udcff", "a\udcfe", "%00", "a?b=c#d", "é/..", "%"])
def test_a_root_in_memory_may_have_any_name_and_is_no_other(make_event: MakeEvent, name: str) -> None:
    others = [Store.in_memory(other) for other in ("a", "a\0", "a\udcfd", "", "%2500", "%25")]
    with Store.in_memory(name) as one, Store.in_memory(name) as again:
        one.append([make_event(START), make_event(START + layout.DAY_US)])
        assert again.count(Filter()).count == len(again.search(Filter()).rows) == 2
        for day in (0, 1):
            since_us = START + day * layout.DAY_US
            assert one.count(Filter(since_us=since_us, until_us=since_us + layout.DAY_US)).count == 1
        assert [other.count(Filter()).count for other in others] == [0] * len(others)
    for other in others:
        other.close()


def test_a_path_with_a_nul_is_refused() -> None:
    with pytest.raises(RootError, match="NUL"):
        Store("/tmp/a\0b")


def test_a_store_of_some_contexts_cannot_be_widened_again(store: Store, make_event: MakeEvent) -> None:
    for context in ("a", "b"):
        store.append([make_event(START)], context)
    again = store.limited_to(frozenset({"a"})).limited_to(frozenset({"a", "b"}))
    assert (again.event("b", START), again.contexts(), again.count(Filter()).count) == (None, ["a"], 1)
    assert again.event("a", START) is not None
