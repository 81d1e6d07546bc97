"""Connections that stay open between two questions."""

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from eyelet_ingest.errors import PartitionUnreadable
from eyelet_ingest.store import handles as handles_module
from eyelet_ingest.store.connect import driver, open_writer
from eyelet_ingest.store.handles import Handles


def make(path: Path, value: int) -> str:
    conn = open_writer(str(path))
    conn.execute("create table what (value integer)")
    conn.execute("insert into what values (?)", [value])
    conn.close()
    return str(path)


def value(handles: Handles, path: str) -> int:
    with handles.reader(path) as conn:
        return int(conn.execute("select value from what").fetchone()[0])


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    return [make(tmp_path / f"{number}.db", number) for number in range(6)]


def test_a_connection_is_lent_again(paths: list[str]) -> None:
    handles = Handles()
    with handles.reader(paths[0]) as first:
        pass
    with handles.reader(paths[0]) as again:
        assert again is first


def test_two_borrowers_never_share_one(paths: list[str]) -> None:
    handles = Handles()
    with handles.reader(paths[0]) as one, handles.reader(paths[0]) as other:
        assert one is not other
    assert handles.opened == 2


def test_no_more_wait_than_may_be_open(paths: list[str]) -> None:
    handles = Handles(max_open=3)
    for path in paths * 2:
        value(handles, path)
        assert handles.opened <= 3


def test_those_that_waited_longest_stay_open_without_what_they_had_read(
    paths: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handles_module, "WARM", 2)
    handles, asked = Handles(max_open=len(paths)), []
    for number, path in enumerate(paths):
        with handles.reader(path) as conn:
            conn.set_trace_callback(lambda sql, number=number: asked.append((number, sql)))
    assert [number for number, sql in asked if "shrink_memory" in sql] == list(range(len(paths) - 2))
    assert [value(handles, path) for path in paths] == list(range(len(paths)))
    assert handles.opened == len(paths)


def test_one_in_use_is_never_closed_even_where_more_are_needed_than_may_be_open(paths: list[str]) -> None:
    handles = Handles(max_open=1)
    with handles.reader(paths[0]) as held:
        for path in paths:
            value(handles, path)
        assert held.execute("select value from what").fetchone() == (0,)
    assert handles.opened == 1


