"""Read-only connections that stay open between two questions: few, checked, and closed again.

A connection is lent to one borrower at a time. Given back, it waits for the next who asks for the same file; at most
`max_open` wait or work, the one that waited longest is closed first, and none waits longer than `idle_s`. A connection
is never closed under its borrower: one that should go is closed as it comes back. Before it is lent again the file on
disk is compared with the one it was opened on, so that a removed day is not served and a replaced one not read from
the old file.
"""

import os
import threading
import time
import traceback
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from typing import Any

from eyelet_ingest.errors import PartitionUnreadable
from eyelet_ingest.store.connect import open_reader

MAX_OPEN = 24
IDLE_S = 60.0

Prepare = Callable[[Any], None]


class _Handle:
    """One connection, and the file it was opened on."""

    __slots__ = ("conn", "file", "idle_since_s", "path")

    def __init__(self, path: str, conn: Any, file: tuple[int, int]) -> None:
        self.path, self.conn, self.file = path, conn, file
        self.idle_since_s = 0.0


class Handles:
    """The read-only connections of one process. May be shared by threads; a fork begins with none."""

    def __init__(self, max_open: int = MAX_OPEN, idle_s: float = IDLE_S) -> None:
        self.max_open, self.idle_s = max_open, idle_s
        self._returned = threading.Condition()
        self._pid = os.getpid()
        self._inherited: list[Collection[_Handle]] = []  # in a fork: its parent's, not to be used, nor closed
        self._idle: list[_Handle] = []  # guarded by _returned; the one that waited longest first
        self._lent: set[_Handle] = set()  # guarded by _returned
        self._doomed: set[_Handle] = set()  # guarded by _returned: lent, to be closed when they come back

    @contextmanager
    def reader(self, path: str, prepare: Prepare | None = None) -> Generator[Any, None, None]:
        """A connection to the database at `path`, for this block alone. `prepare` is called with a new one.

        PartitionUnreadable where the file is gone or cannot be opened. Ask with the same `prepare` for the same path.
        """
        handle = self._take(path) or self._open(path, prepare)
        try:
            yield handle.conn
        except BaseException as error:
            _free_cursors(error)
            raise
        finally:
            self._give_back(handle)

    def drop(self, path: str, wait_s: float = 0.0) -> bool:
        """Close what is open on `path`; True when nothing is any more. Borrowers are waited for as long as said, and
        theirs are closed as they come back."""
        until_s = time.monotonic() + wait_s
        with self._returned:
            self._close([handle for handle in self._idle if handle.path == path])
            while lent := [handle for handle in self._lent if handle.path == path]:
                self._doomed.update(lent)
                left_s = until_s - time.monotonic()
                if left_s <= 0:
                    return False
                self._returned.wait(left_s)
            return True

    def close(self) -> None:
        """Close all that wait; those at work are closed as they come back. Closing twice is closing once."""
        with self._returned:
            self._close(list(self._idle))
            self._doomed.update(self._lent)

    @property
    def opened(self) -> int:
        """How many connections are open now."""
        with self._returned:
            return len(self._idle) + len(self._lent)

    def _take(self, path: str) -> _Handle | None:
        """The one that was given back last, of those that are still on the file that is there."""
        there = _identity(path)
        with self._returned:
            if self._pid != os.getpid():
                self._pid = os.getpid()
                self._inherited += (self._idle, self._lent)
                self._idle, self._lent, self._doomed = [], set(), set()
            self._close([handle for handle in self._idle if handle.path == path and handle.file != there])
            for handle in reversed(self._idle):
                if handle.path == path:
                    self._idle.remove(handle)
                    self._lent.add(handle)
                    return handle
            if len(self._idle) + len(self._lent) >= self.max_open:
                self._close(self._idle[:1])
        return None

    def _open(self, path: str, prepare: Prepare | None) -> _Handle:
        there = _identity(path)
        if there is None:
            raise PartitionUnreadable("open", path, "it is not there", "it was removed, or never made")
        conn = open_reader(path)
        try:
            if prepare is not None:
                prepare(conn)
        except BaseException:
            conn.close()
            raise
        handle = _Handle(path, conn, there)
        with self._returned:
            self._lent.add(handle)
            if _identity(path) != there:
                self._doomed.add(handle)  # replaced while it was opened: good for this once
        return handle

    def _give_back(self, handle: _Handle) -> None:
        with self._returned:
            now_s = time.monotonic()
            self._lent.discard(handle)
            if handle in self._doomed or handle.conn.in_transaction:
                self._doomed.discard(handle)
                handle.conn.close()
            else:
                handle.idle_since_s = now_s
                self._idle.append(handle)
            stale = [one for one in self._idle if now_s - one.idle_since_s > self.idle_s]
            self._close(stale)
            excess = len(self._idle) + len(self._lent) - self.max_open
            self._close(self._idle[: max(excess, 0)])
            self._returned.notify_all()

    def _close(self, handles: list[_Handle]) -> None:
        """Under the lock, of those that wait."""
        for handle in handles:
            self._idle.remove(handle)
            handle.conn.close()


def _free_cursors(error: BaseException) -> None:
    """Empty the frames that an error came through: they may hold cursors of the connection.

    A cursor that is freed later, wherever the error is dropped, resets its statement at the very moment at which
    another thread may close the connection: pysqlite3 0.6 then writes into freed memory (seen as crashes of a server).
    """
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            traceback.clear_frames(one.__traceback__)
            waiting += [one.__context__, one.__cause__]


def _identity(path: str) -> tuple[int, int] | None:
    """Which file is at `path`: device and inode. A file written over in place SQLite itself notices."""
    try:
        there = os.stat(path)
    except OSError:
        return None
    return there.st_dev, there.st_ino
