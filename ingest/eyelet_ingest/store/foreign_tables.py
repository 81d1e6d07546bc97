"""What other programs keep in a day beside our tables: notes, views, a text index of their own. Cleaned with it.

An ordinary table's texts are cleaned row by row. A full-text index is made anew of what it is an index of; one that
keeps no text of its own, a table without row ids, or one that refuses, is named.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

from eyelet_ingest.store import schema, text_schema
from eyelet_ingest.store.cleaning import Cleaner

ROWS_AT_ONCE = 200
_ROWIDS = ("rowid", "_rowid_", "oid")  # a column of one of these names hides the id behind it
_SHADOWS = ("_data", "_idx", "_docsize", "_config", "_segments", "_segdir", "_stat")


class _Table(NamedTuple):
    name: str
    columns: list[str]
    rowid: str  # what its rows' ids are called, where no column has that name; "" where there are none


def holding(conn: Any, cleaner: Cleaner) -> list[str]:
    """The tables of others in this day of which anything would change."""
    return [table.name for table in _tables(conn) if any(True for _ in _changes(conn, cleaner, table))]


def found(conn: Any, cleaner: Cleaner) -> Iterator[tuple[str, str]]:
    """(table, column) of every text of others in this day that would change, as the cleaner meets it."""
    for table in _tables(conn):
        for _, column, _ in _changes(conn, cleaner, table):
            yield table.name, column


def clean(conn: Any, cleaner: Cleaner, *, changed: bool) -> tuple[list[str], list[str]]:
    """Inside a transaction: clean the tables of others, and make their text indexes anew where anything `changed`, here
    or in our table. The names of the tables that were cleaned, and of the indexes that cannot be made anew. What a
    table refuses stays."""
    cleaned, refused = [], []
    for table in list(_tables(conn)):
        changes = list(_changes(conn, cleaner, table)) if table.rowid else []
        if changes and _done(conn, partial(_update, conn, table, changes)):
            cleaned.append(table.name)
    for name in _text_indexes(conn) if cleaned or changed else ():
        sql = f"insert into {_named(name)} ({_named(name)}) values ('rebuild')"  # noqa: S608  quoted
        if not _done(conn, partial(conn.execute, sql)):  # without content of its own, or its module is not here
            refused.append(name)
    return cleaned, refused


def spelling(conn: Any, cleaner: Cleaner) -> list[str]:
    """What others made in this day whose definition spells what goes, by kind and name, without it: a view that asks
    for it, a default value."""
    others = schema.names_of_others(conn)
    found = conn.execute("select type, name, sql from sqlite_master where sql is not null order by name").fetchall()
    return [f"{kind} {cleaner.text(name)}" for kind, name, sql in found if name in others and cleaner.text(sql) != sql]


def _update(conn: Any, table: _Table, changes: "list[tuple[int, str, object]]") -> None:
    for rowid, column, value in changes:
        sql = f"update {_named(table.name)} set {_named(column)} = ? where {table.rowid} = ?"  # noqa: S608  quoted
        conn.execute(sql, (value, rowid))


def _done(conn: Any, what: Callable[[], object]) -> bool:
    """Do it, or nothing of it where it is refused."""
    conn.execute("savepoint cleaning")
    try:
        what()
        return True
    except conn.DatabaseError:
        conn.execute("rollback to cleaning")
        return False
    finally:
        conn.execute("release cleaning")


def _tables(conn: Any) -> Iterator[_Table]:
    """The ordinary tables of others; the contents of text indexes among them."""
    others = schema.names_of_others(conn)
    internal = {index + end for index in _text_indexes(conn) for end in _SHADOWS}
    found = conn.execute("select name, sql from sqlite_master where type = 'table' and sql is not null order by name")
    for name, sql in found.fetchall():
        if name not in others or name in internal or sql.lower().startswith("create virtual"):
            continue
        listed = conn.execute("select name, hidden from pragma_table_xinfo(?)", (name,)).fetchall()
        has_rowid = "withoutrowid" not in "".join(sql.lower().rpartition(")")[2].split())
        taken = {column.lower() for column, _ in listed}
        free = [one for one in _ROWIDS if one not in taken] if has_rowid else []
        yield _Table(name, [column for column, hidden in listed if not hidden], free[0] if free else "")


def _changes(conn: Any, cleaner: Cleaner, table: _Table) -> Iterator[tuple[int, str, object]]:
    """Row by row the texts that change: rowid (0 where there is none), column, what it becomes."""
    listed = ", ".join(_named(column) for column in table.columns)
    rows = conn.execute(f"select {table.rowid or 0}, {listed} from {_named(table.name)}")  # noqa: S608  quoted
    while some := rows.fetchmany(ROWS_AT_ONCE):
        for rowid, *values in some:
            for column, value in zip(table.columns, values, strict=True):
                if isinstance(value, (str, bytes)):
                    safe: object = cleaner.text(value) if isinstance(value, str) else cleaner.bytes(value)
                    if safe is not value:
                        yield rowid, column, safe


def _text_indexes(conn: Any) -> list[str]:
    """Of others: ours is no index that FTS5 could make anew by itself (`text_index.py` makes it)."""
    sql = "select name from sqlite_master where type = 'table' and lower(sql) like 'create virtual table%fts_%(%'"
    ours = "" if text_schema.INDEX in text_schema.taken(conn) else text_schema.INDEX
    return sorted(str(name) for (name,) in conn.execute(sql) if name != ours)


def _named(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
