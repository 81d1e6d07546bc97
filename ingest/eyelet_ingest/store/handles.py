"""Read-only connections that stay open between two questions: few, checked, and closed again.

A connection is lent to one borrower at a time. Given back, it waits for the next who asks for the same file; at most
`max_open` wait or work, the one that waited longest is closed first, and none waits longer than `idle_s`, whether or
not anybody asks again. A connection is never closed under its borrower: one that should go is closed as it comes back.
Before it is lent again the file on disk is compared with the one it was opened on, so that a removed day is not
served and a replaced one not read from the old file. One on which SQLite met damage or an I/O error is not lent again.
"""

import os
import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from typing import Any

from eyelet_ingest.errors import PartitionUnreadable
from eyelet_ingest.store.connect import file_of, is_there, open_reader
from eyelet_ingest.store.layout import MEMORY

MAX_OPEN = 24
WARM = 64  # of those that wait, the last ones keep what they have read; the others little more than their schema
BUSY_MS = 2_000  # how long a reader waits for who keeps the file locked, unless it has to answer sooner
IDLE_S = 60.0
_BROKEN = ("I/O", "unable to open", "protocol")  # of an OperationalError; damage is a plain DatabaseError


class NotThere(PartitionUnreadable):
    """The file was not there when it was looked for; it may be by now."""


Prepare = Callable[[Any], Any]
# A file by device, inode, length and time of change, or a database in memory by its number; None where there is none.
State = tuple[int, ...] | None


class Handle:
    """One connection, the file it was opened on, and what was found out when it was prepared (the borrower's)."""

    __slots__ = ("busy_ms", "conn", "file", "idle_since_s", "passing", "path", "prepared")

    def __init__(self, path: str, conn: Any, file: State) -> None:
        self.path, self.conn, self.file = path, conn, file
        self.busy_ms = BUSY_MS
        self.prepared: Any = None
        self.passing = False  # rather close this one than another to make room
        self.idle_since_s = 0.0

    def wait_for(self, busy_ms: int) -> None:
        """Wait for a lock so long, and no longer."""
        if busy_ms != self.busy_ms:
            self.conn.execute(f"pragma busy_timeout = {busy_ms}")
            self.busy_ms = busy_ms


