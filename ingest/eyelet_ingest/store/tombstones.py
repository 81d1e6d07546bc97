"""`tombstones.sqlite` at the root: what was deleted or retired, so that no import brings it back.

Four things, and no recorded text. The uids that were deleted from a context; those that were redacted, which are there,
and stay away as they were once their day is not (archived, lost); of a context its horizon, the time before which
everything was retired by age; and the files from which deleted rows are still to be erased, byte for byte, for whoever
comes next when a deletion was stopped or a reader was in its way. All are written before the rows go.

Whoever stores events that are not new (import, the import of exports, sync, restore into a day that exists, the drain
of the spool) asks under the day's lock, where no deletion of that day can be at work between the question and the
insert. The live hook never asks: what happens now was never deleted; and the drain asks for no horizon.

Plain code: a hook that drains the spool loads this, but only where there is such a file.
"""

import os
import time

from eyelet_ingest.errors import PartitionError, RootError
from eyelet_ingest.store import connect, identity, layout

TYPE_CHECKING = False  # importing typing costs the hook more than its insert
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from eyelet_ingest.store.writer import Row

FILE_NAME = layout.TOMBSTONES
BUSY_MS = 10_000
CHUNK = 500  # values in one `in (…)`: SQLite before 3.32 allows 999
BATCH = 50_000  # uids in one transaction

_SCHEMA = (
    """
    create table if not exists deleted (
        context text not null,
        uid blob not null,
        primary key (context, uid)
    ) without rowid
    """,
    """
    create table if not exists horizons (
        context text primary key,
        before_us integer not null
    ) without rowid
    """,
    """
    create table if not exists redacted (
        context text not null,
        uid blob not null,
        primary key (context, uid)
    ) without rowid
    """,
    """
    create table if not exists erasing (
        name text primary key
    ) without rowid
    """,
)
_HINT = "is the disk full, or the file damaged? Without it what was deleted could come back"


class Tombstones:
    """Those of one root. Nothing stays open between calls; RootError where the file cannot be read or written.

    Contexts are safe names, uids 16 bytes, times microseconds since 1970 UTC. Where nothing was ever deleted there is
    no file, and asking costs a look for it.
    """

    __slots__ = ("chosen", "path", "root")

    def __init__(self, root: str, chosen: "Any" = None) -> None:
        self.root, self.chosen = root, chosen
        self.path = os.path.join(root, FILE_NAME)

    @classmethod
    def of(cls, root: str, chosen: "Any" = None) -> "Tombstones":
        """Those of this root; `chosen` is the driver of a process that is not to load another (the hook)."""
        return cls(root, chosen)

    def are_there(self) -> bool:
        return connect.is_there(self.path)

    def dead(self, context: str, events: "Sequence[tuple[bytes, int]]", by_age: bool = True) -> "set[bytes]":
        """Of these (uid, time_us) the uids that were deleted from the context or, `by_age`, lie before its horizon."""
        if not events or not self.are_there():
            return set()
        with _Open(self, "ask") as conn:
            horizon = _horizon(conn, context)
            found = {uid for uid, time_us in events if by_age and time_us < horizon}
            return found | _among(conn, "deleted", context, [uid for uid, _ in events])

    def redacted(self, context: str, uids: "Sequence[bytes]") -> "set[bytes]":
        """Those of these that were redacted in the context: where they are not any more, they are not to come back."""
        if not uids or not self.are_there():
            return set()
        with _Open(self, "ask") as conn:
            return _among(conn, "redacted", context, uids)

    def remember(self, context: str, uids: "Iterable[bytes]") -> None:
        """These were deleted from the context. Committed, in batches, when this returns."""
        self._write("insert or ignore into deleted (context, uid) values (?, ?)", context, uids)

    def remember_redacted(self, context: str, uids: "Iterable[bytes]") -> None:
        """These are stored in the context without what was taken out of them. Committed when this returns."""
        self._write("insert or ignore into redacted (context, uid) values (?, ?)", context, uids)

    def forget(self, context: str, uids: "Iterable[bytes]") -> None:
        """These may be stored again: somebody said so. A horizon stays; what lies before it is asked for by name."""
        if self.are_there():
            known = list(uids)
            self._write("delete from deleted where context = ? and uid = ?", context, known)
            self._write("delete from redacted where context = ? and uid = ?", context, known)

    def retire(self, context: str, before_us: int) -> None:
        """Everything of the context before this time was retired by age. A horizon only ever rises."""
        sql = (
            "insert into horizons (context, before_us) values (?, ?)"
            " on conflict (context) do update set before_us = max(before_us, excluded.before_us)"
        )
        with _Open(self, "write to") as conn, connect.transaction(conn):
            conn.execute(sql, (context, before_us))

    def horizon_us(self, context: str) -> "int | None":
        """The time before which all of the context was retired; None where nothing ever was."""
        return self.horizons().get(context)

    def horizons(self) -> "dict[str, int]":
        """The horizon of each context that has one."""
        if not self.are_there():
            return {}
        with _Open(self, "read") as conn:
            return dict(conn.execute("select context, before_us from horizons order by context"))

    def clear_horizon(self, context: str) -> None:
        """What lies before it may be stored again."""
        if self.are_there():
            with _Open(self, "write to") as conn, connect.transaction(conn):
                conn.execute("delete from horizons where context = ?", (context,))

    def begin_erasing(self, name: str) -> None:
        """Rows of this file (a day's mount name, or a file's name at the root) go now, and every byte of them is to."""
        with _Open(self, "write to") as conn, connect.transaction(conn):
            conn.execute("insert or ignore into erasing (name) values (?)", (name,))

    def erased(self, name: str) -> None:
        """No byte of what was deleted is left in this file."""
        with _Open(self, "write to") as conn, connect.transaction(conn):
            conn.execute("delete from erasing where name = ?", (name,))

    def to_erase(self) -> "list[str]":
        """The files from which bytes of deleted rows may still be read."""
        if not self.are_there():
            return []
        with _Open(self, "read") as conn:
            return [name for (name,) in conn.execute("select name from erasing order by name")]

    def counts(self) -> "dict[str, int]":
        """How many uids are remembered of each context."""
        if not self.are_there():
            return {}
        with _Open(self, "read") as conn:
            return dict(conn.execute("select context, count(*) from deleted group by context order by context"))

    def _write(self, sql: str, context: str, uids: "Iterable[bytes]") -> None:
        for some in _batches(uids):
            with _Open(self, "write to") as conn, connect.transaction(conn):
                conn.executemany(sql, [(context, uid) for uid in some])


