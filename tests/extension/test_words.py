"""The text index over all days: what it finds does not depend on how far a day's own index has come.

The oracle is one FTS5 table of all texts.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eyelet_ingest.store import connect, layout
from tests.extension import texts
from tests.extension.texts import KEYS, TEXT

pytestmark = pytest.mark.skipif(
    bool(connect.load_extension(connect.driver().connect(":memory:"), os.environ.get("EYELET_TEST_EXTENSION"))),
    reason="the extension is not built, or not loaded",
)

QUERIES = (
    *("git", "git push", '"git push"', "git NOT push", "pu*", "cafe", "command : push", "NEAR(git push, 1)", "nowhere"),
    *("zebra", "foo_bar", "^git"),
)


@pytest.fixture
def root(tmp_path: Path) -> str:
    made = str(tmp_path / "root")
    texts.fill(made)
    return made


@pytest.fixture
def conn(root: str) -> Iterator[Any]:
    made = connect.driver().connect(":memory:", isolation_level=None)
    assert not connect.load_extension(made, os.environ.get("EYELET_TEST_EXTENSION"))
    made.execute(f"create virtual table hooks using eyelet_partitions(table='hooks', root='{root}')")
    made.execute(texts.table(root))
    yield made
    made.close()


@pytest.fixture
def oracle(root: str) -> Iterator[Any]:
    made = connect.driver().connect(":memory:", isolation_level=None)
    made.execute("""create virtual table texts using fts5 (context_name unindexed, id unindexed, command, other,
        tokenize="unicode61 remove_diacritics 2")""")
    for key in KEYS:
        day = connect.open_reader(layout.db_path(root, key))
        rows = [(key.context, *row) for row in day.execute(TEXT.replace("''", "'"))]
        made.executemany("insert into texts values (?, ?, ?, ?)", rows)
        day.close()
    yield made
    made.close()


FOUND = "select context_name, id from hooks where rowid in (select rowid from hooks_fts where hooks_fts match ?)"


@pytest.mark.parametrize("query", QUERIES)
def test_what_is_found_is_what_one_index_of_all_days_finds(conn: Any, oracle: Any, query: str) -> None:
    there = set(oracle.execute("select context_name, id from texts where texts match ?", (query,)).fetchall())
    assert set(conn.execute(FOUND, (query,)).fetchall()) == there
    joined = "select h.context_name, h.id from hooks_fts f join hooks h on h.rowid = f.rowid where f.hooks_fts match ?"
    assert set(conn.execute(joined, (query,)).fetchall()) == there


def test_one_column_may_be_asked(conn: Any, oracle: Any) -> None:
    sql = "select count(*) from {} where command match 'push'"
    assert conn.execute(sql.format("hooks_fts")).fetchall() == oracle.execute(sql.format("texts")).fetchall()


def test_damage_that_an_index_notices_costs_time_and_no_answer(root: str, conn: Any) -> None:
    there = conn.execute(FOUND, ("git",)).fetchall()
    writer = connect.open_writer(layout.db_path(root, KEYS[0]))
    writer.execute("delete from hooks_fts_data where id > 10")
    writer.close()
    assert sorted(conn.execute(FOUND, ("git",)).fetchall()) == sorted(there)


def test_another_programs_index_of_the_name_is_not_believed(root: str, conn: Any) -> None:
    """As `sqlite-utils enable-fts` makes one of whole payloads, where ours was dropped: our marks are still there."""
    there = conn.execute(FOUND, ("git",)).fetchall()
    for key in KEYS[:2]:
        writer = connect.open_writer(layout.db_path(root, key))
        writer.execute("drop table hooks_fts")
        writer.execute("create virtual table hooks_fts using fts5 (command, other)")
        everything = "insert into hooks_fts (rowid, command, other) select id, 'git', 'zebra' from hooks"
        writer.execute(everything)
        writer.close()
    assert sorted(conn.execute(FOUND, ("git",)).fetchall()) == sorted(there)
    assert conn.execute("select * from eyelet_trouble").fetchall() == []


def test_a_day_that_cannot_be_read_is_listed_and_the_others_answer(root: str, conn: Any) -> None:
    whole = conn.execute(FOUND, ("git",)).fetchall()
    path = layout.db_path(root, KEYS[-1])
    for side in ("-wal", "-shm"):
        if os.path.exists(path + side):
            os.unlink(path + side)
    with open(path, "wb") as file:
        file.write(b"no database" * 1000)
    left = conn.execute(FOUND, ("git",)).fetchall()
    assert 0 < len(left) < len(whole)
    assert ("b", "hooks_fts") in conn.execute("select context_name, table_name from eyelet_trouble").fetchall()


@pytest.mark.parametrize("query", ['"open', "nocolumn : x", "(", ""])
def test_a_mistake_in_the_query_is_the_statements_and_no_days(conn: Any, query: str) -> None:
    with pytest.raises(connect.driver().OperationalError):
        conn.execute(FOUND, (query,)).fetchall()
    assert conn.execute("select * from eyelet_trouble").fetchall() == []


def test_rows_that_a_days_index_knows_are_not_read(tmp_path: Path) -> None:
    root = str(tmp_path / "root")
    texts.make(root, KEYS[0], 20, 20)
    texts.make(root, KEYS[1], 20, 33)
    parts = "json_each(iif(hooks.id % 86400000000 < 20, ''no JSON'', ''[1]'')) as parts"
    text = f"{TEXT.replace('id,', 'hooks.id,')}, {parts} group by hooks.id".replace("''$.other''", "''$.none''")
    made = connect.driver().connect(":memory:", isolation_level=None)
    connect.load_extension(made, os.environ.get("EYELET_TEST_EXTENSION"))
    made.execute(texts.table(root, text=text))
    found = made.execute("select count(*) from hooks_fts where hooks_fts match 'git'").fetchone()
    assert (made.execute("select error from eyelet_trouble").fetchall(), found) == ([], (28,))
    made.close()


def test_it_answers_nothing_but_match(conn: Any) -> None:
    with pytest.raises(connect.driver().OperationalError, match="only answers MATCH"):
        conn.execute("select rowid from hooks_fts").fetchall()
    assert conn.execute(FOUND, (None,)).fetchall() == []


def test_a_query_is_of_its_column_alone_and_asks_nothing_else_of_an_index(conn: Any) -> None:
    """FTS5 takes what begins with a star for a question about itself, and a bracket must not end the column's."""
    for query in ("*reads", "*id", "*", "git) OR (zebra"):
        for column in ("hooks_fts", "command"):
            with pytest.raises(conn.Error, match=r"special queries|syntax error"):
                conn.execute(f"select rowid from hooks_fts where {column} match ?", (query,)).fetchall()
    assert conn.execute(FOUND, ("git",)).fetchall()


