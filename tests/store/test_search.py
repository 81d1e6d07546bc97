"""Search over partitions equals a search over one list, and tells the truth about itself."""

import os
import shutil
import time
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eyelet_ingest.errors import BadInput
from eyelet_ingest.events import Event
from eyelet_ingest.store import catalog, choice, fanout, layout
from eyelet_ingest.store.answers import SearchResult
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

START = layout.PartitionKey("default", 2026, 79).bounds_us[0]
DAY = layout.DAY_US
SOURCES = ["hero.proc", "hero.proc.worker", "hero.process", "hero", "a.b", ""]
MakeEvent = Callable[..., Event]


def walk(store: Store, where: Filter, size: int, oldest_first: bool = False) -> list[tuple[int, str]]:
    """The keys of every page from the first to the last."""
    seen: list[tuple[int, str]] = []
    after = None
    while True:
        page = store.search(where, limit=size, after=after, oldest_first=oldest_first)
        assert len(page.rows) <= size
        assert page.rows or page.next is None
        seen += [(int(str(row["id"])), str(row["context_name"])) for row in page.rows]
        after = page.next
        if after is None:
            return seen


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["one", "two"]),
        st.integers(START - DAY // 2, START + 2 * DAY) | st.sampled_from([START, START - 1, START + DAY, START + 5]),
        st.sampled_from(SOURCES),
        st.sampled_from(["PreToolUse", "PostToolUse"]),
        st.sampled_from(["Bash", "Read", None]),
        st.sampled_from(["s1", "s2", ""]),
        st.booleans(),
        st.sampled_from(["needle", 'qu"ote\n', "100%_", "é"]),
    ),
    max_size=40,
)
FILTERS = st.builds(
    Filter,
    since_us=st.none() | st.integers(START - DAY, START + 2 * DAY),
    until_us=st.none() | st.integers(START - DAY, START + 3 * DAY),
    contexts=st.sampled_from([(), ("one",), ("two", "none")]),
    src=st.sampled_from([(), ("hero.proc",), ("hero.proc*",), ("hero", "a.b"), ("*",)]),
    hook_type=st.sampled_from([(), ("PreToolUse",)]),
    tool_name=st.sampled_from([(), ("Bash",), ("Bash", "Read")]),
    session_id=st.sampled_from([(), ("s1",)]),
    errors=st.booleans(),
    text=st.sampled_from(["", "needle", "NEEDLE", 'u"ote\n', "0%_", "É"]),
    exact=st.just(True),
)


def expected(where: Filter, row: tuple[str, int, dict[str, object]]) -> bool:
    """The filter's meaning, written a second time in plain Python over one list."""
    context, event_id, event = row
    src = str(event["src"])
    text = str(event["text"])

    def below(wanted: str) -> bool:
        if wanted.endswith("*"):
            return src.startswith(wanted[:-1])
        return src == wanted or src.startswith(wanted + ".")

    return (
        (where.since_us is None or event_id >= where.since_us)
        and (where.until_us is None or event_id < where.until_us)
        and (not where.contexts or context in where.contexts)
        and (not where.src or any(below(wanted) for wanted in where.src))
        and (not where.hook_type or event["hook_type"] in where.hook_type)
        and (not where.tool_name or event["tool_name"] in where.tool_name)
        and (not where.session_id or event["session_id"] in where.session_id)
        and (not where.errors or bool(event["error"]))
        and where.text in text
    )


