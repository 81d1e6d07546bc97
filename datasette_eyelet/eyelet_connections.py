"""The connections of one database over days: never more than Datasette has threads, and none that waits long.

Each is a database in memory of its own, so that no reader waits for another's refreshing. A connection holds days
open: those that wait are closed after IDLE_S, and at once when a day is about to go. Each may take an eighth of the
files that the process may open, so only MOST_WAITING wait at once, whatever the number of databases.
"""

import threading
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import Any

from eyelet_ingest.store.across import Across, Covers
from eyelet_ingest.store.answers import Unreadable
from eyelet_ingest.store.handles import free_cursors

IDLE_S = 60.0
MOST_WAITING = 3

_turns_lock = threading.Lock()  # taken before the lock of one database's connections, never after it
_turns: "list[Connections]" = []  # guarded by _turns_lock: those with waiting connections, used last at the end


class Connections:
    """Of the days that `make()` opens. May be shared by threads."""

    def __init__(self, make: Callable[[], Across]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._idle: list[Across] = []  # guarded by _lock
        self._age = 0  # guarded by _lock: how often all were to be closed
        self._timer: threading.Timer | None = None  # guarded by _lock
        self._used = False  # guarded by _lock: since the timer was started
        self._covers: Covers | None = None  # guarded by _lock: what was seen last
        self._troubles: dict[str, tuple[float, Unreadable]] = {}  # guarded by _lock: by name, and when it was met

    @contextmanager
    def reader(self) -> Generator[Any, None, None]:
        """A connection for this block alone, as of now."""
        with self._lock:
            across = self._idle.pop() if self._idle else None
            age = self._age
        across = across or self._make()
        is_whole = False
        try:
            conn = across.refresh()
            is_whole = True
            yield conn
        except BaseException as error:  # raised on: its frames hold cursors, which must not be lent along
            free_cursors(error)
            raise
        finally:
            self._give_back(across, age, is_whole)

    def _give_back(self, across: Across, age: int, is_whole: bool) -> None:
        """Keep it for the next question, unless it could not be made ready, or all were to be closed meanwhile."""
        met = across.unreadable() if is_whole else ()
        is_kept = False
        with self._lock:
            self._covers = across.covers
            self._note(met)
            if is_whole and age == self._age and not across.conn.in_transaction:
                self._idle.append(across)
                self._used = True
                if self._timer is None:
                    self._watch()
                is_kept = True
        if is_kept:
            _keep_few(self)
        else:
            across.close()

    def covers(self) -> Covers | None:
        """What the connection that was used last shows; None where none was."""
        with self._lock:
            return self._covers

    def troubles(self) -> list[Unreadable]:
        """What could not be read when a question of the last minute came to it."""
        with self._lock:
            self._note(())
            return [one for _, one in self._troubles.values()]

    @property
    def waiting(self) -> int:
        """How many wait for the next question."""
        with self._lock:
            return len(self._idle)

    def close_oldest(self) -> None:
        """Close the one that waits longest."""
        with self._lock:
            oldest = self._idle.pop(0) if self._idle else None
        if oldest is not None:
            oldest.close()

    def close(self) -> None:
        """Close those that wait; those at work are closed as they come back."""
        with self._lock:
            self._age += 1
            self._close_idle()

    def _note(self, met: Iterable[Unreadable]) -> None:
        """Under the lock: each connection knows only what itself came to."""
        now_s = time.monotonic()
        self._troubles.update((one.name, (now_s, one)) for one in met)
        for name in [name for name, (met_s, _) in self._troubles.items() if met_s < now_s - IDLE_S]:
            del self._troubles[name]

    def _close_idle(self) -> None:
        """Under the lock."""
        while self._idle:
            self._idle.pop().close()

    def _watch(self) -> None:
        """Under the lock: in IDLE_S look whether they waited all the while."""
        self._timer = threading.Timer(IDLE_S, self._look)
        self._timer.daemon = True
        self._timer.start()

    def _look(self) -> None:
        with self._lock:
            self._timer = None
            if not self._used:
                self._close_idle()
            self._used = False
            if self._idle:
                self._watch()


def _keep_few(used: Connections) -> None:
    """Close what waits beyond MOST_WAITING, first of the database that was used longest ago."""
    with _turns_lock:
        _turns[:] = [*(one for one in _turns if one is not used and one.waiting), used]
        excess = sum(one.waiting for one in _turns) - MOST_WAITING
        for one in _turns:
            for _ in range(min(one.waiting, max(excess, 0))):
                one.close_oldest()
                excess -= 1
