"""One run: both layouts are filled with the same rows, finished as days are, asked, and written to; then it is gone."""

import os
import platform
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from eyelet_ingest import __version__
from eyelet_ingest.bench import generator, measure, memory, questions, results, scratch
from eyelet_ingest.bench.generator import Generator
from eyelet_ingest.bench.measure import Measure, Times, expect_same, summed, took
from eyelet_ingest.bench.results import Machine, Result
from eyelet_ingest.bench.scenario import Scenario
from eyelet_ingest.bench.single_file import SingleFile
from eyelet_ingest.bench.writing import Writing
from eyelet_ingest.store import connect, text_blooms
from eyelet_ingest.store.store import Store

OPENINGS = 20
ROUND_MS = 500  # of maintenance and of indexing, between two looks at the time
WITHOUT_PROGRESS = 3  # rounds, after which the rest is left as it is


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants measured. `folder` is where it works, `is_kept` whether that stays; `limit_s` 0 for none."""

    scenario: Scenario
    scale: float
    seed: int
    folder: str
    is_kept: bool
    limit_s: float = 0.0


class _Over(Exception):
    """The time limit came: what was measured by then counts."""


def run(home: str, asked: Asked, tell: Callable[[str, float], object] | None = None) -> Result:
    """Measure, and keep the result: it says whether the limit came first. `tell` is told the stage, and which part of
    the whole is done. BadInput where another run goes on, where there is no room, and where the folder cannot be used;
    Differs where the layouts do not answer the same. The folder is removed however this ends."""
    about = scratch.Running(
        pid=os.getpid(),
        folder="" if asked.is_kept else asked.folder,
        scenario=asked.scenario.name,
        rows=asked.scenario.rows,
        begun_us=time.time_ns() // 1_000,
        limit_s=asked.limit_s,
    )
    with scratch.turn(home, about) as turn:
        scratch.expect_room(asked.folder, asked.scenario)
        with scratch.made(asked.folder, kept=asked.is_kept) as folder:
            return results.keep(home, _Run(asked, folder, turn, tell).measured())


class _Run:
    """The stages, one after another; `measures` are those of the stages that were reached."""

    def __init__(
        self, asked: Asked, folder: str, turn: scratch.Turn, tell: Callable[[str, float], object] | None
    ) -> None:
        self.asked, self.folder, self._turn, self._tell = asked, folder, turn, tell
        self.measures: list[Measure] = []
        self._bytes, self._handles = (0, 0), (0, 0, 0)
        self._began_s = time.monotonic()
        self._stage, self._from, self._to = "", 0.0, 0.0

    def measured(self) -> Result:
        load, began_us, state = _load(), time.time_ns() // 1_000, results.WHOLE
        try:
            self._stages()
        except _Over:
            state = results.LIMIT
        took_s = time.monotonic() - self._began_s
        return Result(
            made_at_us=began_us, scenario=self.asked.scenario, scale=self.asked.scale, seed=self.asked.seed,
            state=state, took_s=round(took_s, 1), load=(load, _load()), bytes=self._bytes, handles=self._handles,
            machine=_machine(), measures=tuple(self.measures),
        )  # fmt: skip

    def _stages(self) -> None:
        about = self.asked.scenario
        self._begin("drawing rows", 0.0, 0.01)
        made = Generator(about, self.asked.seed)
        with (
            Store(os.path.join(self.folder, "root")) as store,
            closing(SingleFile(self.folder, about, generator.span_us(about))) as single,
        ):
            self._fill(store, single, made)
            self._bytes = _bytes(store.root), _bytes(os.path.join(self.folder, "single"))
            self._questions(store, single, made)
            counters = store.counters()
            self._handles = counters.open_now, counters.opened, counters.hits
            self._memory()
            self._writes(store, single, made)

    def _fill(self, store: Store, single: SingleFile, made: Generator) -> None:
        writing = Writing(store, single, made)
        self._begin("writing rows", 0.01, 0.45)
        self.measures += (writing.converse if made.scenario.is_conversation else writing.fill)(self.check)
        self._begin("indexing text", 0.45, 0.65)
        single.begin_text()
        self.measures.append(self._text(store, single, made.scenario.rows))
        self._begin("finishing days", 0.65, 0.72)
        self._repeat(lambda: _progress(store.maintain(ROUND_MS)))
        single.finish()
        time.sleep(text_blooms.SETTLED_NS / 1e9 + 0.1)  # a day's words are noted when it was left alone for so long
        self._repeat(lambda: _indexed(store.index_text(ROUND_MS)))
        store.checkpoint(mode="truncate")
        self.check(1.0)

    def _text(self, store: Store, single: SingleFile, rows: int) -> Measure:
        """Both indexes of text, a piece of either in turn."""
        times: Times = ([], [])
        after: int | None = -1
        left, idle, done = True, 0, 0

        def single_piece() -> None:
            nonlocal after
            after = single.index_text(after if after is not None else -1)

        def days_piece() -> None:
            nonlocal left, idle, done
            found = store.index_text(ROUND_MS)
            done += found.rows
            idle = 0 if found.rows else idle + 1
            left = bool(found.left) and idle < WITHOUT_PROGRESS

        while left or after is not None:
            if after is not None:
                times[1].append(took(single_piece))
            if left:
                times[0].append(took(days_piece))
            self.check(min(done / rows, 1.0))
        whole = [summed(times[0])], [summed(times[1])]
        return measure.rate("text index", "rows whose text is indexed", [rows], whole)

    def _questions(self, store: Store, single: SingleFile, made: Generator) -> None:
        self._begin("asking", 0.72, 0.85)
        asking = questions.Asking(store, single, made)
        there = asking.all()
        for number, question in enumerate(there):
            self._begin(
                f"asking: {question.title}", 0.72 + 0.12 * number / len(there), 0.72 + 0.12 * (number + 1) / len(there)
            )
            self.measures.append(measure.asked(question, lambda: self.check(0.0)))
        self._begin("opening and closing", 0.84, 0.86)
        self.measures.append(self._openings(store, single, there[0], asking))

    def _openings(self, store: Store, single: SingleFile, day: questions.Question, asking: questions.Asking) -> Measure:
        """A store, and the single file, opened anew for the latest 100 of a day, and closed."""
        times: Times = ([], [])
        for number in range(OPENINGS + 1):
            answers: list[object] = [None, None]

            def days() -> None:
                with Store(store.root) as fresh:
                    answers[0] = fresh.search(asking.day, limit=questions.PAGE)  # noqa: B023  called in this round

            def one() -> None:
                conn = single.another_reader()
                answers[1] = single.ask(asking.day_sql, asking.day_params, conn)  # noqa: B023
                conn.close()

            for which in (0, 1) if number % 2 else (1, 0):
                both = took(one if which else days)
                if number:
                    times[which].append(both)
            expect_same("open", *answers)
            self.check(number / OPENINGS)
        return measure.latency("open", f"opened, {day.title}, closed", times)

    def _memory(self) -> None:
        self._begin("measuring memory", 0.86, 0.9)
        (days, days_added), (single, single_added) = memory.of_both(self.folder, self.asked.scenario, self.asked.seed)
        self.measures += [
            measure.size("memory", "peak memory of a process that asks all of this", days, single),
            measure.size("memory added", "what of that asking added", days_added, single_added),
        ]
        self.check(1.0)

    def _writes(self, store: Store, single: SingleFile, made: Generator) -> None:
        writing = Writing(store, single, made)
        for stage, work, begin, end in (
            ("single writes", writing.singles, 0.9, 0.92),
            ("reads and writes", writing.mixed, 0.92, 0.94),
            ("checkpoints", writing.checkpoints, 0.94, 0.96),
            (f"{made.scenario.readers} readers", writing.readers, 0.96, 1.0),
        ):
            self._begin(stage, begin, end)
            self.measures += work(self.check)

    def _repeat(self, work: Callable[[], tuple[bool, bool]]) -> None:
        """Until nothing is left, or nothing comes of it: `work` tells both, whether something is left and was done."""
        idle = 0
        while idle < WITHOUT_PROGRESS:
            left, done = work()
            self.check(0.5)
            if not left:
                return
            idle = 0 if done else idle + 1

    def _begin(self, stage: str, begin: float, end: float) -> None:
        self._stage, self._from, self._to = stage, begin, end
        self.check(0.0)

    def check(self, part: float) -> None:
        """Say how far the stage is; _Over where the limit has come."""
        whole = self._from + (self._to - self._from) * min(part, 1.0)
        self._turn.tell(self._stage, whole)
        if self._tell is not None:
            self._tell(self._stage, whole)
        if self.asked.limit_s and time.monotonic() - self._began_s > self.asked.limit_s:
            raise _Over


def _progress(done: object) -> tuple[bool, bool]:
    from eyelet_ingest.store.maintenance import Maintained

    assert isinstance(done, Maintained)
    return bool(done.left), bool(done.hours or done.days)


def _indexed(done: object) -> tuple[bool, bool]:
    from eyelet_ingest.store.text_rounds import Indexed

    assert isinstance(done, Indexed)
    return bool(done.left), bool(done.rows)


def _bytes(folder: str) -> int:
    """Of all files below it."""
    return sum(os.lstat(os.path.join(at, name)).st_size for at, _, names in os.walk(folder) for name in names)


def _load() -> float:
    """Of the last minute; 0 where the system does not tell."""
    try:
        return round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):
        return 0.0


def _machine() -> Machine:
    return Machine(
        system=f"{platform.system()} {platform.machine()}",
        cores=os.cpu_count() or 1,
        python=platform.python_version(),
        sqlite=str(connect.driver().sqlite_version),
        eyelet=__version__,
    )
