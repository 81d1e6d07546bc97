"""Days that come, go, are replaced or damaged, between two statements and in the middle of one."""

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eyelet_ingest.store import connect, layout
from eyelet_ingest.store.layout import PartitionKey
from tests.extension import days

ALL = "select context_name, id, hook_type, data from hooks order by id, context_name"
TROUBLE = "select context_name, date, error from eyelet_trouble order by 1, 2"


def key(day: int, context: str = "alpha") -> PartitionKey:
    return PartitionKey(context, 2026, day)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[days.Days]:
    """Four days of one context, of thirty rows each."""
    with days.Days(str(tmp_path / "root")) as both:
        for day in (77, 78, 79, 80):
            both.make(key(day), 30)
        both.take()
        yield both


@pytest.fixture
def virtual(made: days.Days, loadable: str) -> Iterator[Any]:
    conn = made.virtual(loadable)
    yield conn
    conn.close()


def path_of(made: days.Days, day: int) -> str:
    return layout.db_path(made.root, key(day))


def agree(virtual: Any, made: days.Days) -> bool:
    """Whether the virtual table holds what the days hold."""
    made.take()
    return bool(virtual.execute(ALL).fetchall() == made.plain.execute(ALL).fetchall())


def without(made: days.Days, *gone: int) -> list[Any]:
    return [
        row
        for row in made.plain.execute(ALL).fetchall()
        if row[1] // layout.DAY_US not in {_number(day) for day in gone}
    ]


def _number(day: int) -> int:
    return key(day).bounds_us[0] // layout.DAY_US


def open_files() -> list[str]:
    """What this process has open under a root; without /proc the test is skipped."""
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("no /proc here that tells which files are open")
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{name}"))
        except OSError:
            continue
    return [one for one in found if "logs.sqlite" in one]


# Between statements.


def test_a_new_day_is_in_the_next_statement(virtual: Any, made: days.Days) -> None:
    assert agree(virtual, made)
    for number, new in enumerate((key(81), key(79, "beta"), PartitionKey("gamma", 2027, 1))):
        made.make(new, 5 + number)
        assert agree(virtual, made), new


def test_a_day_that_is_gone_is_in_no_statement_and_its_files_are_let_go(virtual: Any, made: days.Days) -> None:
    assert agree(virtual, made)
    shutil.rmtree(os.path.dirname(path_of(made, 79)))
    assert agree(virtual, made)
    assert not [one for one in open_files() if "deleted" in one]
    shutil.rmtree(layout.logs_dir(made.root))
    assert virtual.execute("select count(*) from hooks").fetchone() == (0,)
    assert open_files() == []


def test_a_day_that_is_another_file_now_answers_with_its_rows(virtual: Any, made: days.Days, tmp_path: Path) -> None:
    assert agree(virtual, made)
    kept = tmp_path / "kept.sqlite"
    shutil.copy(path_of(made, 79), kept)
    shutil.rmtree(os.path.dirname(path_of(made, 79)))
    made.make(key(79), 11)
    assert agree(virtual, made)
    os.replace(kept, path_of(made, 79))
    assert agree(virtual, made)


def test_a_day_that_was_written_over_in_place_answers_with_what_it_is_now(
    virtual: Any, made: days.Days, tmp_path: Path
) -> None:
    assert agree(virtual, made)
    other = days.Days(str(tmp_path / "other"), seed=8)
    with open(other.make(key(79), 40), "rb") as source, open(path_of(made, 79), "r+b") as into:
        into.truncate()
        into.write(source.read())
    assert agree(virtual, made)


def test_rows_that_a_writer_commits_are_in_the_next_statement(virtual: Any, made: days.Days) -> None:
    assert agree(virtual, made)
    conn = connect.open_writer(path_of(made, 79))
    start, _ = key(79).bounds_us
    for number in range(5):
        with connect.transaction(conn):
            conn.execute("delete from hooks where id = (select min(id) from hooks where id > ?)", (start,))
            conn.execute("insert into hooks (timestamp, hook_type) values (?, 'Stop')", (start / 1e6 + number,))
        assert agree(virtual, made)
    conn.close()


# What is no day.


