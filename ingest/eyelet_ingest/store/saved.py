"""`saved.sqlite` at the root: searches that somebody gave a name, as the query string of the search page.

They are the root's, not a browser's: a backup takes them along. What one holds is what was typed: who saves it leaves
out what is secret.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eyelet_ingest.errors import BadInput, PartitionError, RootError
from eyelet_ingest.store import connect, identity

FILE_NAME = "saved.sqlite"
BUSY_MS = 10_000
NAME_MAX_CHARS = 100
QUERY_MAX_CHARS = 4_000
MOST = 500

_SCHEMA = """
    create table if not exists saved (
        name text primary key,
        query text not null,
        made_by text not null,
        made_at_us integer not null
    ) without rowid
"""
_HINT = "is the disk full, or the file damaged? `eyelet restore` brings it back from a backup"


@dataclass(frozen=True, slots=True)
class Saved:
    """A search by its name. `query` is what stands behind the `?` of the search page; `made_at_us` microseconds since
    1970 UTC."""

    name: str
    query: str
    made_by: str
    made_at_us: int


def known(root: str) -> list[Saved]:
    """Those there are, in order of their names; RootError where they cannot be read."""
    path = os.path.join(root, FILE_NAME)
    if not connect.is_there(path):
        return []
    try:
        conn = connect.open_reader(path)
        try:
            sql = "select name, query, made_by, made_at_us from saved order by name limit ?"
            rows = conn.execute(sql, (MOST,))
            return [Saved(str(name), str(query), str(made_by), int(at_us)) for name, query, made_by, at_us in rows]
        except (conn.Error, ValueError, TypeError) as bad:
            raise RootError("read the saved searches", path, str(bad), _HINT) from bad
        finally:
            conn.close()
    except PartitionError as bad:
        raise RootError("read the saved searches", path, bad.reason, bad.hint) from bad


def named(root: str, name: str) -> Saved:
    """The one of this name; BadInput where there is none."""
    for one in known(root):
        if one.name == name:
            return one
    raise BadInput("find the saved search", name[:NAME_MAX_CHARS], "there is none of this name", "look at the list")


def check(name: str, query: str) -> None:
    """BadInput where a search cannot be saved like this."""
    if not name.strip() or len(name) > NAME_MAX_CHARS or not name.isprintable() or name != name.strip():
        reason = f"its name must have 1 to {NAME_MAX_CHARS} characters on one line"
        raise BadInput("save the search", reason=reason, hint="name it otherwise")
    if len(query) > QUERY_MAX_CHARS or not query.isprintable():
        reason = f"it has {len(query):,} characters, {QUERY_MAX_CHARS:,} printable ones are the most"
        raise BadInput("save the search", name, reason, "leave conditions out")


def keep(root: str, saved: Saved, *, again: bool = False) -> None:
    """Save a search, committed when this returns. BadInput for a name that is taken, unless `again`, for what `check`
    refuses, and for one too many; RootError where it cannot be written."""
    check(saved.name, saved.query)

    def change(conn: Any) -> None:
        there = conn.execute("select query from saved where name = ?", (saved.name,)).fetchone()
        if there is not None and not again:
            raise BadInput(
                "save the search", saved.name, "there is one of this name", "name it otherwise, or replace it"
            )
        count = conn.execute("select count(*) from saved").fetchone()[0]
        if there is None and count >= MOST:
            raise BadInput("save the search", saved.name, f"there are {MOST} saved searches", "remove one first")
        sql = "insert or replace into saved (name, query, made_by, made_at_us) values (?, ?, ?, ?)"
        conn.execute(sql, (saved.name, saved.query, saved.made_by, saved.made_at_us))

    _changed(root, change)


def remove(root: str, name: str) -> None:
    """Remove the search of this name; BadInput where there is none."""

    def change(conn: Any) -> None:
        if not conn.execute("delete from saved where name = ?", (name,)).rowcount:
            raise BadInput("remove the saved search", name, "there is none of this name", "look at the list")

    named(root, name)  # before a file is made for nothing
    _changed(root, change)


def _changed(root: str, change: Callable[[Any], None]) -> None:
    """`change(conn)` in a transaction of its own."""
    path = os.path.join(root, FILE_NAME)
    identity.make_private_dir(root)
    try:
        # Of two who make it at once, one would find it locked: setting WAL does not wait.
        with connect.FileLock(path + ".lock", time.monotonic_ns() + BUSY_MS * 1_000_000):
            conn = connect.open_writer(path, busy_ms=BUSY_MS)
            try:
                with connect.transaction(conn):
                    conn.execute(_SCHEMA)
                    change(conn)
            except conn.Error as bad:
                raise RootError("write the saved searches", path, str(bad), _HINT) from bad
            finally:
                conn.close()
    except PartitionError as bad:
        raise RootError("write the saved searches", path, bad.reason, _HINT) from bad
