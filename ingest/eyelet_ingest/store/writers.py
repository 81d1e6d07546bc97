"""Writers that stay open while many appends follow one another: opening, the first commit and closing cost eighteen
times what one more row does.

At most `max_open` days are held, the one that waited longest goes first, and none waits longer than `idle_s` after
the next append; one whose lock somebody else has at that moment is closed at a later append, so that nobody waits
beyond a deadline for another's day. The day's lock is held for a transaction and never in between: other processes
write, delete and remove days as if these writers were not there. So after the lock is taken, the file on disk is
compared with the one that is open: what was removed is made anew. A writer in use is never closed, nor is one that a
fork inherited.
"""

import os
import threading
import time
from typing import TYPE_CHECKING, Any

from eyelet_ingest.errors import PartitionBusy, PartitionError
from eyelet_ingest.store import layout, writer
from eyelet_ingest.store.connect import FileLock, driver, file_of, is_there, open_writer, pause
from eyelet_ingest.store.layout import PartitionKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from eyelet_ingest.store.writer import Row

    Sift = Callable[[list[Row]], list[Row]]

MAX_OPEN = 8  # three files each
IDLE_S = 30.0
CLOSE_DEADLINE_MS = 30_000  # for the day's lock: as long as one of us may hold it


class _Writer:
    """One day's connection; `turn` is held by the thread that uses it."""

    __slots__ = ("busy_ms", "conn", "file", "idle_since_s", "key", "path", "turn", "users")

    def __init__(self, key: PartitionKey, path: str) -> None:
        self.key, self.path = key, path
        self.turn = threading.Lock()
        self.conn: Any = None  # guarded by turn
        self.file: tuple[int, int] | None = None  # guarded by turn: what `conn` was opened on
        self.busy_ms = 0  # guarded by turn: how long `conn` waits for other programs
        self.users = 0  # guarded by the lock of Writers
        self.idle_since_s = 0.0  # guarded by the lock of Writers


