"""What generated statements over small days seldom or never meet: large days, many contexts, numbers at their ends,
roots under numbers, tables in files, forbidding hosts."""

import ctypes.util
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eyelet_ingest.store import connect, layout
from tests.extension import days, texts
from tests.extension.compare import difference
from tests.extension.selects import Select
from tests.extension.test_changing_days import ALL, key

ROWS = 9_000  # of which each value of a column has more than a thousand, and a list of them is longer than is pushed
REPOSITORY = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[days.Days]:
    """A large day beside two small ones."""
    with days.Days(str(tmp_path_factory.mktemp("large") / "root"), seed=3) as made:
        made.make(key(79), ROWS)
        made.make(key(80), 30)
        made.make(key(79, "beta"), 30)
        made.take()
        yield made


@pytest.fixture
def asked(large: days.Days, loadable: str) -> Iterator[tuple[Any, Any]]:
    conn = large.virtual(loadable)
    yield conn, large.plain
    conn.close()


LATEST = "order by id desc, context_name limit 50"
COMMON = (
    f"select id, src from hooks where tool_name = 'Bash' and hook_type = 'Stop' {LATEST}",
    f"select id, src from hooks where tool_name = 'Bash' and hook_type = 'Stop' and session_id = 's1' {LATEST}",
    f"select id, src from hooks where hook_type like 'po%' {LATEST}",
    f"select id, src from hooks where hook_type like 'po%' and src glob 'claude*' {LATEST}",
    f"select id, src from hooks where hook_type in ('Stop', 'user') and src >= 'a' {LATEST}",
    f"select id, src from hooks where tool_name is not null and tool_use_id is not null {LATEST}",
    f"select id, src from hooks where src = 'nothing' and hook_type = 'Stop' {LATEST}",
    f"select id, src from hooks where error = 1 and status = 'error' and src like 'claude%' {LATEST}",
    "select count(*), max(data) from hooks where hook_type in ('Stop', 'user', 'PreToolUse') and src > 'a'",
    "select count(*), max(data) from hooks where session_id in ('s1', 's2') and hook_type = 'Stop'",
    "select count(*), max(meta) from hooks where src like 'CLAUDE.%' and tool_name is not null",
    "select hook_type, count(*) from hooks where hook_type > 'P' group by 1",
    "select src, count(*) from hooks where src in ('a_b', '', 'a.b%c') group by 1",
    "select count(*) from hooks where src like 'A_B' and git_branch is not null and error_code is not null"
    " and tool_use_id is not null and tool_name is not null and hook_type >= 'A' and session_id >= '1'"
    " and error = 1 and status = 'error' and src >= 'a'",
)


@pytest.mark.parametrize("sql", COMMON)
def test_what_is_common_in_a_day_is_found_as_what_is_rare(asked: tuple[Any, Any], sql: str) -> None:
    assert not difference(*asked, Select(sql, "order" if LATEST in sql else "rows"))


@pytest.mark.parametrize(
    "sql",
    [
        "select count(*), min(data) from hooks where id in (select id from hooks)",
        f"select id from hooks where id in (select id from hooks) and error = 1 {LATEST}",
        "select count(*) from hooks where session_id in (select printf('s%d', value) from numbers)",
        "select count(*) from hooks where context_name in (select 'c' || value from numbers union select 'beta')",
        "select count(*) from hooks where id in (select value from numbers)",
        "select count(*) from hooks where src in (select 'x' || value from numbers union select 'a_b')"
        " and session_id in (select value from numbers union select 's1')",
    ],
)
def test_lists_that_are_longer_than_a_day_is_asked_mean_what_they_say(asked: tuple[Any, Any], sql: str) -> None:
    for conn in asked:
        conn.execute("create temp table if not exists numbers as with recursive n(value) as "
                     "(select 1 union all select value + 1 from n where value < 5000) select value from n")  # fmt: skip
    assert not difference(*asked, Select(sql, "rows"))


