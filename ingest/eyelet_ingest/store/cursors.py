"""`sync.sqlite` at the root: of each source and day, up to which event it has been carried here.

A cursor is the source's `arrived` of the last event that was stored here, with that event's uid: a day that was made
anew has no such event, and is read from its beginning. It is written after the rows are committed: who is stopped
between the two reads some of them again, and they are known.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from eyelet_ingest.errors import PartitionError, RootError
from eyelet_ingest.store import connect, identity
from eyelet_ingest.store.layout import PartitionKey

FILE_NAME = "sync.sqlite"
BUSY_MS = 10_000

_SCHEMA = """
create table if not exists cursors (
    source text not null,
    context text not null,
    year integer not null,
    day integer not null,
    arrived integer not null,
    uid blob not null,
    state text not null,
    primary key (source, context, year, day)
) without rowid
"""
_SAVE = """
insert into cursors (source, context, year, day, arrived, uid, state) values (?, ?, ?, ?, ?, ?, ?)
on conflict (source, context, year, day)
do update set arrived = excluded.arrived, uid = excluded.uid, state = excluded.state
"""
_HINT = "is the disk full, or the file damaged? It may be removed: what is here already is known all the same"


class Cursor(NamedTuple):
    """Where a day was left: the last event's `arrived` and uid, and what the day's files were when it was read whole
    ("" where that is not known)."""

    arrived: int
    uid: bytes
    state: str


class Cursors:
    """Those of one source, by the name under which it is asked for. Nothing stays open between calls."""

    def __init__(self, root: str, source: str) -> None:
        self.root, self.source = root, source
        self.path = os.path.join(root, FILE_NAME)

    def all(self) -> dict[PartitionKey, Cursor]:
        if not connect.is_there(self.path):
            return {}
        try:
            conn = connect.open_reader(self.path, busy_ms=BUSY_MS)
        except PartitionError as bad:
            raise RootError("read", self.path, bad.reason, _HINT) from bad
        try:
            if not conn.execute("select count(*) from sqlite_master where name = 'cursors'").fetchone()[0]:
                return {}  # its maker was stopped
            sql = "select context, year, day, arrived, uid, state from cursors where source = ?"
            return {PartitionKey(*row[:3]): Cursor(*row[3:]) for row in conn.execute(sql, (self.source,))}
        except conn.Error as bad:
            raise RootError("read", self.path, str(bad), _HINT) from bad
        finally:
            conn.close()

    def save(self, key: PartitionKey, cursor: Cursor) -> None:
        """Committed when this returns."""
        with self._open() as conn, connect.transaction(conn):
            conn.execute(_SAVE, (self.source, key.context, key.year, key.day, *cursor))

    @contextmanager
    def _open(self) -> Iterator[Any]:
        identity.make_private_dir(self.root)
        try:
            # The lock keeps two makers apart, and makes the checkpoint of a closing connection safe on an old SQLite.
            with connect.FileLock(self.path + ".lock", time.monotonic_ns() + BUSY_MS * 1_000_000):
                conn = connect.open_writer(self.path, busy_ms=BUSY_MS)
                try:
                    conn.execute(_SCHEMA)
                    yield conn
                except conn.Error as bad:
                    raise RootError("write to", self.path, str(bad), _HINT) from bad
                finally:
                    conn.close()
        except PartitionError as bad:
            raise RootError("write to", self.path, bad.reason, _HINT) from bad
