"""Code of others, run so that it costs no event: in a thread of its own, for a time, whatever it raises.

A thread cannot be ended from outside. One that takes too long is left behind, and who was at work there is not called
again. Code that keeps the interpreter for itself (a regular expression that never ends) cannot be left behind.
"""

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from eyelet_ingest.plugged import Raised, TookTooLong, called

T = TypeVar("T")


class Guard:
    """Runs one piece of work at a time, for any thread."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._worker: _Worker | None = None  # guarded by _turn

    def run(self, work: Callable[[], T], seconds: float) -> T:
        """What the work returns; what it raises; TookTooLong."""
        with self._turn:
            if self._worker is None:
                self._worker = _Worker()
            worker = self._worker
            worker.asked.put(work)
            try:
                found, bad = worker.answered.get(timeout=seconds)
            except Empty:
                worker.asked.put(None)
                self._worker = None
                raise TookTooLong(f"it took longer than {seconds:g} s") from None
        if bad is not None:
            raise bad
        result: T = found
        return result

    def close(self) -> None:
        with self._turn:
            if self._worker is not None:
                self._worker.asked.put(None)
                self._worker = None


class _Worker:
    def __init__(self) -> None:
        self.asked: SimpleQueue[Callable[[], Any] | None] = SimpleQueue()
        self.answered: SimpleQueue[tuple[Any, Raised | None]] = SimpleQueue()
        threading.Thread(target=self._work, name="eyelet-plugins", daemon=True).start()

    def _work(self) -> None:
        while (work := self.asked.get()) is not None:
            try:
                answer: tuple[Any, Raised | None] = (called(work), None)
            except Raised as bad:
                answer = (None, bad)
            self.answered.put(answer)