class Handles:
    """The read-only connections of one process. May be shared by threads; a fork begins with none."""

    def __init__(self, max_open: int = MAX_OPEN, idle_s: float = IDLE_S) -> None:
        self.max_open, self.idle_s = max_open, idle_s
        self._inherited: list[Collection[Handle]] = []  # in a fork: its parent's, not to be used, nor closed
        self._begin()

    def _begin(self) -> None:
        """With none. In a fork the parent's lock may be held for ever, so it gets its own."""
        self._lock = threading.Lock()  # taken itself, as a Condition's own way to it is Python and four times as slow
        self._returned = threading.Condition(self._lock)
        self._waited_for = 0  # guarded by _lock: how many wait for _returned
        self._idle: OrderedDict[Handle, None] = OrderedDict()  # guarded by _lock; who waited longest first
        self._warm: OrderedDict[Handle, None] = OrderedDict()  # guarded by _lock: of _idle, in the same order
        self._of_path: dict[str, list[Handle]] = {}  # guarded by _lock: those of _idle
        self._lent: set[Handle] = set()  # guarded by _lock
        self._doomed: set[Handle] = set()  # guarded by _lock: lent, to be closed when they come back
        self._sweeping = False  # guarded by _lock: a thread closes those that wait too long
        self._closed = threading.Event()  # wakes that thread; a Condition would be told of every loan
        self._counts = dict.fromkeys(("opened", "hits", "misses", "evictions", "idle_closes", "replaced"), 0)
        self._pid = os.getpid()

    @contextmanager
    def reader(self, path: str, prepare: Prepare | None = None) -> Generator[Any, None, None]:
        """A connection to the database at `path`, for this block alone. `prepare` is called with a new one.

        PartitionUnreadable where the file is gone or cannot be opened. Ask with the same `prepare` for the same path.
        """
        handle = self.borrow(path, prepare)
        try:
            yield handle.conn
        except BaseException as error:
            self.give_back(handle, error)
            raise
        self.give_back(handle)

    def borrow(
        self, path: str, prepare: Prepare | None = None, *, passing: bool = False, busy_ms: int = BUSY_MS
    ) -> Handle:
        """As `reader`, for who gives it back without fail. `passing`: one of more than may be open, met in turn; where
        there is no room it goes again itself, so that walking over all of them costs the others nothing. Locks are
        waited for `busy_ms` at most, BUSY_MS where that is less."""
        busy_ms = min(busy_ms, BUSY_MS)
        handle = self._take(path) or self._open(path, prepare, busy_ms)
        handle.passing = passing
        handle.wait_for(busy_ms)
        return handle

    def give_back(self, handle: Handle, error: BaseException | None = None) -> None:
        """What was borrowed, with the error it led to, where it did."""
        broken = False
        if error is not None:
            broken = _is_broken(error, handle.conn)
            free_cursors(error)
        if self._pid != os.getpid():
            return  # a fork while it was lent: it is the parent's
        with self._lock:
            now_s = time.monotonic()
            self._lent.discard(handle)
            if broken or handle in self._doomed or handle.conn.in_transaction:
                self._counts["replaced"] += broken
                self._doomed.discard(handle)
                handle.conn.close()
            else:
                handle.idle_since_s = now_s
                self._idle[handle] = self._warm[handle] = None
                self._of_path.setdefault(handle.path, []).append(handle)
            self._close_stale(now_s)
            while self._idle and len(self._idle) + len(self._lent) > self.max_open:
                self._evict(handle if handle.passing and handle in self._idle else next(iter(self._idle)))
            self._cool()
            if self._idle and not self._sweeping:
                self._sweeping = True
                self._closed.clear()
                try:
                    threading.Thread(target=self._sweep, name="eyelet-handles", daemon=True).start()
                except RuntimeError:  # no thread may be started now, as at the end of the process
                    self._sweeping = False
            if self._waited_for:
                self._returned.notify_all()

    def drop(self, path: str, wait_s: float = 0.0) -> bool:
        """Close what is open on `path`; True when nothing is any more. Borrowers are waited for as long as said, and
        theirs are closed as they come back."""
        if self._pid != os.getpid():
            return True
        until_s = time.monotonic() + wait_s
        with self._lock:
            self._close(list(self._of_path.get(path, ())))
            while lent := [handle for handle in self._lent if handle.path == path]:
                self._doomed.update(lent)
                left_s = until_s - time.monotonic()
                if left_s <= 0:
                    return False
                self._waited_for += 1
                self._returned.wait(left_s)
                self._waited_for -= 1
            return True

    def close(self) -> None:
        """Close all that wait; those at work are closed as they come back. Closing twice is closing once."""
        if self._pid != os.getpid():
            return
        with self._lock:
            self._close(list(self._idle))
            self._doomed.update(self._lent)
            self._closed.set()

    @property
    def opened(self) -> int:
        """How many connections are open now."""
        self._notice_fork()
        with self._lock:
            return len(self._idle) + len(self._lent)

    def counts(self) -> dict[str, int]:
        """The fields of Counters that are about connections."""
        self._notice_fork()
        with self._lock:
            return {"open_now": len(self._idle) + len(self._lent), **self._counts}

    def _notice_fork(self) -> None:
        if self._pid != os.getpid():
            self._inherited += (list(self._idle), self._lent)
            self._begin()

    def _take(self, path: str) -> Handle | None:
        """The one that was given back last, of those that are still on the file that is there."""
        there = _state_of(path)
        self._notice_fork()
        with self._lock:
            waiting = self._of_path.get(path)
            while waiting:
                handle = waiting[-1]
                if handle.file == there:
                    self._forget(handle)
                    self._lent.add(handle)
                    self._counts["hits"] += 1
                    return handle
                self._counts["replaced"] += 1
                self._close([handle])
            self._counts["misses"] += 1
        return None

    def _open(self, path: str, prepare: Prepare | None, busy_ms: int) -> Handle:
        there = _state_of(path)
        if there is None and not is_there(path):
            raise NotThere("open", path, "it is not there", "it was removed, or never made")
        handle = Handle(path, open_reader(path, busy_ms=busy_ms), there)
        handle.busy_ms = busy_ms
        try:
            if prepare is not None:
                handle.prepared = prepare(handle.conn)
        except BaseException as error:
            free_cursors(error)
            handle.conn.close()
            raise
        with self._lock:
            self._counts["opened"] += 1
            self._lent.add(handle)
            if _state_of(path) != there:
                self._doomed.add(handle)  # replaced while it was opened: good for this once
        return handle

    def _evict(self, handle: Handle) -> None:
        self._counts["evictions"] += 1
        self._close([handle])

    def _close(self, handles: list[Handle]) -> None:
        """Under the lock, of those that wait."""
        for handle in handles:
            self._forget(handle)
            handle.conn.close()

    def _forget(self, handle: Handle) -> None:
        """Under the lock: it waits no longer."""
        del self._idle[handle]
        self._warm.pop(handle, None)
        of_path = self._of_path[handle.path]
        of_path.remove(handle)
        if not of_path:
            del self._of_path[handle.path]

    def _cool(self) -> None:
        """Under the lock: no more keep what they have read than may. 8 µs each, and some 15 where it is read again."""
        while len(self._warm) > WARM:
            handle, _ = self._warm.popitem(last=False)
            try:
                handle.conn.execute("pragma shrink_memory")
            except handle.conn.Error:  # whatever it is: who asks it next is told
                self._close([handle])

    def _close_stale(self, now_s: float) -> None:
        """Under the lock: those that waited too long, which are the first."""
        while self._idle and now_s - (oldest := next(iter(self._idle))).idle_since_s > self.idle_s:
            self._counts["idle_closes"] += 1
            self._close([oldest])

    def _sweep(self) -> None:
        """In a thread of its own while any wait: files are not kept open for ever where nobody asks again."""
        while True:
            with self._lock:
                self._close_stale(time.monotonic())
                if not self._idle:
                    self._sweeping = False
                    return
                left_s = self.idle_s - (time.monotonic() - next(iter(self._idle)).idle_since_s)
            if self._closed.wait(max(left_s, 0.0) + 0.01):
                self._closed.clear()