class Sieve:
    """Of rows on their way into a context, those that may be stored: `writer.insert` asks it under the day's lock.

    `dead` is how many of the last ones may not. With `force` all may, and what was deleted of them is forgotten. What
    was recorded live is not kept out `by_age`: a clock that was wrong for a while would lose it. What was redacted is
    kept out of the database `day` where it is not there any more: what comes is as it was.
    """

    __slots__ = ("by_age", "context", "day", "dead", "force", "stones")

    def __init__(
        self, stones: Tombstones, context: str, force: bool = False, by_age: bool = True, day: str = ""
    ) -> None:
        self.stones, self.context, self.force, self.by_age, self.dead = stones, context, force, by_age, 0
        self.day = day

    def __call__(self, rows: "list[Row]") -> "list[Row]":
        self.dead = 0
        if not self.stones.are_there():
            return rows
        if self.force:
            self.stones.forget(self.context, [row[0] for row in rows])
            return rows
        dead = self.stones.dead(self.context, [(row[0], row[1]) for row in rows], self.by_age)
        redacted = self.stones.redacted(self.context, [row[0] for row in rows]) if self.day else set()
        if redacted:
            dead |= redacted - _held(self.day, list(redacted), self.stones.chosen)
        if not dead:
            return rows
        alive = [row for row in rows if row[0] not in dead]
        self.dead = len(rows) - len(alive)
        return alive


class _Open:
    """The open file, made where it is not there, alone under its lock; closed again at the end.

    The lock keeps two makers apart, and makes the checkpoint of a closing connection safe on an old SQLite.
    """

    __slots__ = ("conn", "lock", "operation", "stones")

    def __init__(self, stones: Tombstones, operation: str) -> None:
        self.stones, self.operation = stones, operation

    def __enter__(self) -> "Any":
        path = self.stones.path
        try:
            identity.make_private_dir(self.stones.root)
            self.lock = connect.FileLock(path + ".lock", time.monotonic_ns() + BUSY_MS * 1_000_000)
            self.lock.__enter__()
        except PartitionError as bad:
            raise self._trouble(bad.reason) from bad
        try:
            self.conn = connect.open_writer(path, busy_ms=BUSY_MS, chosen=self.stones.chosen, small=True)
        except PartitionError as bad:
            self.lock.__exit__()
            raise self._trouble(bad.reason) from bad
        try:
            for statement in _SCHEMA:
                self.conn.execute(statement)
        except BaseException as bad:
            self._close()
            if isinstance(bad, self.conn.Error):
                raise self._trouble(str(bad)) from bad
            raise
        return self.conn

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._close()
        if isinstance(error, self.conn.Error):
            raise self._trouble(str(error)) from error

    def _close(self) -> None:
        self.conn.close()
        self.lock.__exit__()

    def _trouble(self, reason: str) -> RootError:
        return RootError(f"{self.operation} what was deleted,", self.stones.path, reason, _HINT)


def _among(conn: "Any", table: str, context: str, uids: "Sequence[bytes]") -> "set[bytes]":
    """Those of these uids that the table has of the context."""
    found: set[bytes] = set()
    for start in range(0, len(uids), CHUNK):
        some = uids[start : start + CHUNK]
        marks = ",".join("?" * len(some))
        sql = f"select uid from {table} where context = ? and uid in ({marks})"  # noqa: S608  our names, marks
        found.update(row[0] for row in conn.execute(sql, (context, *some)))
    return found


def _held(path: str, uids: "Sequence[bytes]", chosen: "Any") -> "set[bytes]":
    """Those of these uids that the day at `path` holds."""
    if not connect.is_there(path):
        return set()
    conn = (
        connect.open_writer(path, busy_ms=BUSY_MS, chosen=chosen, small=True) if chosen else connect.open_reader(path)
    )
    try:
        found: set[bytes] = set()
        for start in range(0, len(uids), CHUNK):
            some = uids[start : start + CHUNK]
            sql = f"select uid from hooks where uid in ({','.join('?' * len(some))})"  # noqa: S608  marks only
            found.update(row[0] for row in conn.execute(sql, some))
        return found
    except conn.DatabaseError as bad:
        raise connect.trouble("read", path, bad) from bad
    finally:
        conn.close()


def _horizon(conn: "Any", context: str) -> int:
    row = conn.execute("select before_us from horizons where context = ?", (context,)).fetchone()
    return int(row[0]) if row else -(2**63)


def _batches(uids: "Iterable[bytes]") -> "Iterator[list[bytes]]":
    some: list[bytes] = []
    for uid in uids:
        some.append(uid)
        if len(some) == BATCH:
            yield some
            some = []
    if some:
        yield some
