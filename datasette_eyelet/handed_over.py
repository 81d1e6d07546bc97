"""Work of many requests in a thread, whose ends are told to the event loop together.

Threads of one interpreter run in turn, and each hand-over makes two of them wait: with `asyncio.to_thread`, which
wakes the loop for each by itself, that was half of what a hook over HTTP cost when 64 came at once. So one thread does
the work as long as it gets on; only where it is stuck (a folder on a disk that does not answer) another joins it.
What one piece of work finds out may serve those that wait behind it.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

Tell = Callable[[BaseException | None], None]
Work = Callable[[Tell], None]
THREADS_MAX = 8
STUCK_S = 0.05  # nothing was begun for so long though something waits; a piece of work takes 0.0002


class HandedOver:
    """Threads for one event loop. `done` is for the loop's own thread, `tell` for any."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.shared: dict[Any, Any] = {}  # what work may share that waited already when the first of it was begun
        self._put = 0  # how much work there was so far; of the loop's thread
        self._shares = 0  # the last of it that may use `shared`
        self.threads = 0  # of the loop's thread, like _begun_before and _is_watched
        self._jobs: SimpleQueue[tuple[int, Work, Tell] | None] = SimpleQueue()
        self._begun = 0  # how often work was begun; two threads may count it as one
        self._begun_before = 0
        self._is_watched = False
        self._told: deque[tuple[asyncio.Future[None], BaseException | None]] = deque()
        self._is_called = False

    async def done(self, work: Work) -> None:
        """Wait until `work(tell)`, in a thread, or whoever it passed `tell` on to, has called it; raises what was told
        or what the work raised. The work goes on where nobody waits any more."""
        waiter: asyncio.Future[None] = self.loop.create_future()

        def tell(bad: BaseException | None) -> None:
            self._told.append((waiter, bad))
            if not self._is_called:  # else the loop has not begun to look, and will find this, too
                self._is_called = True
                with suppress(RuntimeError):  # the loop has ended
                    self.loop.call_soon_threadsafe(self._deliver)

        self._put += 1
        self._jobs.put((self._put, work, tell))
        if not self.threads:
            self._join()
        if not self._is_watched:
            self._watch()
        await waiter

    def has_more(self) -> bool:
        """Whether more waits already."""
        return bool(self._jobs.qsize())

    def close(self) -> None:
        """What was handed over is still done, and then no more."""
        for _ in range(self.threads):
            self._jobs.put(None)

    def _join(self) -> None:
        self.threads += 1
        # A daemon: whoever waits at the end of the process has had no answer, so nothing was promised.
        threading.Thread(target=self._work, name="eyelet-post", daemon=True).start()

    def _watch(self) -> None:
        """See to it that what waits is begun, for as long as something waits."""
        if self._is_watched and self._jobs.qsize() and self._begun == self._begun_before and self.threads < THREADS_MAX:
            self._join()
        self._begun_before = self._begun
        self._is_watched = bool(self._jobs.qsize())
        if self._is_watched:
            self.loop.call_later(STUCK_S, self._watch)

    def _work(self) -> None:
        while (job := self._next()) is not None:
            self._begun += 1
            _, work, tell = job
            try:
                work(tell)
            except BaseException as bad:  # whoever waits for it hears it, else he would wait for ever
                tell(bad)
                if not isinstance(bad, Exception):
                    raise
            del job, work, tell

    def _next(self) -> tuple[int, Work, Tell] | None:
        job = self._jobs.get()
        # Not when nothing waits: who is answered may come again before this thread has looked, and would be told what
        # held for him before.
        if job is not None and job[0] > self._shares:
            waiting = self._put
            self.shared = {}
            self._shares = waiting
        return job

    def _deliver(self) -> None:
        self._is_called = False
        while self._told:
            waiter, bad = self._told.popleft()
            if waiter.done():  # the agent went away
                continue
            if bad is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(bad)