NUMBERS = (
    *("' 5'", "'5 '", "'+5'", "'-5'", "'5e3'", "'5e+3'", "'5E-3'", "'5e'", "'.5'", "'5.'", "'.'", "'-'", "''", "'5x'"),
    *("char(9) || '5' || char(10)", "'9e18'", "'9.1e18'", "'-9.1e18'", "'1e400'", "'9223372036854775807'"),
    *(
        "9223372036854775807",
        "-9223372036854775808",
        "9.3e18",
        "-9.3e18",
        "9e999",
        "-9e999",
        "1795435200.5",
        "'\u00a05'",
    ),
    *(
        "'\u00a05'",
        "1773964800000000",
        "'1773964800000000'",
        "'1773964800000000.0'",
        "1773964800000000.5",
        "x'35'",
        "null",
    ),
)


@pytest.mark.parametrize("operator", ["=", "<", "<=", ">", ">=", "is", "<>"])
def test_a_time_beside_any_number_or_text_is_what_it_is_in_a_table(both: tuple[Any, Any], operator: str) -> None:
    for literal in NUMBERS:
        for column in ("id", "timestamp", "arrived", "context_name"):
            one = Select(f"select context_name, id from hooks where {column} {operator} {literal}", "rows")
            assert not difference(*both, one), one.sql
            for value in both[1].execute(f"select {literal}").fetchall():
                sql = f"select context_name, id from hooks where {column} {operator} ? order by 1, 2"
                mine, theirs = (conn.execute(sql, value).fetchall() for conn in both)
                assert mine == theirs, (sql, value)


def test_days_are_merged_by_numbers_that_no_integer_and_no_real_holds(tmp_path: Path, loadable: str) -> None:
    values = ("9e999", "-9e999", "1e300", "-1e300", "9223372036854775807", "-9223372036854775808", "9007199254740993")
    values = (*values, "9007199254740992.0", "9007199254740994.0", "0", "0.5", "-0.5", "x'00'", "'text'", "null")
    with days.Days(str(tmp_path / "root")) as made:
        for day in (78, 79, 80):
            path = made.make(key(day), 20)
            conn = connect.open_writer(path)
            for at, value in enumerate(values):
                where = "id = (select id from hooks order by id limit 1 offset ?)"
                conn.execute(f"update or ignore hooks set arrived = {value} where {where}", (at + 1,))
            conn.close()
        made.take()
        virtual = made.virtual(loadable)
        for way in ("", " desc"):
            one = Select(f"select arrived, id from hooks order by arrived{way}, id, context_name", "order")
            assert not difference(virtual, made.plain, one)
        virtual.close()


HIDDEN = (
    "select strict, day_us % 86400000000, context_name from hooks",
    "select id from hooks order by day_us, id",
    "select id from hooks order by root desc, id",
    "select count(*) from hooks where strict = 0 and context_name is not null and root is not null",
    "select count(*) from hooks where strict is 0",
    "select count(*) from hooks where rowid > 5",
    "select count(*) from hooks where rowid is null",
    "select count(*) from hooks where rowid in (select 5 union select null)",
    "select count(*) from hooks where context_name in (x'616c706861', 'alpha')",
    "select count(*) from hooks where context_name is ?1",
    "select count(*) from hooks where id is ?1",
    "select count(*) from hooks where timestamp in (5, ?1)",
    "select count(*) from hooks where timestamp is ?1",
    "select count(*) from hooks where strict = ?1",
    "select id from hooks order by id limit 3 offset ?1 + 1",
    "select id from hooks where src match 'x'",
    "select id from hooks where src regexp 'x'",
)  # fmt: skip


