"""The whole store against a plain list, step by step: Hypothesis chooses what happens next, and looks for the shortest
story in which the two disagree.

Two stores are open on one root. Either may append, delete, maintain, close and be opened anew; captures leave events in
the spool; a user's own program inserts, changes and deletes rows, and removes folders of days. After every step the
answers to a random question, and the counts of everything, are those of the list.
"""

import os
import shutil
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, layout, spool, writer
from eyelet_ingest.store.maintenance import Maintenance
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from tests.store.plain_list import (
    CONTEXTS,
    DAY_US,
    FILTERS,
    NEW_YEAR_US,
    TIMES,
    TO_DELETE,
    Day,
    Kept,
    PlainList,
    bounds,
    events,
    expect_pages,
    expect_places,
    expect_rows,
    expect_sums,
    fields_of,
)

SOAK = bool(os.environ.get("EYELET_SOAK"))
WHICH = st.integers(0, 1)
PICK = st.integers(0, 2**16)
PAIRS = st.lists(st.tuples(CONTEXTS, events()), min_size=1, max_size=6)
DAY_STARTS = st.sampled_from([NEW_YEAR_US + step * DAY_US for step in (-3, -1, 0, 1, 2, 21)])


class Machine(RuleBasedStateMachine):
    """The rules are what people, agents and programs do; the invariants what every answer must be."""

    @initialize(max_open=st.sampled_from([1, 2, 64]))
    def begin(self, max_open: int) -> None:
        self.folder = TemporaryDirectory()
        self.root = os.path.join(self.folder.name, "root")
        self.max_open = max_open
        self.stores = [Store(self.root, max_open=max_open), Store(self.root)]
        self.plain = PlainList()
        self.handed_in: list[tuple[str, Event]] = []
        self.waiting: list[tuple[str, Event]] = []  # in the spool, in order of receipt
        self.hands = 0

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            for store in self.stores:
                store.close()
            self.folder.cleanup()

    # What is recorded

    @rule(which=WHICH, context=CONTEXTS, event=events(), deadline_ms=st.sampled_from([5_000, 60_000]))
    def append_one(self, which: int, context: str, event: Event, deadline_ms: int) -> None:
        done = self.stores[which].append([event], context, deadline_ms=deadline_ms)
        self.expect_appended(done, [(context, event)])

    @rule(which=WHICH, pairs=PAIRS)
    def append_many(self, which: int, pairs: list[tuple[str, Event]]) -> None:
        self.expect_appended(self.stores[which].append_many(pairs), pairs)

    @rule(which=WHICH, pairs=PAIRS)
    def append_in_a_bulk(self, which: int, pairs: list[tuple[str, Event]]) -> None:
        """The other store writes to the same days in between."""
        with self.stores[which].bulk() as bulk:
            for at, pair in enumerate(pairs):
                writing = self.stores[1 - which] if at % 3 == 2 else bulk
                self.expect_appended(writing.append_many([pair]), [pair])

    @precondition(lambda self: self.handed_in)
    @rule(which=WHICH, picks=st.lists(PICK, min_size=1, max_size=5), context=st.none() | CONTEXTS)
    def append_again(self, which: int, picks: list[int], context: str | None) -> None:
        """Known where it was stored; new where it was deleted, or is told of another context."""
        pairs = [self.handed_in[pick % len(self.handed_in)] for pick in picks]
        pairs = [(given if context is None else context, event) for given, event in pairs]
        self.expect_appended(self.stores[which].append_many(pairs), pairs)

    def expect_appended(self, done: Any, pairs: list[tuple[str, Event]]) -> None:
        assert (done.stored, done.duplicates, done.refused) == (*self.plain.append(pairs), [])
        self.handed_in += pairs

    # What waits

    @rule(pairs=PAIRS)
    def leave_in_the_spool(self, pairs: list[tuple[str, Event]]) -> None:
        for context, event in pairs:
            key = layout.key_for(layout.safe_context(context), event.time_us)
            spool.put(self.root, key, context, writer.row_of(event), "the day was busy")
        self.waiting += pairs
        self.handed_in += pairs

    @rule(which=WHICH)
    def drain(self, which: int) -> None:
        drained = self.stores[which].drain_spool()
        assert (drained.bad, drained.left, drained.reasons) == (0, 0, [])
        assert (drained.stored, drained.known) == self.expect_drained()

    def expect_drained(self) -> tuple[int, int]:
        waiting, self.waiting = self.waiting, []
        return self.plain.append(waiting)

    # What goes

    @rule(which=WHICH, where=TO_DELETE, dry_run=st.booleans())
    def delete(self, which: int, where: Filter, dry_run: bool) -> None:
        if where == Filter():
            return
        done = self.stores[which].delete(where, dry_run=dry_run)
        if not dry_run:
            self.expect_drained()  # what waits is not spared
        assert done.failed == []
        assert done.events == (len(self.plain.matching(where, stored=True)) if dry_run else self.plain.delete(where))

    @rule(which=WHICH, since_us=st.none() | DAY_STARTS, until_us=DAY_STARTS)
    def delete_whole_days(self, which: int, since_us: int | None, until_us: int) -> None:
        where = Filter(since_us=since_us, until_us=until_us)
        done = self.stores[which].delete(where)
        self.expect_drained()
        days = {day for day in self.plain.days if bounds(day)[1] <= until_us and (since_us or 0) <= bounds(day)[0]}
        assert {(one.key.context, one.key.year, one.key.day) for one in done.days if one.whole} == days
        assert (done.events, done.failed) == (self.plain.delete(where), [])

    # What others do

    @precondition(lambda self: self.plain.days)
    @rule(pick=PICK, which=WHICH, event=st.none() | events())
    def remove_a_folder(self, pick: int, which: int, event: Event | None) -> None:
        """The day may be made anew at once, where both stores still have the old one open."""
        day = self.a_day(pick)
        shutil.rmtree(layout.partition_dir(self.root, layout.PartitionKey(*day)))
        self.plain.forget_day(day)
        if event is not None:
            event.time_us = bounds(day)[0] + event.time_us % DAY_US
            self.expect_appended(self.stores[which].append([event], day[0]), [(day[0], event)])

    @precondition(lambda self: self.plain.days)
    @rule(pick=PICK, event=events(), at_us=st.integers(0, DAY_US - 1) | st.sampled_from([0, 1, DAY_US - 1]))
    def insert_by_hand(self, pick: int, event: Event, at_us: int) -> None:
        """`timestamp`, `hook_type` and `data` are enough; here some columns more."""
        day = self.a_day(pick)
        time_us = bounds(day)[0] + at_us
        self.hands += 1
        uid = self.hands.to_bytes(16, "little")
        values = {name: getattr(event, name) for name in ("hook_type", "src", "status", "error", "session_id", "data")}
        values |= {"project_dir": event.project_dir, "loglevel": event.loglevel}
        values |= {"uid": uid, "timestamp": time_us / 1e6, "tool_name": event.tool_name}
        marks = ", ".join("?" * len(values))
        self.by_hand(day, f"insert into hooks ({', '.join(values)}) values ({marks})", *values.values())
        [(at,)] = self.by_hand(day, "select id from hooks where uid = ?", uid)
        taken = {one.id for one in self.plain.kept if one.day == day}
        assert at not in taken
        assert bounds(day)[0] <= at < bounds(day)[1]
        assert at == time_us or time_us in taken
        fields = fields_of(event) | {"agent": None, "model": None, "git_branch": None, "error_code": None}
        self.plain.kept.append(Kept(at, day[0], uid, fields))

    @precondition(lambda self: self.plain.kept)
    @rule(pick=PICK, hook_type=st.sampled_from(["PreToolUse", "Note"]), src=st.sampled_from(["hero", "by.hand"]))
    def change_by_hand(self, pick: int, hook_type: str, src: str) -> None:
        one = self.plain.kept[pick % len(self.plain.kept)]
        self.by_hand(one.day, "update hooks set hook_type = ?, src = ? where id = ?", hook_type, src, one.id)
        one.fields |= {"hook_type": hook_type, "src": src}

    @precondition(lambda self: self.plain.kept)
    @rule(pick=PICK)
    def delete_by_hand(self, pick: int) -> None:
        one = self.plain.kept.pop(pick % len(self.plain.kept))
        self.by_hand(one.day, "delete from hooks where id = ?", one.id)

    def a_day(self, pick: int) -> Day:
        days = sorted(self.plain.days)
        return days[pick % len(days)]

    def by_hand(self, day: Day, sql: str, *values: object) -> list[Any]:
        """As a program that knows nothing of ours, through this process's one SQLite."""
        conn = connect.driver().connect(layout.db_path(self.root, layout.PartitionKey(*day)))
        try:
            with conn:
                return list(conn.execute(sql, values))
        finally:
            conn.close()

    # What changes nothing

    @rule(which=WHICH)
    def close_and_open_anew(self, which: int) -> None:
        self.stores[which].close()
        self.stores[which] = Store(self.root, max_open=self.max_open)

    @rule(which=WHICH)
    def close_and_go_on(self, which: int) -> None:
        self.stores[which].close()

    @rule(which=WHICH)
    def maintain(self, which: int) -> None:
        """Statistics of every day, however few events it has."""
        done = Maintenance(self.root, least_events=1).run(self.stores[which].catalog.partitions(), 60_000)
        assert (done.troubled, done.left) == ([], 0)

    @rule(which=WHICH, mode=st.sampled_from(["passive", "full", "restart", "truncate"]))
    def checkpoint(self, which: int, mode: str) -> None:
        assert all(one.error == "" for one in self.stores[which].checkpoint(mode=mode))

    # What is asked

    @rule(which=WHICH, where=FILTERS, size=st.integers(1, 7), oldest_first=st.booleans())
    def ask(self, which: int, where: Filter, size: int, oldest_first: bool) -> None:
        expect_pages(self.stores[which], self.plain, where, size, oldest_first)
        expect_sums(self.stores[which], self.plain, where)

    @rule(which=WHICH, where=FILTERS)
    def export(self, which: int, where: Filter) -> None:
        expect_rows(list(self.stores[which].export(where)), self.plain.in_order(where, oldest_first=True))

    @rule(which=WHICH, where=FILTERS, contexts=st.sets(CONTEXTS, min_size=1, max_size=3))
    def ask_of_some_contexts(self, which: int, where: Filter, contexts: set[str]) -> None:
        only = frozenset(layout.safe_context(given) for given in contexts)
        limited = self.stores[which].limited_to(only)
        wanted = [one for one in self.plain.in_order(where) if one.context in only]
        expect_rows(limited.search(where, limit=1_000).rows, wanted)
        assert limited.count(where).count == len(wanted)
        assert limited.contexts() == sorted({day[0] for day in self.plain.days} & only)

    @rule(which=WHICH, context=CONTEXTS, time_us=TIMES, pick=PICK)
    def ask_for_one(self, which: int, context: str, time_us: int, pick: int) -> None:
        here = self.plain.kept[pick % len(self.plain.kept)] if self.plain.kept else None
        for place in ((time_us, layout.safe_context(context)), here.place if here else (0, "one")):
            row = self.stores[which].event(place[1], place[0])
            expect_rows([row] if row else [], [one for one in self.plain.kept if one.place == place])

    @invariant()
    def both_stores_say_what_there_is(self) -> None:
        if hasattr(self, "folder"):
            for store in self.stores:
                expect_rows(store.search(Filter(), limit=1_000).rows, self.plain.in_order(Filter()))
                assert store.count(Filter()).count == len(self.plain.kept)
                expect_places(store, self.plain)


TestMachine = Machine.TestCase
TestMachine.settings = settings(
    max_examples=600 if SOAK else 25,
    stateful_step_count=80 if SOAK else 25,
    deadline=None,
    derandomize=not SOAK,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
