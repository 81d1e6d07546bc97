"""What a Store keeps open between questions, what it counts, and what it answers when time is short."""

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from eyelet_ingest.events import Event
from eyelet_ingest.store import counters, fanout, layout
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

START = layout.PartitionKey("default", 2026, 79).bounds_us[0]
DAY = layout.DAY_US
MakeEvent = Callable[..., Event]


def fill(store: Store, make_event: MakeEvent, days: int = 6, context: str = "default") -> None:
    events = [make_event(START + day * DAY + minute, src="a.b") for day in range(days) for minute in range(10)]
    store.append(events, context)


def walk(store: Store, where: Filter, *, oldest_first: bool, deadline_ms: float | None) -> tuple[list[object], int]:
    """The ids of all pages, and how many pages were not complete."""
    seen: list[object] = []
    after, late = None, 0
    while True:
        page = store.search(where, limit=7, after=after, oldest_first=oldest_first, deadline_ms=deadline_ms)
        seen += [row["id"] for row in page.rows]
        late += not page.partitions.complete
        after = page.next
        if after is None:
            return seen, late


def test_the_second_question_opens_nothing(store: Store, make_event: MakeEvent) -> None:
    fill(store, make_event)
    store.count(Filter())
    before = store.counters()
    store.search(Filter(), limit=1_000)
    after = store.counters()
    assert (after.opened, after.misses) == (before.opened, before.misses) == (6, 6)
    assert after.hits > before.hits


def test_no_more_days_stay_open_than_may(root: str, make_event: MakeEvent) -> None:
    with Store(root, max_open=2) as store:
        fill(store, make_event)
        for _ in range(3):
            assert store.count(Filter()).count == 60
            assert store.counters().open_now <= 2
    assert store.counters().open_now == 0


def test_a_closed_store_keeps_no_file_and_may_be_asked_again(store: Store, make_event: MakeEvent) -> None:
    fill(store, make_event)
    store.count(Filter())
    store.close()
    held = [os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if name.isdigit()
            if os.path.exists(f"/proc/self/fd/{name}")]  # fmt: skip
    assert not [path for path in held if path.startswith(store.root)]
    assert store.count(Filter()).count == 60


def test_questions_are_counted(store: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store, make_event)
    Path(layout.db_path(store.root, layout.key_for("default", START))).write_bytes(b"no database" * 500)
    monkeypatch.setattr(counters, "SLOW_MS", -1.0)
    store.count(Filter(since_us=START, until_us=START + 3 * DAY))
    found = store.counters()
    wanted = replace(found, questions=1, slow=1, scanned=2, skipped=3, unasked=0, read_errors=1, write_errors=0)
    assert found == wanted