def test_hidden_columns_and_nulls_are_what_they_would_be_in_a_table(made: days.Days, loadable: str) -> None:
    virtual = made.virtual(loadable)
    plain = days._memory()
    plain.execute("create table hooks (rowid_ integer, context_name, id, timestamp, src, strict, root, day_us)")
    rows = virtual.execute("select rowid, context_name, id, timestamp, src, 0, root, day_us from hooks").fetchall()
    plain.executemany("insert into hooks values (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    assert len({(context, id_) for _, context, id_, *_ in rows}) == len(rows) > 600
    for sql in HIDDEN:
        given = (None,) if "?1" in sql else ()
        answers = []
        for conn, text in ((virtual, sql), (plain, sql.replace("rowid", "rowid_"))):
            try:
                answers.append(sorted(conn.execute(text, given).fetchall(), key=repr))
            except connect.driver().Error:
                answers.append(["an error"])
        assert answers[0] == answers[1], sql
    virtual.close()
    plain.close()


def test_a_root_under_its_number_tells_its_path_nowhere(tmp_path: Path, loadable: str) -> None:
    with days.Days(str(tmp_path / "one")) as one, days.Days(str(tmp_path / "two")) as two:
        for made in (one, two):
            made.make(key(79), 5)
        broken = layout.db_path(two.root, key(80))
        os.makedirs(os.path.dirname(broken))
        Path(broken).write_bytes(b"no database " * 500)
        conn = days._memory()
        assert connect.load_extension(conn, loadable) == ""
        given = [conn.execute("select eyelet_root(?)", (path,)).fetchone()[0] for path in (one.root, two.root + "//")]
        assert given == [1, 2] and conn.execute("select eyelet_root(?)", (one.root,)).fetchone() == (1,)
        for wrong in ("relative", "", None):
            with pytest.raises(conn.Error, match="no absolute path"):
                conn.execute("select eyelet_root(?)", (wrong,)).fetchone()
        conn.execute("create virtual table hooks using eyelet_partitions(table='hooks', root=1, root=2, root='2')")
        with pytest.raises(conn.Error, match="already"):
            conn.execute("select eyelet_root('/x')").fetchone()
        assert conn.execute("select root, count(*) from hooks group by 1").fetchall() == [("1", 5), ("2", 5)]
        assert conn.execute("select path from eyelet_trouble").fetchall() == [
            (f"root 2{broken[len(two.root):]}",)
        ]  # fmt: skip
        by_context = conn.execute("select context_name, id, root from hooks order by 1, 2").fetchall()
        assert by_context == sorted(by_context, key=lambda row: row[:2]) and len(set(by_context)) == 10
        assert conn.execute("select rowid from eyelet_trouble").fetchall() == [(0,)]
        with pytest.raises(conn.Error, match=r"root=3 is no absolute path"):
            conn.execute("create virtual table more using eyelet_partitions(table='hooks', root=3)")
        conn.close()


def test_a_table_in_a_file_is_there_when_the_file_is_opened_again(
    made: days.Days, loadable: str, tmp_path: Path
) -> None:
    path = str(tmp_path / "kept.db")
    root = str(tmp_path / "words")
    texts.make(root, texts.KEYS[0], 5, 5)
    counts = []
    for is_new in (True, False):
        conn = connect.driver().connect(path, isolation_level=None)
        assert connect.load_extension(conn, loadable) == ""
        if is_new:
            conn.execute(made.create())
            conn.execute(texts.table(root))
            conn.execute("create view events as select id from hooks")
        counts.append(conn.execute("select count(*) from hooks").fetchone())
        assert conn.execute("select count(*) from hooks_fts where hooks_fts match 'git'").fetchone()[0] > 0
        with pytest.raises(conn.Error, match="unsafe"):
            conn.execute("select count(*) from events").fetchone()
        conn.close()
    assert counts[0] == counts[1] == made.plain.execute("select count(*) from hooks").fetchone()


def test_where_there_are_many_folders_a_new_day_is_seen_all_the_same(tmp_path: Path, loadable: str) -> None:
    """`logs/` alone is looked at then, for a second; who makes a day touches it."""
    with days.Days(str(tmp_path / "root")) as made:
        for number in range(40):
            os.makedirs(os.path.join(made.root, "logs", f"c{number}", "2026"))
        made.make(key(79), 5)
        for at, _, _ in os.walk(made.root):
            os.utime(at, (1_000_000_000, 1_000_000_000))
        conn = made.virtual(loadable)
        for _ in range(3):
            assert conn.execute("select count(*) from hooks").fetchone() == (5,)
        made.make(key(80), 5)
        os.utime(os.path.join(made.root, "logs"))
        assert conn.execute("select count(*) from hooks").fetchone() == (10,)
        for at, _, _ in os.walk(made.root):
            os.utime(at, (1_000_000_000, 1_000_000_000))
        assert conn.execute("select count(*) from hooks").fetchone() == (10,)
        made.make(key(81), 5)
        os.utime(os.path.join(made.root, "logs"), (1_000_000_000, 1_000_000_000))  # another program has copied it there
        time.sleep(1.1)
        assert conn.execute("select count(*) from hooks").fetchone() == (15,)
        conn.close()


def test_of_very_many_contexts_the_last_have_no_rowids_and_the_statement_says_so(tmp_path: Path, loadable: str) -> None:
    root = str(tmp_path / "root")
    for number in range(2_048):
        os.makedirs(os.path.join(root, "logs", f"c{number}"))
    texts.make(root, layout.PartitionKey("c7", 2026, 79), 0, 3)
    conn = days._memory()
    assert connect.load_extension(conn, loadable) == ""
    conn.execute(f"create virtual table hooks using eyelet_partitions(table='hooks', root='{root}')")
    conn.execute(texts.table(root))
    assert len(conn.execute("select rowid from hooks").fetchall()) == 3
    texts.make(root, layout.PartitionKey("late", 2026, 79), 0, 3)
    assert conn.execute("select count(*) from hooks where context_name = 'late'").fetchone() == (3,)
    with pytest.raises(conn.Error, match="more than 2048 contexts"):
        conn.execute("select rowid from hooks where context_name = 'late'").fetchall()
    with pytest.raises(conn.Error, match="too many contexts"):
        conn.execute("select rowid from hooks_fts where hooks_fts match 'git OR push OR foo_bar'").fetchall()
    conn.close()


def test_of_a_thousand_days_that_cannot_be_read_the_newest_are_listed(tmp_path: Path, loadable: str) -> None:
    root = str(tmp_path / "root")
    known = [(year, day) for year in (2024, 2025, 2026) for day in range(1, 366)]
    for year, day in known:
        path = layout.db_path(root, layout.PartitionKey("alpha", year, day))
        os.makedirs(os.path.dirname(path))
        Path(path).write_bytes(b"no database " * 200)
    with days.Days(root) as made:
        conn = made.virtual(loadable)
        assert conn.execute("select count(*) from hooks").fetchone() == (0,)
        dates = [date for (date,) in conn.execute("select date from eyelet_trouble")]
        assert len(dates) == 1_000 and len(set(dates)) == 1_000
        assert "2024-12-30" in dates and "2026-12-31" in dates and "2024-01-02" not in dates
        conn.close()


def test_a_statement_kept_for_few_days_does_not_read_many_side_by_side(tmp_path: Path, loadable: str) -> None:
    with days.Days(str(tmp_path / "root")) as made:
        made.make(key(1), 2)
        conn = made.virtual(loadable, max_open="2")
        kept = "select id from hooks order by tool_name, id"
        assert len(conn.execute(kept).fetchall()) == 2
        for day in range(2, 22):
            made.make(key(day), 2)
        with pytest.raises(conn.Error, match="prepare it again"):
            conn.execute(kept).fetchall()  # Python keeps the statement
        assert len(conn.execute(kept + " ").fetchall()) == 42
        conn.close()


def test_a_host_that_forbids_recursion_is_answered(both: tuple[Any, Any]) -> None:
    """Its authorizer is asked for the statement that calls its progress handler, too."""
    virtual, plain = both
    module = connect.driver()
    virtual.set_authorizer(
        lambda action, *_: module.SQLITE_DENY if action == module.SQLITE_RECURSIVE else module.SQLITE_OK
    )
    assert virtual.execute(ALL).fetchall() == plain.execute(ALL).fetchall()


def test_however_few_files_may_be_opened_the_answer_is_whole_or_an_error(made: days.Days, loadable: str) -> None:
    everything = sorted(made.plain.execute(ALL).fetchall(), key=repr)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    outcomes = set()
    for left in range(1, 24):
        conn = made.virtual(loadable, max_open="3")
        with open(os.devnull) as highest:
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest.fileno() + left, before[1]))
            try:
                found = sorted(conn.execute(ALL).fetchall(), key=repr)
                assert found == everything
                outcomes.add("whole")
            except connect.driver().Error as bad:
                assert "open" in str(bad)
                outcomes.add("files" if "too many files are open" in str(bad) else "folder")
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, before)
        conn.close()
    assert outcomes == {"whole", "files", "folder"}


