"""A statement ends when it is told to, also where one day's part is long; what a fork or a thread has is its own."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eyelet_ingest.store import connect
from tests.extension import days
from tests.extension.compare import answer, difference
from tests.extension.conftest import end_child
from tests.extension.selects import Selects, samples_of, seeded

SOAK = bool(os.environ.get("EYELET_SOAK"))
# One day's statement gives no row for as long as it runs: the outer one has nothing to do meanwhile.
LONG = "select count(*) from hooks where data like '%a%b%c%d%e%f%g%nowhere%'"
STEPS = (LONG, LONG.replace("count(*)", "id") + " order by id desc limit 3", LONG.replace("count(*)", "tool_name"))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[days.Days]:
    """One day of many rows that are long to look at."""
    made = days.Days(str(tmp_path_factory.mktemp("large") / "root"))
    path = made.make(days.PartitionKey("alpha", 2026, 79), 4_000)
    conn = connect.open_writer(path)
    conn.execute("update hooks set data = '\"' || replace(hex(zeroblob(2000)), '0', 'abcdefg') || '\"'")
    conn.close()
    yield made
    made.plain.close()


@pytest.mark.parametrize("every", [1, 1000])
@pytest.mark.parametrize("sql", STEPS)
def test_a_progress_handler_of_the_host_ends_a_long_statement_of_a_day(
    large: days.Days, loadable: str, sql: str, every: int
) -> None:
    """As Datasette's time limit does, which has no other way."""
    conn = large.virtual(loadable)
    called = 0

    def handler() -> bool:
        nonlocal called
        called += 1
        return called == 5

    conn.set_progress_handler(handler, every)
    with pytest.raises(connect.driver().OperationalError, match="interrupted"):
        conn.execute(sql).fetchall()
    assert called < 100  # it ended there and then
    conn.set_progress_handler(None, 0)
    assert conn.execute(sql).fetchall() == large.virtual(loadable).execute(sql).fetchall()
    conn.close()


def _seconds(work: Any) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def test_interrupt_from_another_thread_ends_it(large: days.Days, loadable: str) -> None:
    conn = large.virtual(loadable)
    alone = conn.execute(LONG).fetchall()
    whole = _seconds(lambda: conn.execute(LONG).fetchall())
    for part in (8, 4, 2):
        timer = threading.Timer(whole / part, conn.interrupt)
        timer.start()
        said = answer(conn, LONG)
        timer.join()
        assert said in ("interrupted", alone)
    assert conn.execute(LONG).fetchall() == alone
    conn.close()


def test_a_hundred_threads_with_a_connection_each_answer_alike(made: days.Days, loadable: str) -> None:
    """Python's driver and SQLite: all at once, each with its own pool."""
    samples = samples_of(made.plain)
    asked = [Selects(seeded(at), samples).select() for at in range(200 if SOAK else 4)]
    right = [answer(made.plain, one.sql) for one in asked]
    wrong: list[str] = []

    def ask(start: int) -> None:
        conn = made.virtual(loadable)
        for at in range(len(asked)):
            one = asked[(start + at) % len(asked)]
            mine, theirs = answer(conn, one.sql), right[(start + at) % len(asked)]
            if (one.compared == "order" and mine != theirs) or len(mine) != len(theirs):
                wrong.append(one.sql)
        conn.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(100)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert wrong == []


def test_a_fork_reads_on_with_connections_of_its_own(made: days.Days, loadable: str) -> None:
    """POSIX locks are not inherited, so a child that used what its parent opened could read half of a commit."""
    conn = made.virtual(loadable)
    sql = "select context_name, id from hooks order by id, context_name"
    right = conn.execute(sql).fetchall()
    told, telling = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if conn.execute(sql).fetchall() == right else 3
        finally:
            os.write(telling, bytes([status]))
            end_child(status)
    os.close(telling)
    assert os.read(told, 1) == b"\0"
    os.close(told)
    os.waitpid(child, 0)
    assert conn.execute(sql).fetchall() == right
    conn.close()


def test_writers_and_readers_at_once_see_whole_transactions(tmp_path: Path, loadable: str) -> None:
    """While a writer moves an amount between two rows of a day, their sum stands in every answer."""
    root = days.Days(str(tmp_path / "root"))
    path = root.make(days.PartitionKey("alpha", 2026, 79), 20)
    writer = connect.open_writer(path)
    writer.execute("update hooks set error = 0")
    one, two = (id_ for (id_,) in writer.execute("select id from hooks order by id limit 2 offset 3"))
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            with connect.transaction(writer):
                writer.execute("update hooks set error = ? where id = ?", (number, one))
                writer.execute("update hooks set error = ? where id = ?", (-number, two))

    thread = threading.Thread(target=write)
    thread.start()
    conn = root.virtual(loadable)
    try:
        sums = {conn.execute("select sum(error) from hooks").fetchone() for _ in range(2_000 if SOAK else 200)}
    finally:
        stop.set()
        thread.join()
    assert sums == {(0,)}
    conn.close()
    writer.close()
    root.plain.close()


def test_the_comparison_itself_can_fail(made: days.Days) -> None:
    """An ordinary table that lacks one row is found out by the generated statements."""
    other = made.shuffled()
    other.execute("delete from hooks where rowid = (select max(rowid) from hooks)")
    samples = samples_of(made.plain)
    assert any(difference(other, made.plain, Selects(seeded(at), samples).select()) for at in range(40))
    other.close()