def test_rows_of_a_day_that_broke_off_are_not_found_in_the_next_one(root: str, conn: Any, oracle: Any) -> None:
    """Some of its rows were read already when the damage was met."""
    broken = layout.db_path(root, KEYS[3])
    day = connect.open_writer(broken)
    day.execute("pragma wal_checkpoint(truncate)")
    day.close()
    with open(broken, "r+b") as file:
        held = file.read()
        pages = [at for at in range(0, len(held), 4096) if b'{"command"' in held[at : at + 4096]]
        file.seek(pages[1])
        file.write(b"\xff" * 4096)
    found = conn.execute("select rowid from hooks_fts where hooks_fts match 'push'").fetchall()
    assert conn.execute("select count(*) from eyelet_trouble where path = ?", (broken,)).fetchone() == (1,)
    there = "select count(*) from texts where texts match 'push' and (context_name, id / 86400000000) <> (?, ?)"
    wanted = oracle.execute(there, (KEYS[3].context, KEYS[3].bounds_us[0] // 86_400_000_000)).fetchone()
    assert len(set(found)) == len(found) == wanted[0]


def test_a_row_is_found_once_whatever_its_arrival_is(root: str, conn: Any) -> None:
    writer = connect.open_writer(layout.db_path(root, KEYS[0]))
    writer.execute("drop trigger eyelet_text_changed")
    writer.execute("update hooks set arrived = null")
    writer.execute("create trigger eyelet_text_changed after update on hooks begin select 1; end")
    writer.close()
    found = conn.execute("select rowid from hooks_fts where hooks_fts match 'git'").fetchall()
    assert len(set(found)) == len(found)