def _state_of(path: str) -> State:
    """What a connection was opened on. A file that was written over in place SQLite does not notice where there is a
    WAL: it went on answering from the pages it had in its cache, of a day that was restored by a plain copy."""
    if path.startswith(MEMORY):
        return file_of(path)
    try:
        there = os.stat(path)
    except OSError:
        return None
    return there.st_dev, there.st_ino, there.st_size, there.st_mtime_ns


def free_cursors(error: BaseException) -> None:
    """Empty the frames that an error came through: they may hold cursors of the connection.

    A cursor that is freed later, wherever the error is dropped, resets its statement at the very moment at which
    another thread may close the connection: pysqlite3 0.6 then writes into freed memory (seen as crashes of a server).
    """
    for one in _chain(error):
        traceback.clear_frames(one.__traceback__)


def _is_broken(error: BaseException, conn: Any) -> bool:
    """Whether SQLite said that the file is no good (damaged, I/O, not to be opened), not busy or asked wrongly."""
    return any(
        type(one) in (conn.DatabaseError, UnicodeDecodeError)
        or (isinstance(one, conn.OperationalError) and any(sign in str(one) for sign in _BROKEN))
        for one in _chain(error)
    )


def _chain(error: BaseException) -> list[BaseException]:
    """The error, and those it was raised from or while handling."""
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and one not in seen:
            seen.append(one)
            waiting += [one.__context__, one.__cause__]
    return seen