@pytest.mark.parametrize("threads", [False, True], ids=["alone", "threads"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(EVENTS, st.lists(FILTERS, min_size=1, max_size=4), st.integers(1, 12), st.booleans(), st.randoms())
def test_search_equals_sorting_one_big_list(threads, events, filters, size, oldest_first, shuffle) -> None:  # type: ignore[no-untyped-def]
    import json

    with TemporaryDirectory() as folder, Store(folder, max_open=3) as store, pytest.MonkeyPatch.context() as patch:
        if threads:  # from the first partition on
            patch.setattr(fanout, "SCAN_MS", -1.0)
            patch.setattr(fanout, "_threads", lambda: 3)
        patch.setattr(choice, "COMMON_EVENTS", 3)
        patch.setattr(choice, "FAR_EVENTS", 5)
        shuffle.shuffle(events)
        for at, (context, time_us, src, hook_type, tool, session, error, text) in enumerate(events):
            event = Event(
                time_us=time_us, uid=b"%16d" % at, src=src, hook_type=hook_type, tool_name=tool, session_id=session,
                error=int(error), data=json.dumps({"text": text}),
            )  # fmt: skip
            assert store.append([event], context).stored == 1
        everything = [
            (str(row["context_name"]), int(str(row["id"])), {**row, "text": json.loads(str(row["data"]))["text"]})
            for row in store.search(Filter(), limit=1000).rows
        ]
        assert len(everything) == len(events)
        for where in filters:
            wanted = sorted(((i, c) for c, i, e in everything if expected(where, (c, i, e))), reverse=not oldest_first)
            assert walk(store, where, size, oldest_first) == wanted
            assert store.count(where).count == len(wanted)
            assert store.summary(where).events == len(wanted)


def fill(store: Store, make_event: MakeEvent, days: int = 10) -> None:
    store.append([make_event(START + day * DAY + minute, src="a.b") for day in range(days) for minute in range(10)])


def test_a_full_page_opens_only_the_newest_days(store: Store, make_event: MakeEvent) -> None:
    fill(store, make_event)
    truth = store.search(Filter(), limit=15).partitions
    assert (truth.scanned, truth.skipped) == (2, 8)


def test_a_range_opens_only_its_days(store: Store, make_event: MakeEvent) -> None:
    fill(store, make_event)
    where = Filter(since_us=START + 3 * DAY, until_us=START + 5 * DAY)
    found = store.search(where)
    assert (len(found.rows), found.partitions.scanned, found.partitions.skipped) == (20, 2, 8)
    assert store.count(where).partitions.skipped == 8


def test_a_range_of_one_context_opens_only_its_days(store: Store, make_event: MakeEvent) -> None:
    for context in ("one", "two"):
        store.append([make_event(START + day * DAY) for day in range(10)], context)
    found = store.search(Filter(since_us=START + 3 * DAY, until_us=START + 5 * DAY, contexts=("one",)))
    assert len(found.rows) == 2
    assert (found.partitions.scanned, found.partitions.skipped) == (2, 18)


def test_the_last_page_gives_no_cursor_even_when_it_is_full(store: Store, make_event: MakeEvent) -> None:
    fill(store, make_event, days=2)
    page = store.search(Filter(), limit=20)
    assert (len(page.rows), page.next) == (20, None)


def test_pages_neither_skip_nor_repeat_while_events_arrive(store: Store, make_event: MakeEvent) -> None:
    fill(store, make_event, days=3)
    before = {row["id"] for row in store.search(Filter(), limit=1000).rows}
    seen: list[object] = []
    after = None
    while True:
        page = store.search(Filter(), limit=7, after=after)
        seen += [row["id"] for row in page.rows]
        store.append([make_event(START + 5 * DAY), make_event(START + DAY + 5)])
        after = page.next
        if after is None:
            break
    assert len(seen) == len(set(seen))
    assert before <= set(seen)


def test_a_hidden_value_deep_in_the_past_is_found(store: Store, make_event: MakeEvent) -> None:
    """Beyond the rows that are tried in order of time, the index has to answer."""
    store.append([make_event(START, src="rare.one", session_id="old")])
    store.append([make_event(START + 10 + number, src="common") for number in range(3_000)])
    assert len(store.search(Filter(src=("rare",))).rows) == 1
    assert len(store.search(Filter(session_id=("old",))).rows) == 1
    assert len(store.search(Filter(src=("common",)), limit=2_900).rows) == 2_900


@pytest.mark.parametrize(
    "cursor", ["x", "1", "1.", ".a", "-1.a", "1.A", "1.a.b", "1.../etc", "9" * 30 + ".a", "１.a", "1.a\x00", "' or 1.a"]
)
def test_a_forged_cursor_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(BadInput, match="cursor"):
        store.search(Filter(), after=cursor)


def test_a_page_of_nothing_is_refused(store: Store) -> None:
    with pytest.raises(BadInput):
        store.search(Filter(), limit=0)


def test_a_search_text_that_is_no_unicode_finds_nothing_and_does_not_raise(store: Store, make_event: MakeEvent) -> None:
    fill(store, make_event, days=1)
    assert store.search(Filter(text="\udcff")).rows == []
    assert store.search(Filter(session_id=("\udcff",))).rows == []


def test_an_overlong_search_text_is_refused(store: Store, make_event: MakeEvent) -> None:
    fill(store, make_event, days=1)
    with pytest.raises(BadInput, match="10000"):
        store.search(Filter(text="x" * 10_001))


def test_the_payload_is_cut_where_asked_and_its_length_told(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(START, data='{"a":"' + "é" * 100 + '"}')])
    (row,) = store.search(Filter(), cut_chars=10).rows
    assert (row["data"], row["data_chars"]) == ('{"a":"éééé', 108)
    assert store.event("default", START) == store.search(Filter()).rows[0]


@pytest.mark.parametrize("event_id", [START + 1, -1, 2**62, 2**70, 0])
def test_an_unknown_event_is_none(store: Store, make_event: MakeEvent, event_id: int) -> None:
    store.append([make_event(START)])
    assert store.event("default", event_id) is None
    assert store.event("nobody", START) is None


def test_a_new_day_and_a_removed_day_are_seen_at_once(store: Store, make_event: MakeEvent) -> None:
    fill(store, make_event, days=2)
    assert store.count(Filter()).count == 20
    store.append([make_event(START + 400 * DAY)], "other")
    assert store.count(Filter()).count == 21
    assert store.contexts() == ["default", "other"]
    newest = store.newest_day()
    assert newest is not None and newest.context == "other"
    shutil.rmtree(Path(layout.db_path(store.root, newest)).parent)
    assert store.count(Filter()).count == 20


def test_a_day_made_in_the_same_tick_of_the_clock_as_the_listing_is_seen_at_last(
    store: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that changes again within one tick keeps its time of change: what was listed so early is listed anew."""
    monkeypatch.setattr(catalog, "SETTLED_NS", 600_000_000_000)  # however long this test takes
    fill(store, make_event, days=1)
    year = Path(layout.db_path(store.root, layout.PartitionKey("default", 2026, 79))).parent.parent
    tick_ns = year.stat().st_mtime_ns
    assert len(store.catalog.partitions()) == 1
    store.append([make_event(START + DAY)])
    os.utime(year, ns=(tick_ns, tick_ns))
    assert len(store.catalog.partitions()) == 2


def test_a_settled_listing_costs_a_look_at_each_folder_and_no_more(
    store: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "SETTLED_NS", 50_000_000)
    for context in ("one", "two", "three"):
        store.append([make_event(START), make_event(START + 400 * DAY)], context)
    shutil.rmtree(Path(layout.logs_dir(store.root)) / "three")
    time.sleep(0.1)
    keys = store.catalog.partitions()
    listed: list[object] = []
    listdir = os.listdir
    monkeypatch.setattr(catalog.os, "listdir", lambda folder: listed.append(folder) or listdir(folder))
    assert (store.catalog.partitions() is keys, listed) == (True, [])
    store.append([make_event(START + DAY)], "two")
    assert len(store.catalog.partitions()) == 5
    logs = layout.logs_dir(store.root)
    assert listed == [logs, os.path.join(logs, "two", "2026")]  # who makes a day touches `logs/`


def test_many_settled_folders_cost_one_look_and_hide_no_new_day(
    store: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "SETTLED_NS", 50_000_000)
    monkeypatch.setattr(catalog, "FEW_FOLDERS", 4)
    monkeypatch.setattr(catalog, "LOOK_AGAIN_S", 600.0)
    for context in ("one", "two", "three"):
        store.append([make_event(START)], context)
    time.sleep(0.1)
    store.catalog.partitions()
    assert len(store.catalog.partitions()) == 3
    looked: list[object] = []
    stat = os.stat
    with monkeypatch.context() as watched:
        watched.setattr(catalog.os, "stat", lambda path: looked.append(path) or stat(path))
        store.catalog.partitions()
    assert looked == [layout.logs_dir(store.root)]
    with Store(store.root) as other:  # as another process would
        other.append([make_event(START + DAY)], "two")
    assert len(store.catalog.partitions()) == 4
    copied = Path(layout.logs_dir(store.root), "three", "2026", "080")
    time.sleep(0.1)
    store.catalog.partitions()
    assert len(store.catalog.partitions()) == 4
    shutil.copytree(copied.parents[2] / "two" / "2026" / "080", copied)
    assert len(store.catalog.partitions()) == 4
    monkeypatch.setattr(catalog, "LOOK_AGAIN_S", 0.0)  # the time has come to look at all
    assert len(store.catalog.partitions()) == 5


def test_what_is_no_partition_is_passed_over(store: Store, make_event: MakeEvent) -> None:
    fill(store, make_event, days=1)
    logs = Path(layout.logs_dir(store.root))
    (logs / "README").write_text("mine")
    (logs / "Upper").mkdir()
    (logs / "default" / "notes").mkdir()
    (logs / "default" / "2026" / "400").mkdir()
    (logs / "default" / "2026" / "080").mkdir()
    (logs / "default" / "2025").write_text("mine")
    found = store.search(Filter())
    assert (len(found.rows), found.partitions.unreadable) == (10, ())


def test_rows_have_every_column_and_the_context(store: Store, make_event: MakeEvent) -> None:
    from eyelet_ingest.store import schema

    fill(store, make_event, days=1)
    result: SearchResult = store.search(Filter(), limit=1)
    assert list(result.rows[0]) == ["context_name", *schema.COLUMNS, *schema.DERIVED, "data_chars"]
    assert attrgetter("scanned", "unreadable")(result.partitions) == (1, ())


def test_a_folder_that_cannot_be_looked_into_is_named_and_hides_nothing(store: Store, make_event: MakeEvent) -> None:
    fill(store, make_event, days=2)
    logs = Path(layout.logs_dir(store.root))
    (logs / "loop").symlink_to("loop")
    (logs / "default" / "2025").symlink_to("2025")
    found = store.search(Filter())
    assert len(found.rows) == 20
    assert [(bad.context, bad.day) for bad in found.partitions.unreadable] == [("default", "2025"), ("loop", "")]


@pytest.mark.parametrize("name", ["plain", "with space", "50%", "what?", "#1", "ünï", "//double"])
def test_a_root_may_have_any_name(tmp_path: Path, make_event: MakeEvent, name: str) -> None:
    root = f"/{tmp_path}/x" if name == "//double" else str(tmp_path / name)
    with Store(root) as store:
        store.append([make_event(START)])
        found = store.search(Filter())
        assert (len(found.rows), found.partitions.unreadable) == (1, ())


@pytest.mark.parametrize("where", [Filter(text='"é'), Filter(src=("a",) * 1_001), Filter(status=("x",) * 300)])
def test_what_sqlite_cannot_be_asked_is_refused_and_blames_no_day(
    store: Store, make_event: MakeEvent, where: Filter
) -> None:
    fill(store, make_event, days=1)
    for ask in (store.search, store.count, store.summary):
        with pytest.raises(BadInput):
            ask(where)
