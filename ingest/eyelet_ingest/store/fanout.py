"""Asking partitions one after the other: connections lent, what goes wrong noted, time kept, scans spread over threads.

A question begins in its own thread. Only when one partition took as long as a scan does, the next ones are asked by a
few threads, a little ahead of the answer: SQLite leaves the interpreter alone while it scans, but a short look by an
index costs twice as much from another thread.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

from eyelet_ingest.errors import PartitionUnreadable
from eyelet_ingest.store import choice, roles, schema
from eyelet_ingest.store.answers import Partitions, Unreadable
from eyelet_ingest.store.catalog import Part
from eyelet_ingest.store.connect import MALFORMED, is_passing, is_there, remedy, replacing
from eyelet_ingest.store.handles import BUSY_MS, NotThere
from eyelet_ingest.store.roots import Roots

Found = TypeVar("Found")

SCAN_MS = 3.0  # of the processor: a partition that took longer was scanned (by the clock, a busy machine looks like it)
THREADS_MAX = 4
AHEAD = 2  # partitions asked for each thread beyond the one whose answer is waited for: what bounds the memory
STEPS = 4_000  # of SQLite's machine between two looks at the clock: some 80 µs
LOOK_AGAIN_S = 5.0  # at the schema of a connection that stays open


class Lent(NamedTuple):
    """What a question works with: the connection, the indexes of its table, and when they were looked at. Made once for
    a connection. A partition that is not `ready` holds nothing yet."""

    conn: Any
    indexes: frozenset[str]
    ready: bool
    looked_at_s: float


class Answer(NamedTuple):
    """Of one partition. `found` is None where it gave none; `late` where the deadline came first, `found` is then what
    came before it."""

    part: Part
    found: Any
    late: bool = False
    gone: bool = False
    bad: PartitionUnreadable | None = None


Ask = Callable[[Lent, Part], Found]


class OutOfTime(Exception):
    """The deadline came while a partition was asked; `found` is what it had given by then, in the answer's order."""

    def __init__(self, found: Any = None) -> None:
        super().__init__("out of time")
        self.found = found