def spoiled(path: str, how: str) -> None:
    """The file at `path` is no day any more."""
    size = os.path.getsize(path)
    if how in ("missing", "folder", "pipe", "link to nothing", "socket"):
        os.unlink(path)
    if how == "folder":
        os.mkdir(path)
    elif how == "pipe":
        os.mkfifo(path)
    elif how == "link to nothing":
        os.symlink("/nowhere/logs.sqlite", path)
    elif how == "empty":
        os.truncate(path, 0)
    elif how == "cut":
        os.truncate(path, size // 2)
    elif how in ("garbage", "header", "damaged"):
        start = {"garbage": 0, "header": 0, "damaged": 4096}[how]
        with open(path, "r+b") as file:
            file.seek(start)
            file.write(os.urandom(100 if how == "header" else max(size - start, 1)))
    elif how in SQL:
        conn = connect.driver().connect(path, isolation_level=None)
        conn.executescript(SQL[how])
        conn.close()


SQL = {
    "another program's": "drop table hooks; create table other (a)",
    "a view": "create table kept as select * from hooks; drop table hooks; create view hooks as select * from kept",
    "a view of functions": "drop table hooks; create view hooks as select load_extension('x') as id, 1 as src",
    "lacking columns": "create table k as select id, src from hooks; pragma legacy_alter_table = on; drop table hooks; "
    "alter table k rename to hooks",
    "of no rows by name": "drop table hooks; create table hooks (x, y)",
}
LISTED = ("folder", "pipe", "link to nothing", "garbage", "header", "another program's", "cut", "damaged")


@pytest.mark.parametrize(
    "how", [*LISTED, "missing", "empty", "a view", "a view of functions", "lacking columns", "of no rows by name"]
)
def test_what_is_no_day_is_skipped_and_listed_and_the_others_answer(made: days.Days, loadable: str, how: str) -> None:
    """In a process of its own, with an end: a pipe that was opened would wait for ever."""
    spoiled(path_of(made, 79), how)
    code = f"""
import json
from tests.extension import days
made = days.Days({made.root!r})
conn = made.virtual({loadable!r})
rows = conn.execute({ALL!r}).fetchall()
print(json.dumps([rows, conn.execute({TROUBLE!r}).fetchall()]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(one for one in sys.path if one)},
    )
    assert (done.returncode, done.stderr) == (0, "")
    import json

    rows, trouble = json.loads(done.stdout)
    others = [list(row) for row in without(made, 79)]
    assert [row for row in rows if row[1] // layout.DAY_US != _number(79)] == others
    if how in LISTED:
        assert len(rows) == len(others) or how in ("damaged", "cut")
        assert [one[:2] for one in trouble] == [["alpha", "2026-03-20"]] and trouble[0][2]
    if how in ("missing", "empty", "of no rows by name"):
        assert rows == others


def test_a_strict_statement_fails_where_a_day_cannot_be_read(virtual: Any, made: days.Days) -> None:
    spoiled(path_of(made, 79), "garbage")
    assert virtual.execute("select count(*) from hooks").fetchone() == (len(without(made, 79)),)
    with pytest.raises(connect.driver().Error, match=r"2026-03-20|079"):
        virtual.execute("select count(*) from hooks where strict = 1").fetchall()


def test_trouble_is_forgotten_when_the_day_can_be_read_again(virtual: Any, made: days.Days, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    shutil.copy(path_of(made, 79), kept)
    spoiled(path_of(made, 79), "garbage")
    virtual.execute(ALL).fetchall()
    assert len(virtual.execute(TROUBLE).fetchall()) == 1
    os.replace(kept, path_of(made, 79))
    assert virtual.execute(ALL).fetchall() == made.plain.execute(ALL).fetchall()
    assert virtual.execute(TROUBLE).fetchall() == []


def test_a_day_that_somebody_keeps_locked_is_skipped_in_the_end(virtual: Any, made: days.Days) -> None:
    keeper = connect.driver().connect(path_of(made, 79), isolation_level=None)
    keeper.execute("pragma locking_mode = exclusive")
    keeper.execute("begin exclusive")
    keeper.execute("update hooks set role = 'kept'")
    assert virtual.execute(ALL).fetchall() == without(made, 79)
    assert [row[:2] for row in virtual.execute(TROUBLE).fetchall()] == [("alpha", "2026-03-20")]
    keeper.execute("rollback")
    keeper.close()
    assert virtual.execute(ALL).fetchall() == made.plain.execute(ALL).fetchall()


def test_a_newer_schema_is_read_as_far_as_it_is_known(virtual: Any, made: days.Days) -> None:
    conn = connect.driver().connect(path_of(made, 79), isolation_level=None)
    conn.executescript("alter table hooks add column newer text default 'x'; pragma user_version = 99")
    conn.close()
    assert agree(virtual, made)


# In the middle of a statement.


@pytest.mark.parametrize("how", ["removed", "garbage", "cut", "replaced", "written", "created"])
@pytest.mark.parametrize("at", [1, 29, 35, 100])
def test_whatever_becomes_of_a_day_meanwhile_the_rows_of_the_others_come(
    virtual: Any, made: days.Days, how: str, at: int, tmp_path: Path
) -> None:
    cursor = virtual.execute(ALL)
    rows = cursor.fetchmany(at)
    for day in (77, 79):
        path = path_of(made, day)
        if how == "removed":
            shutil.rmtree(os.path.dirname(path))
        elif how in ("garbage", "cut"):
            spoiled(path, how)
        elif how == "replaced":
            other = days.Days(str(tmp_path / f"other{day}"), seed=day)
            os.replace(other.make(key(day), 3), path)
        elif how == "written":
            conn = connect.open_writer(path)
            conn.execute("delete from hooks")
            conn.close()
        else:
            made.make(PartitionKey("beta", 2026, day), 4)
    try:
        rows += cursor.fetchall()
    except connect.driver().Error as bad:
        pytest.fail(f"one day's trouble ended the statement: {bad}")
    untouched = [row for row in without(made, 77, 79) if row[0] == "alpha"]
    assert [row for row in rows if row in untouched] == untouched
    assert [row[1] for row in rows] == sorted(row[1] for row in rows)
    cursor.close()
    virtual.execute(ALL).fetchall()
    assert not [one for one in open_files() if "deleted" in one]


def test_two_statements_on_one_connection_do_not_disturb_each_other(virtual: Any, made: days.Days) -> None:
    rows = made.plain.execute(ALL).fetchall()
    one, two = virtual.execute(ALL), virtual.execute(ALL)
    mixed = [(one.fetchone(), two.fetchone()) for _ in rows]
    assert [first for first, _ in mixed] == [second for _, second in mixed] == rows


# How much is open.


def test_open_files_are_bounded_however_many_days_there_are(tmp_path: Path, loadable: str) -> None:
    many = days.Days(str(tmp_path / "many"))
    for day in range(1, 81):
        many.make(key(day), 3)
    many.take()
    conn = many.virtual(loadable)
    assert conn.execute(ALL).fetchall() == many.plain.execute(ALL).fetchall()
    assert 0 < len(open_files()) <= 64 * 3
    conn.close()
    assert open_files() == []
    many.plain.close()


def test_days_that_stay_open_answer_as_they_did_and_are_not_opened_again(tmp_path: Path, loadable: str) -> None:
    many = days.Days(str(tmp_path / "many"))
    for day in range(1, 151):
        many.make(key(day), 3)
    many.take()
    conn = many.virtual(loadable, max_open="200")
    rows = many.plain.execute(ALL).fetchall()
    assert conn.execute(ALL).fetchall() == rows
    first = open_files()
    assert len(first) == 150 * 3
    by_session = "select session_id, count(*) from hooks group by 1 order by 1"
    for _ in range(3):  # those that are cold have to read again what they had read
        assert conn.execute(ALL).fetchall() == rows
        assert conn.execute(by_session).fetchall() == many.plain.execute(by_session).fetchall()
    assert sorted(open_files()) == sorted(first)
    os.remove(layout.db_path(many.root, key(5)))
    assert len(conn.execute(ALL).fetchall()) == len(rows) - 3
    conn.close()
    assert open_files() == []
    many.plain.close()


def test_where_few_files_may_be_open_all_days_answer_all_the_same(tmp_path: Path, loadable: str) -> None:
    many = days.Days(str(tmp_path / "many"))
    for day in range(1, 61):
        many.make(key(day), 3)
    many.take()
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 100
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 40, before[1]))
    try:
        conn = many.virtual(loadable)
        assert conn.execute(ALL).fetchall() == many.plain.execute(ALL).fetchall()
        assert conn.execute(TROUBLE).fetchall() == []
        conn.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    many.plain.close()
