"""What is written to both layouts, and how long that takes: in batches, one by one, and among those who read."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice

from eyelet_ingest.bench import measure
from eyelet_ingest.bench.generator import Generator
from eyelet_ingest.bench.measure import Measure, Times, Took, expect_same, summed, took
from eyelet_ingest.bench.questions import Asking, plain
from eyelet_ingest.bench.single_file import Rows, SingleFile
from eyelet_ingest.errors import EyeletError
from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, layout
from eyelet_ingest.store.store import Store

BATCH = 10_000  # rows of a transaction, at most; days are not mixed
BLOCK = 500  # messages of conversations that one side takes before the other has its turn
ROUNDS = 5
SINGLES = 100  # events of a round
MIXED, READS_IN_FIVE = 100, 4  # operations of a round, and how many of five read
CHECKPOINTED = 100  # rows of a WAL: fewer pages than SQLite brings in by itself
ASKED_EACH, BETWEEN_S = 10, 0.1  # of each of many readers: ten questions a second
READY_S = 60.0  # until all of them have opened what they read
WRITES, WRITE_S = 100, 0.01  # beside them

Events = list[tuple[str, Event]]
Check = Callable[[float], None]  # is told which part of the phase is done


class Writing:
    """Both layouts being written to. Whatever is written goes to both, so that they go on to answer the same."""

    def __init__(self, store: Store, single: SingleFile, made: Generator) -> None:
        self.store, self.single, self.made = store, single, made

    def fill(self, check: Check) -> list[Measure]:
        """All rows of the scenario, in batches; who begins changes from batch to batch."""
        counts: list[int] = []
        times: Times = ([], [])
        written = 0
        with self.store.bulk():
            for batch in self._batches():
                self._both(batch, times, first=len(counts) % 2)
                counts.append(len(batch))
                written += len(batch)
                check(written / self.made.scenario.rows)
        return [measure.rate("batch", f"rows in batches of {max(counts):,}", counts, times)]

    def converse(self, check: Check) -> list[Measure]:
        """All rows one by one, each followed by a look at the newest of its conversation, in blocks by turns."""
        asking = Asking(self.store, self.single, self.made)
        counts: list[int] = []
        times: Times = ([], [])
        written = 0
        rows = self.made.rows()
        with self.store.bulk():
            while some := list(islice(rows, BLOCK)):
                ready = [self.single.prepared([one]) for one in some]
                answers: tuple[list[object], list[object]] = ([], [])
                works = (
                    self._conversed(asking, some, answers[0]),
                    self._conversed_single(asking, some, ready, answers[1]),
                )
                for which in (0, 1) if len(counts) % 2 else (1, 0):
                    times[which].append(took(works[which]))
                counts.append(2 * len(some))
                for one, other in zip(*answers, strict=True):
                    expect_same("conversation", one, other)
                written += len(some)
                check(written / self.made.scenario.rows)
        return [measure.rate("conversation", "a message written, its conversation read", counts, times)]

    def singles(self, check: Check) -> list[Measure]:
        """One event a transaction, the days staying open."""
        singly: Times = ([], [])
        rounds: Times = ([], [])
        with self.store.bulk():
            for number in range(ROUNDS + 1):
                some = self.made.more(SINGLES)
                ready = [self.single.prepared([one]) for one in some]
                for which in (0, 1) if number % 2 else (1, 0):
                    write = self._writer_of(which, some, ready)
                    each = [took(partial(write, at)) for at in range(SINGLES)]
                    if number:
                        singly[which].extend(each)
                        rounds[which].append(summed(each))
                check(number / ROUNDS)
        counts = [SINGLES] * ROUNDS
        return [
            measure.rate("single writes", "single writes, a transaction each", counts, rounds),
            measure.latency("single write", "a single write", singly, in_pairs=False),
        ]

    def mixed(self, check: Check) -> list[Measure]:
        """Four looks at a session's newest events, then a write, and so on."""
        asking = Asking(self.store, self.single, self.made)
        session = asking.session()
        times: Times = ([], [])
        with self.store.bulk():
            for number in range(ROUNDS + 1):
                some = self.made.more(MIXED // (READS_IN_FIVE + 1))
                ready = [self.single.prepared([one]) for one in some]
                answers: list[list[object]] = [[], []]
                for which in (0, 1) if number % 2 else (1, 0):
                    ask = session.single if which else session.days
                    write = self._writer_of(which, some, ready)
                    one = took(partial(_mix, ask, write, answers[which]))
                    if number:
                        times[which].append(one)
                for mine, other in zip(*answers, strict=True):
                    expect_same("mixed", mine, other)
                check(number / ROUNDS)
        return [measure.rate("mixed", "four reads to one write", [MIXED] * ROUNDS, times)]

    def checkpoints(self, check: Check) -> list[Measure]:
        """A WAL of some rows brought into its file, PASSIVE."""
        key = layout.key_for(self.made.contexts[0], self.made.more(1)[0][1].time_us)
        times: Times = ([], [])
        self.single.writer.execute("pragma wal_autocheckpoint = 0")
        with self.store.bulk():
            for number in range(ROUNDS + 1):
                self.store.checkpoint(key, "truncate")
                self.single.checkpoint("truncate")
                some = self.made.more(CHECKPOINTED)
                self._append(some)
                self.single.write(self.single.prepared(some))
                for which in (0, 1) if number % 2 else (1, 0):
                    work = self.single.checkpoint if which else lambda: self.store.checkpoint(key)
                    one = took(work)
                    if number:
                        times[which].append(one)
                check(number / ROUNDS)
        self.single.writer.execute("pragma wal_autocheckpoint = 1000")
        return [measure.latency("checkpoint", f"a checkpoint of {CHECKPOINTED} rows", times)]

    def readers(self, check: Check) -> list[Measure]:
        """Many threads that ask ten times a second, beside one that writes; each side in turn, twice."""
        asked: Times = ([], [])
        wrote: Times = ([], [])
        asking = Asking(self.store, self.single, self.made)
        with self.store.bulk():
            for number in range(2):
                some = self.made.more(WRITES)
                ready = [self.single.prepared([one]) for one in some]
                answers: tuple[dict[str, object], dict[str, object]] = ({}, {})
                for at, which in enumerate((0, 1) if number % 2 else (1, 0)):
                    write = self._writer_of(which, some, ready)
                    crowd = _Crowd(asking, which, self.made.scenario.readers, answers[which])
                    asks, writes = crowd.run(write)
                    asked[which].extend(asks)
                    wrote[which].extend(writes)
                    check((number * 2 + at + 1) / 4)
                expect_same("readers", answers[0], answers[1])
        readers = self.made.scenario.readers
        return [
            measure.latency("readers", f"a question of one of {readers} readers", asked, in_pairs=False, alone=False),
            measure.latency("writer", f"a write beside {readers} readers", wrote, in_pairs=False, alone=False),
        ]

    def _writer_of(self, which: int, some: Events, ready: list[Rows]) -> Callable[[int], None]:
        return (lambda at: self.single.write(ready[at])) if which else (lambda at: self._append([some[at]]))

    def _conversed(self, asking: Asking, some: Events, answers: list[object]) -> Callable[[], None]:
        def work() -> None:
            for one in some:
                self._append([one])
                answers.append(asking.newest_of(one[1].session_id))

        return work

    def _conversed_single(
        self, asking: Asking, some: Events, ready: list[Rows], answers: list[object]
    ) -> Callable[[], None]:
        def work() -> None:
            for one, rows in zip(some, ready, strict=True):
                self.single.write(rows)
                answers.append(asking.read_session(self.single.reader, one[1].session_id))

        return work

    def _batches(self) -> Iterator[Events]:
        for day in range(self.made.scenario.days):
            rows = self.made.day(day)
            while some := list(islice(rows, BATCH)):
                yield some

    def _both(self, batch: Events, times: Times, *, first: int) -> None:
        ready = self.single.prepared(batch)
        for which in (first, 1 - first):
            work = (lambda: self.single.write(ready)) if which else (lambda: self._append(batch))
            times[which].append(took(work))

    def _append(self, events: Events) -> None:
        done = self.store.append_many(events)
        if done.stored != len(events):
            why = f": {done.refused[0].error}" if done.refused else ""
            raise EyeletError("write the rows", reason=f"{done.stored:,} of {len(events):,} were stored{why}")


def _mix(ask: Callable[[int], object], write: Callable[[int], None], answers: list[object]) -> None:
    for at in range(MIXED):
        if at % (READS_IN_FIVE + 1):
            answers.append(ask(at))
        else:
            write(at // (READS_IN_FIVE + 1))


class _Crowd:
    """So many threads that ask one layout, each for its own session; `answers` gets what each was told at the end."""

    def __init__(self, asking: Asking, which: int, readers: int, answers: dict[str, object]) -> None:
        self.asking, self.which, self.readers, self.answers = asking, which, readers, answers
        self.asked: list[Took] = []
        self.trouble: list[Exception] = []
        self.ready = threading.Barrier(readers + 1)

    def run(self, write: Callable[[int], None]) -> Times:
        """The seconds of each question, and of each write beside them. What goes wrong in a thread is raised here."""
        ended = threading.Event()
        threads = [threading.Thread(target=self._ask, args=(at, ended)) for at in range(self.readers)]
        wrote: list[Took] = []
        is_done = False
        try:
            for thread in threads:
                thread.start()
            self.ready.wait(READY_S)
            for at in range(WRITES):
                wrote.append(took(partial(write, at)))
                ended.wait(WRITE_S)
            is_done = True
        except threading.BrokenBarrierError:
            pass  # a thread says why
        finally:
            if not is_done:
                ended.set()
                self.ready.abort()
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
        if self.trouble:
            raise self.trouble[0]
        if not self.asked:
            raise EyeletError("have many ask at once", reason=f"they were not ready within {READY_S:.0f} s")
        return self.asked, wrote

    def _ask(self, at: int, ended: threading.Event) -> None:
        session = self.asking.some_session(at)
        conn = None
        try:
            conn = self.asking.single.another_reader() if self.which else None
            self._answer(conn, session)  # what is opened stays open
            self.ready.wait(READY_S)
            ended.wait(BETWEEN_S * at / self.readers)
            for _ in range(ASKED_EACH):
                if ended.is_set():
                    return
                answer: list[object] = []
                self.asked.append(took(lambda: answer.append(self._answer(conn, session))))  # noqa: B023
                ended.wait(BETWEEN_S)
            self.answers[session] = plain(answer[0])
        except threading.BrokenBarrierError:
            return  # another one says why
        except (EyeletError, OSError, connect.driver().Error) as bad:  # raised again by who waits for the thread
            self.trouble.append(bad)
            self.ready.abort()
        finally:
            if conn is not None:
                conn.close()

    def _answer(self, conn: object, session: str) -> object:
        return self.asking.read_session(conn, session) if self.which else self.asking.newest_of(session)