class FanOut:
    """One question over many partitions, and the truth about which of them answered. Of one thread at a time."""

    def __init__(self, roots: Roots, deadline_ms: float | None = None) -> None:
        self.roots = roots
        self.started = time.perf_counter()
        self.until = None if deadline_ms is None else self.started + deadline_ms / 1000
        self.skipped = self.unasked = self.archived = 0
        self.scanned: set[Part] = set()
        self.unreadable: dict[Part, Unreadable] = {}
        self.troubles: list[Unreadable] = []
        self.ahead = False  # threads ask before it is known whether their answer is needed
        self.lacks: Callable[[Part], bool] | None = None  # which partitions surely have no answer, and are not opened
        self.passing = False  # more partitions than may be open: most are met in passing
        self.uses: dict[str, int] = {}  # index → days that were asked by it; threads may lose one of many

    def close(self) -> None:
        """Count what this question has cost."""
        bad = len(self.unreadable) + len(self.troubles)
        self.roots.asked.question(self.elapsed_ms(), len(self.scanned), self.skipped, self.unasked, bad)
        if self.uses:
            self.roots.asked.timings.use(self.uses)

    def used(self, source: str) -> str:
        """Count by what a day is asked: `source` stands behind `from hooks`, and is given back."""
        index = source.removeprefix(choice.INDEXED_BY) if source.startswith(choice.INDEXED_BY) else ""
        self.uses[index] = self.uses.get(index, 0) + 1
        return source

    def each(self, parts: Sequence[Part], ask: Ask[Found]) -> Iterator[tuple[Part, Found]]:
        """What each partition answers, in order; one that cannot is noted, and the others are asked all the same.

        After the deadline the rest counts as not asked.
        """
        for done, answer in enumerate(self.stream(parts, ask)):
            if answer.late:
                self.unasked += len(parts) - done
                return
            if self.note(answer):
                yield answer.part, answer.found

    def stream(self, parts: Sequence[Part], ask: Ask[Found]) -> Generator[Answer, None, None]:
        """The answer of every part in order, for who notes them himself. To be closed when no more are needed."""
        self.passing = len(parts) > self.roots.handles.max_open
        slow = False
        for at, part in enumerate(parts):
            before, cpu_before = time.perf_counter(), time.thread_time() if slow else 0.0
            answer = self.answer(part, ask)
            is_scan = slow and (time.thread_time() - cpu_before) * 1000 > SCAN_MS
            slow = (time.perf_counter() - before) * 1000 > SCAN_MS
            yield answer
            if is_scan and len(parts) - at > 2 and (threads := _threads()) > 1:
                self.ahead = True
                yield from _Ahead(self, parts[at + 1 :], ask).answers(threads)
                return

    def note(self, answer: Answer) -> bool:
        """Count one answer; whether it is one."""
        if answer.gone:
            self.skipped += 1  # a day that is being made, or was just removed
            return False
        if answer.bad is not None:
            part, bad = answer.part, answer.bad
            named = Unreadable(part.context, part.key.date, f"{bad.reason} ({bad.hint})", self.roots.name_of(part))
            self.unreadable[part] = named
            self.scanned.discard(part)
            return False
        self.scanned.add(answer.part)
        return answer.found is not None

    def answer(self, part: Part, ask: Ask[Found], stopped: Callable[[], bool] | None = None) -> Answer:
        """Ask one partition; from any thread, as it changes nothing here. `stopped` ends it like the deadline."""
        if self.is_late():
            return Answer(part, None, late=True)
        if self.lacks is not None and self.lacks(part):
            return Answer(part, None)
        handles, patience_ms = self.roots.handles, self._patience_ms()
        try:
            handle = handles.borrow(part.path, passing=self.passing, busy_ms=patience_ms)
        except NotThere:  # made or removed at this moment
            return Answer(part, None, gone=True)
        except PartitionUnreadable as bad:
            return _refusal(part, bad, patience_ms) if is_there(part.path) else Answer(part, None, gone=True)
        timed = self.until is not None or stopped is not None
        error: BaseException | None = None
        try:
            if timed:
                handle.conn.set_progress_handler(lambda: self.is_late() or (stopped is not None and stopped()), STEPS)
            return Answer(part, _asked(handle, part, ask))
        except OutOfTime as late:
            error = late
            return Answer(part, late.found, late=True)
        except PartitionUnreadable as bad:
            error = bad
            return _refusal(part, bad, patience_ms)
        except BaseException as other:
            error = other
            raise
        finally:
            if timed:
                handle.conn.set_progress_handler(None, 0)
            handles.give_back(handle, error)

    def _patience_ms(self) -> int:
        """How long a lock may be waited for: SQLite does not look at the clock while it waits."""
        left_ms = BUSY_MS if self.until is None else (self.until - time.perf_counter()) * 1000
        return max(1, int(min(left_ms, BUSY_MS)))

    def truth(self) -> Partitions:
        unreadable = (*self.unreadable.values(), *self.troubles)
        return Partitions(len(self.scanned), self.skipped, unreadable, self.unasked, self.archived)

    def is_late(self) -> bool:
        return self.until is not None and time.perf_counter() >= self.until

    def elapsed_ms(self) -> float:
        return round((time.perf_counter() - self.started) * 1000, 3)


def _refusal(part: Part, bad: PartitionUnreadable, patience_ms: int) -> Answer:
    """A partition that others kept locked until the deadline was not asked in time; it is not unreadable."""
    late = patience_ms < BUSY_MS and is_passing(bad.reason)
    return Answer(part, None, late=True) if late else Answer(part, None, bad=bad)


