"""What other programs keep in a day beside our tables: notes, views, a text index of their own. Cleaned with it.

An ordinary table's texts are cleaned row by row. A full-text index is made anew of what it is an index of; one that
keeps no text of its own, or a table that refuses, is named.
"""

from collections.abc import Iterator
from typing import Any

from eyelet_ingest.store import schema
from eyelet_ingest.store.cleaning import Cleaner

ROWS_AT_ONCE = 200
_SHADOWS = ("_data", "_idx", "_docsize", "_config", "_segments", "_segdir", "_stat")


def holding(conn: Any, cleaner: Cleaner) -> list[str]:
    """The tables of others in this day of which anything would change."""
    return [name for name, columns, _ in _tables(conn) if any(True for _ in _changes(conn, cleaner, name, columns))]


def clean(conn: Any, cleaner: Cleaner, *, changed: bool) -> list[str]:
    """Inside a transaction: clean the tables of others, and make their text indexes anew where anything `changed`, here
    or in our table; the names of those that were cleaned. What a table refuses stays."""
    cleaned = []
    for name, columns, _ in list(_tables(conn)):
        changes = list(_changes(conn, cleaner, name, columns))
        if not changes:
            continue
        conn.execute("savepoint cleaning")
        try:
            for rowid, column, value in changes:
                sql = f"update {_named(name)} set {_named(column)} = ? where rowid = ?"  # noqa: S608  quoted
                conn.execute(sql, (value, rowid))
            cleaned.append(name)
        except conn.DatabaseError:
            conn.execute("rollback to cleaning")
        conn.execute("release cleaning")
    if cleaned or changed:
        for name in _text_indexes(conn):
            conn.execute("savepoint cleaning")
            try:
                conn.execute(f"insert into {_named(name)} ({_named(name)}) values ('rebuild')")  # noqa: S608  quoted
            except conn.DatabaseError:  # one without content of its own, or whose module is not here
                conn.execute("rollback to cleaning")
            conn.execute("release cleaning")
    return cleaned


def _tables(conn: Any) -> Iterator[tuple[str, list[str], str]]:
    """The ordinary tables of others, with their columns and their SQL; the contents of text indexes among them."""
    others = schema.names_of_others(conn)
    indexes = _text_indexes(conn)
    internal = {index + end for index in indexes for end in _SHADOWS}
    found = conn.execute("select name, sql from sqlite_master where type = 'table' and sql is not null order by name")
    for name, sql in found.fetchall():
        is_plain = name in others and name not in internal and not sql.lower().startswith("create virtual")
        if not is_plain or sql.lower().replace(" ", "").rstrip(";").endswith("withoutrowid"):
            continue
        columns = [
            column
            for column, hidden in conn.execute("select name, hidden from pragma_table_xinfo(?)", (name,))
            if not hidden
        ]
        yield name, columns, sql


def _changes(conn: Any, cleaner: Cleaner, name: str, columns: list[str]) -> Iterator[tuple[int, str, object]]:
    """Row by row the texts that change: rowid, column, what it becomes."""
    listed = ", ".join(_named(column) for column in columns)
    rows = conn.execute(f"select rowid, {listed} from {_named(name)}")  # noqa: S608  quoted
    while some := rows.fetchmany(ROWS_AT_ONCE):
        for rowid, *values in some:
            for column, value in zip(columns, values, strict=True):
                if isinstance(value, (str, bytes)):
                    safe: object = cleaner.text(value) if isinstance(value, str) else cleaner.bytes(value)
                    if safe is not value:
                        yield rowid, column, safe


def _text_indexes(conn: Any) -> list[str]:
    sql = "select name from sqlite_master where type = 'table' and lower(sql) like 'create virtual table%fts_%(%'"
    return sorted(str(name) for (name,) in conn.execute(sql))


def _named(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