SECOND = """
import ctypes, sys
from eyelet_ingest.store import connect
first = connect.open_memory()
assert connect.load_extension(first, sys.argv[1]) == ""
other = ctypes.CDLL(sys.argv[2])
conn, said = ctypes.c_void_p(), ctypes.c_char_p()
other.sqlite3_open(b":memory:", ctypes.byref(conn))
other.sqlite3_enable_load_extension(conn, 1)
assert other.sqlite3_load_extension(conn, sys.argv[1].encode(), None, ctypes.byref(said)) == 1
assert b"another SQLite" in said.value, said.value
"""


def test_a_second_sqlite_of_the_process_is_refused(loadable: str) -> None:
    library = ctypes.util.find_library("sqlite3")
    if connect.driver().__name__ == "sqlite3" or library is None:
        pytest.skip("there is no second copy of SQLite here")
    done = subprocess.run([sys.executable, "-c", SECOND, loadable, library], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_words_of_a_column_and_in_a_join_are_found_as_by_themselves(tmp_path: Path, loadable: str) -> None:
    root = str(tmp_path / "root")
    texts.fill(root)
    conn = days._memory()
    assert connect.load_extension(conn, loadable) == ""
    conn.execute(f"create virtual table hooks using eyelet_partitions(table='hooks', root='{root}')")
    conn.execute(texts.table(root))
    conn.execute("create table asked (what text)")
    conn.executemany("insert into asked values (?)", [("git",), ("zebra",), (None,)])
    by_itself = {
        what: conn.execute("select count(*) from hooks_fts where hooks_fts match ?", (what,)).fetchone()[0]
        for what in ("git", "zebra")
    }
    joined = "select what, count(*) from asked join hooks_fts on hooks_fts match what group by 1"
    assert dict(conn.execute(joined).fetchall()) == by_itself
    both = "select count(*) from hooks_fts where hooks_fts match 'git' and command match 'push'"
    with pytest.raises(conn.Error):
        conn.execute(both).fetchone()
    assert conn.execute("select command, other from hooks_fts where hooks_fts match 'zebra' limit 1").fetchone() == (
        None,
        None,
    )
    equals = "select count(*) from hooks_fts where hooks_fts = 'zebra'"
    assert conn.execute(equals).fetchone() == (by_itself["zebra"],)
    Path(layout.db_path(root, texts.KEYS[0])).write_bytes(b"no database " * 500)
    strict = texts.table(root, "strictly", more=", strict=1")
    conn.execute(strict)
    with pytest.raises(conn.Error, match="cannot be read"):
        conn.execute("select rowid from strictly where strictly match 'git'").fetchall()
    conn.close()