class _Ahead:
    """Partitions asked by a few threads, their answers given in order and never more than a few ahead."""

    def __init__(self, fan_out: FanOut, parts: Sequence[Part], ask: Ask[Any]) -> None:
        self.fan_out, self.parts, self.ask = fan_out, parts, ask
        self._changed = threading.Condition()
        self._waiting = deque(range(len(parts)))  # guarded by _changed
        self._answers: dict[int, Answer | BaseException] = {}  # guarded by _changed
        self._given = 0  # guarded by _changed
        self._stopped = False

    def answers(self, threads: int) -> Generator[Answer, None, None]:
        workers = [
            threading.Thread(target=self._work, args=(threads * AHEAD,), name=f"eyelet-scan-{number}", daemon=True)
            for number in range(min(threads, len(self.parts)))
        ]
        started: list[threading.Thread] = []
        try:
            for worker in workers:
                worker.start()
                started.append(worker)
        except RuntimeError:  # no more threads may be started; who has none asks by himself
            if not started:
                yield from (self.fan_out.answer(part, self.ask) for part in self.parts)
                return
        try:
            for at in range(len(self.parts)):
                with self._changed:
                    while at not in self._answers:
                        self._changed.wait()
                    found = self._answers.pop(at)
                    self._given = at + 1
                    self._changed.notify_all()
                if isinstance(found, BaseException):
                    raise found
                yield found
        finally:
            with self._changed:
                self._stopped = True  # a scan whose answer is no longer needed is interrupted
                self._changed.notify_all()
            for worker in started:
                worker.join()

    def _work(self, ahead: int) -> None:
        while True:
            with self._changed:
                while self._waiting and not self._stopped and self._waiting[0] >= self._given + ahead:
                    self._changed.wait()
                if self._stopped or not self._waiting:
                    return
                at = self._waiting.popleft()
            try:
                found: Answer | BaseException = self.fan_out.answer(self.parts[at], self.ask, lambda: self._stopped)
            except BaseException as error:  # noqa: BLE001  raised again where the question was asked, like any other's
                found = error
            with self._changed:
                self._answers[at] = found
                self._changed.notify_all()


def _asked(handle: Any, part: Part, ask: Ask[Found]) -> Found | None:
    """The answer; None of a partition that holds nothing yet. PartitionUnreadable, OutOfTime."""
    conn = handle.conn
    for tries_left in (2, 1, 0):
        try:
            lent = handle.prepared
            if lent is None or not lent.ready or time.monotonic() - lent.looked_at_s > LOOK_AGAIN_S:
                lent = handle.prepared = _looked_at(conn, part.path, fresh=lent is None)
            return ask(lent, part) if lent.ready else None
        except conn.DatabaseError as bad:
            if is_interruption(bad):
                raise OutOfTime from bad
            if is_passing(str(bad)):
                raise PartitionUnreadable("read", part.path, str(bad), remedy(part.path, bad)) from bad
            if tries_left and conn.text_factory is str and "decode" in str(bad):
                conn.text_factory = replacing()
                continue
            if tries_left and "no such" in str(bad):
                handle.prepared = None  # its schema was changed since we looked
                continue
            if tries_left and "no query solution" in str(bad) and handle.prepared is not None:
                handle.prepared = handle.prepared._replace(indexes=frozenset())  # one is not what its name says
                continue
            raise PartitionUnreadable("read", part.path, *schema.diagnosis(conn, part.path, bad)) from bad
        except UnicodeDecodeError as bad:
            raise PartitionUnreadable("read", part.path, MALFORMED, remedy(part.path, bad)) from bad
    raise AssertionError("the last round returns or raises")


def _looked_at(conn: Any, path: str, fresh: bool) -> Lent:
    if fresh:
        conn.text_factory = str  # rows are read in 0.6 of the time; what is no UTF-8 ends it, and is then replaced
        for statement in roles.pragmas("search"):
            conn.execute(statement)
    indexes = conn.execute("select name from sqlite_master where type = 'index' and tbl_name = 'hooks'").fetchall()
    ready = schema.is_ready(conn)
    if ready and not schema.version_of(conn):  # its rows could be anything, ids that are no numbers too
        raise PartitionUnreadable("read", path, "it has no version", schema.NOT_OURS)
    return Lent(conn, frozenset(name for (name,) in indexes), ready, time.monotonic())


def is_interruption(bad: Exception) -> bool:
    """Whether our own look at the clock ended the statement."""
    return str(bad) == "interrupted"


def _threads() -> int:
    """How many scans may run at once: the processors that this process may use."""
    mine = getattr(os, "sched_getaffinity", None)
    return min(THREADS_MAX, len(mine(0)) if mine else os.cpu_count() or 1)
