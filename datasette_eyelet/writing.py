"""Days that stay open for writing while one insert follows another: opening and closing a day is most of what an insert
of one event costs.

They are closed a moment after the last insert, under the day's lock, and when the server ends; one that is killed
leaves what is committed in the WAL, where whoever opens the day next finds it. Nothing is locked between two inserts:
others write, delete and remove days meanwhile, and an insert into a day that was removed makes it anew.
"""

import atexit
import threading
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager

from eyelet_ingest.store.store import Store

IDLE_S = 5.0  # after the last insert


class Writing:
    """The bulk that the inserts of one server share. `_lock` guards everything below it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bulk: ExitStack | None = None
        self._inserts = 0  # going on now
        self._last_s = 0.0
        self._timer: threading.Timer | None = None

    @contextmanager
    def to(self, store: Store) -> Generator[Store, None, None]:
        """The store, its days kept open; for one insert, from any thread. Always the same store."""
        with self._lock:
            self._inserts += 1
            if self._bulk is None:
                self._bulk = ExitStack()
                self._bulk.enter_context(store.bulk())
                atexit.register(self.close)
        try:
            yield store
        finally:
            with self._lock:
                self._inserts -= 1
                self._last_s = time.monotonic()
                if self._bulk is not None and self._timer is None:
                    self._wait(IDLE_S)

    def close(self) -> None:
        """Close the days; those that an insert is at work on, when it has done. A later insert opens them anew."""
        with self._lock:
            bulk, self._bulk = self._bulk, None
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        if bulk is not None:
            atexit.unregister(self.close)
            bulk.close()  # may wait for a day's lock

    def _wait(self, wait_s: float) -> None:
        """Under the lock."""
        self._timer = threading.Timer(wait_s, self._close_if_idle)
        self._timer.daemon = True
        self._timer.start()

    def _close_if_idle(self) -> None:
        with self._lock:
            left_s = IDLE_S if self._inserts else self._last_s + IDLE_S - time.monotonic()
            if self._bulk is None:
                return
            if left_s > 0:
                self._wait(left_s)
                return
        self.close()
