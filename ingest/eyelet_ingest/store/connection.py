"""A day's connection for other programs that keep tables of their own in it (docs/extensions.md has the rules).

It reads at any time, and writes inside `writing()`, alone with the day like every writer of ours. What the rules forbid
SQLite refuses: to write to our tables or change them, to set a pragma, to attach. The block is the transaction: to
begin or to end one in it does nothing. The connection is let go of when the day is removed; `closed` says so.
"""

import os
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from eyelet_ingest.errors import BadInput, PartitionBusy, PartitionUnreadable
from eyelet_ingest.store import connect, layout, manifest, schema, sealing
from eyelet_ingest.store.connect import FileLock
from eyelet_ingest.store.layout import PartitionKey

WRITE_DEADLINE_MS = 5_000  # for the day's lock: hooks wait for it no longer than 0.8 s before they spool
# Pragmas that only tell something although they take an argument.
_TELLING = frozenset(
    (
        *("table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo", "foreign_key_list"),
        *("foreign_key_check", "integrity_check", "quick_check"),
        "recursive_triggers",  # sqlite-utils sets it for every connection it is given
    )
)


class DayConnection:
    """One day's database for tables of others, which may refer to `hooks`. May be shared by threads, not by processes.

    `conn` is the driver's connection: for `sqlite_utils.Database(conn)`, and for reading. It is ours: not to be closed,
    its pragmas not to be changed. `close` gives it back; so does the end of a `with` block.
    """

    def __init__(self, root: str, key: PartitionKey) -> None:
        self.root, self.key = root, key
        self.path = layout.db_path(root, key)
        if not connect.is_there(self.path):
            hint = "a day is made by recording into it"
            raise PartitionUnreadable("connect to", self.path, "there is no such day", hint)
        self._turn = threading.RLock()  # of who writes, and who closes
        self._writing = False  # guarded by _turn
        self._doomed = False  # to be closed when who writes is done
        self._pid = os.getpid()
        self._file = connect.file_of(self.path)
        self.conn: Any = connect.open_writer(self.path)
        self._is_open = True
        self.conn.execute("pragma query_only = on")
        self._guard(True)

    def __enter__(self) -> "DayConnection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def closed(self) -> bool:
        """Whether it is of no use any more: given back, let go of because its day was removed, or a fork's parent's."""
        return not self._is_open or self._pid != os.getpid() or connect.file_of(self.path) != self._file

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> Any:
        """Read, or inside `writing()` write; a cursor. PartitionUnreadable where it is closed."""
        self._expect_open()
        return self.conn.execute(sql, parameters)

    @contextmanager
    def writing(self, deadline_ms: int = WRITE_DEADLINE_MS) -> Generator[Any, None, None]:
        """One transaction alone with the day; gives `conn`. It is committed at the end of the block, or taken back
        where that raises. Keep it short: hooks that come meanwhile have to spool.

        PartitionBusy where others keep the day until the deadline, PartitionUnreadable where it has gone.
        """
        deadline_ns = time.monotonic_ns() + deadline_ms * 1_000_000
        if not self._turn.acquire(timeout=deadline_ms / 1000):
            raise PartitionBusy("write to", self.path, "another thread writes", "try again")
        try:
            self._expect_open()
            if self._writing:
                raise BadInput("write to", self.path, "this thread is writing already", "one block at a time")
            with FileLock(layout.lock_path(self.root, self.key), deadline_ns, make=False):
                self._expect_open()  # it may have been removed while we waited
                with self._transaction(deadline_ns):
                    yield self.conn
        finally:
            doomed = self._doomed and not self._writing
            self._turn.release()
            if doomed:
                self.close()

    def close(self) -> None:
        """Give it back; where another thread writes, when that is done. Closing twice is closing once."""
        if self._pid != os.getpid():
            return
        self._doomed = True
        if not self._turn.acquire(blocking=False):
            return
        try:
            if self._writing or not self._is_open:
                return
            self._is_open = False
            deadline_ns = time.monotonic_ns() + WRITE_DEADLINE_MS * 1_000_000
            try:
                # Under the lock, as the last to close checkpoints; a day that has gone has none.
                with FileLock(layout.lock_path(self.root, self.key), deadline_ns, make=False):
                    self.conn.close()
            except (PartitionBusy, PartitionUnreadable):
                self.conn.close()
        finally:
            self._turn.release()

    @contextmanager
    def _transaction(self, deadline_ns: int) -> Generator[None, None, None]:
        """Under the turn and the day's lock."""
        if not self.root.startswith(layout.MEMORY):
            manifest.reopen(self.root, self.key, sealing.OTHERS_WROTE)
        self._writing = True
        self._guard(False)
        try:
            self.conn.execute(f"pragma busy_timeout = {max(1, (deadline_ns - time.monotonic_ns()) // 1_000_000)}")
            self.conn.execute("pragma query_only = off")
            with connect.transaction(self.conn):
                self._guard(True)
                yield
                self._guard(False)
            connect.bound_wal(self.conn, self.path, connect.driver().sqlite_version)
        except self.conn.OperationalError as bad:
            if connect.is_passing(str(bad)):
                raise PartitionBusy("write to", self.path, str(bad), "another program writes there: try again") from bad
            raise
        finally:
            self._guard(False)
            if self.conn.in_transaction:
                self.conn.execute("rollback")
            self.conn.execute("pragma query_only = on")
            self._guard(True)
            self._writing = False

    def _guard(self, on: bool) -> None:
        """Let SQLite refuse what the rules forbid; off while we ourselves begin and end."""
        rules = _Rules(connect.driver(), schema.names())
        self.conn.set_authorizer(rules.ask if on else rules.allow)  # None is understood from Python 3.11 on

    def _expect_open(self) -> None:
        if self.closed:
            raise PartitionUnreadable(
                "use", self.path, "its connection is closed", "its day went, or it was given back"
            )


class _Rules:
    """What SQLite asks before it prepares a statement: the action, what it is about, and the trigger it stands in."""

    def __init__(self, driver: Any, ours: frozenset[str]) -> None:
        self.ours = ours
        self.yes, self.no = driver.SQLITE_OK, driver.SQLITE_DENY
        self.rows = {driver.SQLITE_INSERT, driver.SQLITE_UPDATE, driver.SQLITE_DELETE}
        self.drops = {driver.SQLITE_DROP_TABLE, driver.SQLITE_DROP_INDEX, driver.SQLITE_DROP_TRIGGER}
        self.never = {driver.SQLITE_ATTACH, driver.SQLITE_DETACH}
        self.nothing, self.ends = driver.SQLITE_IGNORE, driver.SQLITE_TRANSACTION
        self.pragma, self.alter = driver.SQLITE_PRAGMA, driver.SQLITE_ALTER_TABLE

    def allow(self, *_: object) -> int:
        return int(self.yes)

    def ask(self, action: int, first: str | None, second: str | None, database: str | None, trigger: str | None) -> int:
        if action == self.ends:
            return int(self.nothing)  # sqlite-utils commits after each of its steps
        if action in self.never:
            return int(self.no)
        if action in self.rows | self.drops and (first or "").lower() in self.ours:
            return int(self.no)
        if action == self.alter and (second or "").lower() in self.ours:
            return int(self.no)
        if action == self.pragma and second is not None and (first or "").lower() not in _TELLING:
            return int(self.no)
        return int(self.yes)