def test_none_waits_longer_than_it_may(paths: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [1_000.0]
    monkeypatch.setattr(handles_module.time, "monotonic", lambda: now_s[0])
    handles = Handles(idle_s=60)
    value(handles, paths[0])
    now_s[0] += 61
    value(handles, paths[1])
    assert handles.opened == 1


def test_a_removed_file_is_not_read_from_what_was_open(paths: list[str]) -> None:
    handles = Handles()
    value(handles, paths[0])
    os.unlink(paths[0])
    with pytest.raises(PartitionUnreadable, match="not there"):
        value(handles, paths[0])
    assert handles.opened == 0


def test_a_replaced_file_is_read_anew(paths: list[str], tmp_path: Path) -> None:
    handles = Handles()
    assert value(handles, paths[0]) == 0
    other = make(tmp_path / "other.db", 77)
    for end in ("-wal", "-shm"):
        if os.path.exists(paths[0] + end):
            os.unlink(paths[0] + end)
    os.replace(other, paths[0])
    assert value(handles, paths[0]) == 77


def test_a_borrower_keeps_its_snapshot_of_a_removed_file(paths: list[str]) -> None:
    handles = Handles()
    with handles.reader(paths[0]) as conn:
        os.unlink(paths[0])
        assert conn.execute("select value from what").fetchone() == (0,)


def test_dropping_waits_for_borrowers_and_closes_all(paths: list[str]) -> None:
    handles = Handles()
    value(handles, paths[0])
    borrowed, may_return = threading.Event(), threading.Event()

    def borrow() -> None:
        with handles.reader(paths[0]):
            borrowed.set()
            may_return.wait(10)

    thread = threading.Thread(target=borrow)
    thread.start()
    assert borrowed.wait(10)
    assert not handles.drop(paths[0], wait_s=0.01)
    threading.Timer(0.05, may_return.set).start()
    assert handles.drop(paths[0], wait_s=10)
    thread.join()
    assert handles.opened == 0


def test_a_new_connection_is_prepared_once(paths: list[str]) -> None:
    prepared: list[Any] = []
    handles = Handles()
    for _ in range(3):
        with handles.reader(paths[0], prepared.append):
            pass
    assert len(prepared) == 1


def test_one_whose_preparation_fails_stays_closed(paths: list[str]) -> None:
    def fail(conn: Any) -> None:
        raise ValueError("no")

    handles = Handles()
    with pytest.raises(ValueError, match="no"), handles.reader(paths[0], fail):
        pass
    assert handles.opened == 0


def test_an_error_takes_no_cursor_along(paths: list[str]) -> None:
    """A cursor freed by one thread while another closes its connection crashes pysqlite3."""
    freed = threading.Event()

    class Witness:
        def __del__(self) -> None:
            freed.set()

    def question(conn: Any) -> None:
        witness = Witness()
        cursor = conn.execute("select value from what")
        conn.execute("select no_such_column from what")
        del witness, cursor

    handles = Handles()
    try:
        with handles.reader(paths[0]) as conn:
            question(conn)
    except driver().OperationalError as error:
        assert freed.is_set(), "its frame still holds what it held"
        assert "no_such_column" in str(error)


def test_one_that_comes_back_within_a_transaction_is_not_lent_again(paths: list[str]) -> None:
    """It would go on reading what was there when that began."""
    handles = Handles()
    with handles.reader(paths[0]) as conn:
        conn.execute("begin")
        assert conn.execute("select value from what").fetchone() == (0,)
    writer = open_writer(paths[0])
    writer.execute("update what set value = 77")
    writer.close()
    assert value(handles, paths[0]) == 77


def test_a_fork_begins_with_none(paths: list[str]) -> None:
    handles = Handles()
    value(handles, paths[0])
    child = os.fork()
    if child == 0:
        with handles.reader(paths[0]) as conn:
            mine = conn.execute("select value from what").fetchone() == (0,)
        os._exit(0 if mine and handles.opened == 1 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert value(handles, paths[0]) == 0


def test_a_connection_that_met_damage_is_not_lent_again(paths: list[str]) -> None:
    handles = Handles()
    with handles.reader(paths[0]) as first:
        pass
    for broken in (
        driver().DatabaseError("database disk image is malformed"),
        driver().OperationalError("disk I/O error"),
    ):
        with pytest.raises(driver().DatabaseError), handles.reader(paths[0]):
            raise broken
        with handles.reader(paths[0]) as again:
            assert again is not first
            first = again
    assert handles.counts()["replaced"] == 2


def test_a_wrong_question_costs_no_connection(paths: list[str]) -> None:
    handles = Handles()
    for _ in range(2):
        with pytest.raises(driver().OperationalError), handles.reader(paths[0]) as conn:
            conn.execute("select nothing from what")
    assert handles.counts()["opened"] == 1


def test_none_waits_too_long_though_nobody_asks_again(paths: list[str]) -> None:
    handles = Handles(idle_s=0.05)
    value(handles, paths[0])
    for _ in range(500):
        if not handles.opened:
            break
        threading.Event().wait(0.02)
    assert (handles.opened, handles.counts()["idle_closes"]) == (0, 1)


def test_what_is_met_in_passing_closes_no_other(paths: list[str]) -> None:
    handles = Handles(max_open=2)
    value(handles, paths[0])
    value(handles, paths[1])
    for path in paths[2:]:
        handles.give_back(handles.borrow(path, passing=True))
    value(handles, paths[0])
    value(handles, paths[1])
    assert {name: handles.counts()[name] for name in ("hits", "misses", "evictions")} == {
        "hits": 2,
        "misses": 6,
        "evictions": 4,
    }


def test_a_fork_while_one_is_lent_leaves_it_to_the_parent(paths: list[str]) -> None:
    handles = Handles()
    with handles.reader(paths[0]) as conn:
        child = os.fork()
        if child == 0:
            os._exit(0 if value(handles, paths[0]) == 0 and handles.opened == 1 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert conn.execute("select value from what").fetchone() == (0,)


def test_many_threads_share_a_few(paths: list[str]) -> None:
    handles = Handles(max_open=3)
    wrong: list[str] = []

    def ask() -> None:
        for _ in range(50):
            for number, path in enumerate(paths):
                if value(handles, path) != number:
                    wrong.append(path)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert handles.opened <= 3
    handles.close()
    assert handles.opened == 0