class Writers:
    """The open writers of one process under one root. May be shared by threads; a fork begins with none."""

    def __init__(self, root: str, max_open: int = MAX_OPEN, idle_s: float = IDLE_S) -> None:
        self.root, self.max_open, self.idle_s = root, max_open, idle_s
        self.bulks = 0  # guarded by _lock: how many want them kept open; where none does, each is closed after its use
        self.opened = self.hits = self.evictions = self.idle_closes = self.errors = 0  # guarded by _lock
        self._inherited: list[dict[PartitionKey, _Writer]] = []  # in a fork: its parent's, neither used nor closed
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._kept: dict[PartitionKey, _Writer] = {}  # guarded by _lock; the one used longest ago first

    def _leave_parents(self) -> None:
        """In a fork, at the first touch: SQLite's connections belong to the process that opened them."""
        if self._pid != os.getpid():
            self._inherited.append(self._kept)
            self._begin()

    def __enter__(self) -> "Writers":
        self._leave_parents()
        with self._lock:
            self.bulks += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._leave_parents()
        with self._lock:
            self.bulks -= 1
            is_last = not self.bulks
        if is_last:
            self.close()

    def insert(
        self,
        key: PartitionKey,
        given: str,
        rows: "list[Row]",
        deadline_ns: int,
        sift: "Sift | None" = None,
        told: "list[int] | None" = None,
    ) -> int:
        """As `writer.insert`, through the day's open writer."""
        self._leave_parents()
        one = self._take(key)
        try:
            return self._insert(one, given, rows, deadline_ns, sift, told)
        except BaseException:
            with self._lock:
                self.errors += 1
            raise
        finally:
            self._give_back(one)

    def close_idle(self) -> None:
        """Close those that nobody used for `idle_s`, but for those whose day somebody else has at the moment."""
        self._leave_parents()
        before_s = time.monotonic() - self.idle_s
        with self._lock:
            idle = [one for one in self._kept.values() if not one.users and one.idle_since_s < before_s]
            self._forget(idle)
        back = self._let_go(idle)
        with self._lock:
            self.idle_closes += len(idle) - len(back)

    def close(self) -> None:
        """Close all; those in use are closed as they come back. Closing twice is closing once."""
        self._leave_parents()
        with self._lock:
            idle = [one for one in self._kept.values() if not one.users]
            self._forget(list(self._kept.values()))
        self._close(idle, CLOSE_DEADLINE_MS)

    def _take(self, key: PartitionKey) -> _Writer:
        with self._lock:
            one = self._kept.pop(key, None) or _Writer(key, layout.db_path(self.root, key))
            self._kept[key] = one
            one.users += 1
            return one

    def _give_back(self, one: _Writer) -> None:
        with self._lock:
            one.users -= 1
            one.idle_since_s = time.monotonic()
            excess = len(self._kept) - (self.max_open if self.bulks else 0)
            surplus = [other for other in self._kept.values() if not other.users][: max(excess, 0)]
            self._forget(surplus)
            is_bulk = bool(self.bulks)
            is_last = not one.users and self._kept.get(one.key) is not one and one not in surplus
        if is_bulk:
            back = self._let_go(surplus)
            with self._lock:
                self.evictions += len(surplus) - len(back)
        else:
            self._close(surplus, CLOSE_DEADLINE_MS)
        if is_last:  # closed while it was at work
            self._close([one], CLOSE_DEADLINE_MS)
        self.close_idle()

    def _let_go(self, writers: list[_Writer]) -> list[_Writer]:
        """Close what was forgotten without waiting for anybody; those that could not be are kept, and returned."""
        busy = self._close(writers, 0)
        with self._lock:
            back = [one for one in busy if self.bulks and one.key not in self._kept]
            self._kept = {one.key: one for one in back} | self._kept
        self._close([one for one in busy if one not in back], CLOSE_DEADLINE_MS)
        return back

    def _forget(self, writers: list[_Writer]) -> None:
        """Under the lock."""
        for one in writers:
            self._kept.pop(one.key, None)

    def _insert(
        self,
        one: _Writer,
        given: str,
        rows: "list[Row]",
        deadline_ns: int,
        sift: "Sift | None" = None,
        told: "list[int] | None" = None,
    ) -> int:
        if sift and not is_there(one.path) and not sift(rows):
            return 0  # nothing that would make the day
        tries = 0
        while True:
            left_s = max(0.0, (deadline_ns - time.monotonic_ns()) / 1e9)
            if not one.turn.acquire(timeout=left_s):
                raise PartitionBusy("lock", one.path, "others kept it until the deadline", "try again")
            try:
                with FileLock(layout.lock_path(self.root, one.key), deadline_ns) as lock:
                    if told is not None:
                        told[1] += lock.waited
                    allowed = sift(rows) if sift else rows
                    return self._transact(one, given, allowed, deadline_ns) if allowed or not sift else 0
            except PartitionBusy:
                tries += 1
                if told is not None:
                    told[0] += 1
                if not pause(tries, deadline_ns):
                    raise
            finally:
                one.turn.release()

    def _transact(self, one: _Writer, given: str, rows: "list[Row]", deadline_ns: int) -> int:
        """Under the turn and the day's lock."""
        if one.conn is not None and one.file != file_of(one.path):
            one.conn.close()  # SQLite sees that its file has gone, and touches nothing beside the new one
            one.conn = None
        busy_ms = max(1, (deadline_ns - time.monotonic_ns()) // 1_000_000)
        if one.conn is None:
            one.conn = open_writer(one.path, busy_ms=busy_ms)
            one.file, one.busy_ms = file_of(one.path), busy_ms
            with self._lock:
                self.opened += 1
        else:
            with self._lock:
                self.hits += 1
        if not busy_ms // 2 <= one.busy_ms <= busy_ms:  # near enough, and never beyond the deadline
            one.conn.execute(f"pragma busy_timeout = {busy_ms}")
            one.busy_ms = busy_ms
        try:
            version = driver().sqlite_version
            stored = writer.store(one.conn, one.path, one.key, given, rows, version, one.busy_ms, deadline_ns)
            if deadline_ns - time.monotonic_ns() < (one.busy_ms - writer.SLACK_MS) * 1_000_000:
                one.busy_ms = 0  # it may have been shortened
            return stored
        except BaseException:
            one.conn.close()  # whatever state it is in
            one.conn = None
            raise

    def _close(self, writers: list[_Writer], wait_ms: int) -> list[_Writer]:
        """Of those that nobody can take any more: under the day's lock, where no other process writes.

        Without `wait_ms`, those whose lock another has are not closed, and returned.
        """
        return [one for one in writers if not self._is_closed(one, wait_ms)]

    def _is_closed(self, one: _Writer, wait_ms: int) -> bool:
        with one.turn:
            if one.conn is None:
                return True
            try:
                if one.file == file_of(one.path):
                    deadline_ns = time.monotonic_ns() + wait_ms * 1_000_000
                    with FileLock(layout.lock_path(self.root, one.key), deadline_ns, make=False):
                        one.conn.close()
            except PartitionBusy:
                if not wait_ms:
                    return False  # else it is held for longer than any of us does
            except PartitionError:
                pass  # the day's folder has gone
            one.conn.close()
            one.conn = None
            return True