def test_counting_from_many_threads_loses_nothing(store: Store, make_event: MakeEvent) -> None:
    fill(store, make_event, days=3)
    threads = [threading.Thread(target=lambda: [store.count(Filter()) for _ in range(40)]) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = store.counters()
    assert (found.questions, found.scanned, found.hits + found.misses) == (200, 600, 600)


def test_a_released_day_is_closed_and_opened_again(store: Store, make_event: MakeEvent) -> None:
    fill(store, make_event)
    store.count(Filter())
    assert store.release(layout.key_for("default", START))
    assert store.counters().open_now == 5
    assert store.count(Filter()).count == 60


def test_deleted_days_are_not_kept_open(store: Store, make_event: MakeEvent) -> None:
    fill(store, make_event)
    store.count(Filter())
    store.delete(Filter(until_us=START + 2 * DAY))
    assert store.counters().open_now == 4
    assert store.count(Filter()).count == 40


def test_a_day_that_broke_is_named_and_served_again_once_it_is_whole(store: Store, make_event: MakeEvent) -> None:
    fill(store, make_event, days=2)
    path = Path(layout.db_path(store.root, layout.key_for("default", START)))
    whole = path.read_bytes()
    assert store.count(Filter()).count == 20
    path.write_bytes(b"x" * len(whole))
    broken = store.search(Filter(text="x"), limit=1_000)
    assert [bad.day for bad in broken.partitions.unreadable] == ["2026-03-20"]
    path.write_bytes(whole)
    assert store.count(Filter()).count == 20


@pytest.mark.parametrize("oldest_first", [False, True])
def test_no_time_at_all_is_an_honest_nothing(store: Store, make_event: MakeEvent, oldest_first: bool) -> None:
    fill(store, make_event)
    page = store.search(Filter(), oldest_first=oldest_first, deadline_ms=0)
    assert (page.rows, page.partitions.complete) == ([], False)
    assert (page.partitions.scanned, page.partitions.skipped, page.partitions.unasked) == (0, 0, 6)
    rest = store.search(Filter(), limit=1_000, oldest_first=oldest_first, after=page.next)
    assert (len(rest.rows), rest.partitions.complete) == (60, True)
    for answer in (store.count(Filter(), deadline_ms=0), store.summary(Filter(), deadline_ms=0)):
        assert (answer.partitions.unasked, answer.partitions.complete) == (6, False)
    assert store.error_codes(Filter(), deadline_ms=0).partitions.unasked == 6
    assert store.error_codes(Filter()).partitions.complete


@pytest.mark.parametrize("threads", [False, True], ids=["alone", "threads"])
@pytest.mark.parametrize("oldest_first", [False, True])
@pytest.mark.parametrize("contexts", [1, 2])
@pytest.mark.parametrize("by", ["index", "time"])
def test_pages_cut_short_by_a_deadline_neither_skip_nor_repeat(
    store: Store,
    make_event: MakeEvent,
    monkeypatch: pytest.MonkeyPatch,
    contexts: int,
    oldest_first: bool,
    threads: bool,
    by: str,
) -> None:
    """The clock stops each page after so many looks, wherever that is: at a day, or in the middle of one. What comes in
    order of time has given some rows by then."""
    for context in range(contexts):
        fill(store, make_event, context=f"c{context}")
    where = Filter(src=("a.b", "*"), hook_type=("PreToolUse",)) if by == "index" else Filter(status=("ok",))
    often = 5_000 if by == "index" else 400
    wanted, late = walk(store, where, oldest_first=oldest_first, deadline_ms=None)
    assert (len(wanted), late) == (60 * contexts, 0)
    monkeypatch.setattr(fanout, "STEPS", 1)
    if threads:
        monkeypatch.setattr(fanout, "SCAN_MS", -1.0)
        monkeypatch.setattr(fanout, "_threads", lambda: 2)
    looks = [0]

    def is_late(question: fanout.FanOut) -> bool:
        looks[0] += 1
        return question.until is not None and looks[0] % often > often * 4 // 5

    monkeypatch.setattr(fanout.FanOut, "is_late", is_late)
    seen, late = walk(store, where, oldest_first=oldest_first, deadline_ms=1e9)
    assert seen == wanted
    assert late > 0


def test_threads_ask_only_a_little_ahead_of_the_answer(
    store: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However slowly it is taken: that is what bounds the memory."""
    fill(store, make_event, days=40)
    monkeypatch.setattr(fanout, "SCAN_MS", -1.0)
    monkeypatch.setattr(fanout, "_threads", lambda: 2)
    asked: list[object] = []
    answers = fanout.FanOut(store.roots).stream(store.catalog.parts(), lambda lent, part: asked.append(part))
    given = 0
    for _ in answers:
        given += 1
        for _ in range(20):
            threading.Event().wait(0.001)
            assert len(asked) <= given + 2 * fanout.AHEAD + 1
    assert (given, len(asked)) == (40, 40)


def test_a_running_scan_is_stopped_by_the_deadline_and_its_connection_goes_on(
    store: Store, make_event: MakeEvent
) -> None:
    store.append([make_event(START + number, data='{"text":"' + "x" * 2_000 + '"}') for number in range(4_000)])
    store.count(Filter())
    found = store.count(Filter(text="not there"), deadline_ms=1)
    assert (found.count, found.partitions.unasked) == (0, 1)
    assert store.count(Filter()).count == 4_000
    assert store.counters().opened == 1


def test_pages_of_many_readers_hold_all_that_was_there_while_writers_write(store: Store, make_event: MakeEvent) -> None:
    fill(store, make_event, days=4)
    before = {row["id"] for row in store.search(Filter(), limit=1_000).rows}
    stop = threading.Event()
    wrong: list[str] = []

    def write() -> None:
        at = 0
        while not stop.is_set():
            at += 1
            store.append([make_event(START + (at % 5) * DAY + 1_000 + at, src="a.b"), make_event(START + at % 9 * DAY)])

    def read(oldest_first: bool) -> None:
        for _ in range(8):
            seen, _ = walk(store, Filter(), oldest_first=oldest_first, deadline_ms=None)
            if len(seen) != len(set(seen)):
                wrong.append("a row came twice")
            if not before <= set(seen):
                wrong.append("a row was skipped")
            if seen != sorted(seen, key=lambda one: int(str(one)), reverse=not oldest_first):
                wrong.append("not in order")

    writer = threading.Thread(target=write)
    readers = [threading.Thread(target=read, args=(bool(number % 2),)) for number in range(3)]
    for thread in (writer, *readers):
        thread.start()
    for thread in readers:
        thread.join()
    stop.set()
    writer.join()
    assert wrong == []
