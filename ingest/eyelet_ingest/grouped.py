"""Events of many requests at once, stored together: one transaction for what came while the last one was at work.

An event counts as taken when its future says so: it is committed by then, or waits in the spool because its day could
not take it in time. One thread writes, for as long as something comes; the days it writes to stay open meanwhile, and
LINGER_S longer. What waits is bounded: beyond it `put` takes no more, and the caller spools.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from eyelet_ingest.errors import EyeletError, RootError
from eyelet_ingest.events import Event
from eyelet_ingest.store import layout, spool, writer
from eyelet_ingest.store.store import Store

WAITING_MAX, WAITING_MAX_CHARS = 4_096, 64 * 2**20
GROUP_EVENTS, GROUP_CHARS = 512, 16 * 2**20  # in one transaction
DAY_DEADLINE_MS = 500  # for each day of a group; after that its events wait in the spool
GATHER_EVENTS, GATHER_S = 32, 0.005  # what a group waits for where more is on its way
LINGER_S = 0.5  # how long days stay open for the next event; what the end of the process may wait for


class _Waiting(NamedTuple):
    context: str
    event: Event
    done: "Future[None]"


class Grouped:
    """The one who writes for a server. `settle` is called in its thread when nothing more comes.

    May be used by threads. What was taken is stored before the interpreter ends, whether or not somebody calls `close`.
    """

    def __init__(self, store: Store, settle: Callable[[], None] = lambda: None) -> None:
        self.store, self.settle = store, settle
        self.groups = self.stored = self.spooled = 0  # of its thread
        self._changed = threading.Condition()
        self._waiting: deque[_Waiting] = deque()  # guarded by _changed
        self._chars = 0  # guarded by _changed
        self._running = self._closed = self._gathers = False  # guarded by _changed
        # Its thread ends with its work, and the interpreter waits for that, as it does for no daemon.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="eyelet-hook")

    def put(self, context: str, event: Event, more: bool = False) -> "Future[None] | None":
        """Store the event of the context given by name, with uid and time; done when it is safe. Never blocks.

        None where too much waits already, or it was closed: `spool` then takes it. `more`: the next one comes at once,
        and may go into the same transaction.
        """
        done: Future[None] = Future()
        chars = len(event.data)
        with self._changed:
            is_full = self._waiting and self._chars + chars > WAITING_MAX_CHARS
            if self._closed or is_full or len(self._waiting) >= WAITING_MAX:
                return None
            if not self._running:
                try:
                    self._thread.submit(self._run)
                except RuntimeError:  # the interpreter is ending
                    return None
                self._running = True
            self._waiting.append(_Waiting(context, event, done))
            self._chars += chars
            waiting = len(self._waiting)
            self._gathers = more and waiting < GATHER_EVENTS
            if waiting == 1 or not self._gathers:
                self._changed.notify()
        return done

    def spool(self, context: str, event: Event, reason: str = "too many events wait to be stored") -> None:
        """Let one event wait on the disk; RootError where no disk takes it. Blocks."""
        key = writer.key_of(layout.safe_context(context), event, time.time_ns() // 1_000)
        spool.put(self.store.root, key, context, writer.row_of(event), reason)

    def close(self) -> None:
        """Store what waits, and take no more."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.shutdown(wait=True)

    def _run(self) -> None:
        try:
            with self.store.bulk():
                while group := self._next():
                    self._store_group(group)
        except BaseException:
            with self._changed:
                self._running = False
                left, self._waiting, self._chars = list(self._waiting), deque(), 0
            for one in left:
                _fail(one, "the writer of the server broke off")
            raise
        self.settle()

    def _next(self) -> list[_Waiting]:
        """What is to be stored together; [] after LINGER_S without anything, and then nobody runs any more."""
        with self._changed:
            if not self._waiting and not self._closed:
                self._changed.wait(LINGER_S)
            if self._gathers and not self._closed:
                self._changed.wait(GATHER_S)
                self._gathers = False
            group: list[_Waiting] = []
            chars = 0
            while self._waiting and len(group) < GROUP_EVENTS and chars < GROUP_CHARS:
                group.append(self._waiting.popleft())
                group[-1].done.set_running_or_notify_cancel()  # from here on nobody can cancel it
                chars += len(group[-1].event.data)
            self._chars -= chars
            self._running = bool(group)
            return group

    def _store_group(self, group: list[_Waiting]) -> None:
        self.groups += 1
        try:
            waits: dict[int, tuple[layout.PartitionKey, str]] = {}  # id() of an event → its day, and why it has to
            try:
                done = self.store.append_many([(one.context, one.event) for one in group], deadline_ms=DAY_DEADLINE_MS)
            except RootError as bad:
                now_us = time.time_ns() // 1_000
                for one in group:
                    key = writer.key_of(layout.safe_context(one.context), one.event, now_us)
                    waits[id(one.event)] = (key, str(bad))
            else:
                self.stored += done.stored
                for refused in done.refused:
                    waits.update({id(event): (refused.key, str(refused.error)) for event in refused.events})
            for one in group:
                self._acknowledge(one, waits.get(id(one.event)))
        except BaseException as bad:
            for one in group:
                _fail(one, f"{type(bad).__name__} while it was stored")
            raise

    def _acknowledge(self, one: _Waiting, waits: tuple[layout.PartitionKey, str] | None) -> None:
        if waits is not None:
            key, why = waits
            try:
                spool.put(self.store.root, key, one.context, writer.row_of(one.event), why)
            except RootError as bad:
                if not one.done.cancelled():
                    one.done.set_exception(bad)
                return
            self.spooled += 1
        if not one.done.cancelled():
            one.done.set_result(None)


def _fail(one: _Waiting, reason: str) -> None:
    if not one.done.done():
        one.done.set_exception(EyeletError("record the event", reason=reason, hint="see what the server said"))
