"""Following what arrives: each event is given once, whenever one looks, comes back, or its day was made."""

import os
import tempfile
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelet_ingest.errors import BadInput
from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, layout, position, watch
from eyelet_ingest.store.layout import DAY_US, PartitionKey
from eyelet_ingest.store.position import Position
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

START = PartitionKey("default", 2026, 79).bounds_us[0]
MakeEvent = Callable[..., Event]

# What happens: events of a kind into a day of a context, a look, a break after which one comes back by the position.
ADD = st.tuples(
    st.sampled_from(["default", "work"]), st.integers(0, 2), st.sampled_from(["Bash", "Read"]), st.integers(1, 3)
)
STEPS = st.lists(st.one_of(ADD, st.sampled_from(["look", "back", "anew"])), max_size=14)
WHERES = [
    Filter(),
    Filter(tool_name=("Bash",)),
    Filter(contexts=("work",)),
    Filter(text="word-1"),
    Filter(since_us=START + DAY_US),
]


def event(at_us: int, tool: str, number: int) -> Event:
    return Event(
        time_us=at_us,
        uid=os.urandom(16),
        hook_type="PostToolUse",
        tool_name=tool,
        data=f'{{"tool_input":{{"command":"word-{number % 3} {number}"}}}}',
    )


def matches(where: Filter, context: str, one: Event, number: int) -> bool:
    return (
        (not where.tool_name or one.tool_name in where.tool_name)
        and (not where.contexts or context in where.contexts)
        and (not where.text or number % 3 == 1)
        and (where.since_us is None or one.time_us >= where.since_us)
    )


@settings(max_examples=int(os.environ.get("EYELET_EXAMPLES", "25")), deadline=None)
@given(steps=STEPS, where=st.sampled_from(WHERES))
def test_each_event_that_matches_is_given_once_however_one_looks_and_comes_back(
    steps: list[object], where: Filter
) -> None:
    with tempfile.TemporaryDirectory() as root, Store(root) as store:
        store.append([event(START, "Bash", 1)])
        following = store.watch()
        left = following.position(store.roots, where).text
        wanted: list[str] = []
        given: list[str] = []
        number = 1
        for step in [*steps, "look", "back"]:
            if isinstance(step, tuple):
                context, day, tool, count = step
                for _ in range(count):
                    number += 1
                    made = event(START + day * DAY_US + number, tool, number)
                    store.append([made], context)
                    wanted += [made.uid.hex()] if matches(where, context, made, number) else []
                continue
            if step == "anew":  # the server was started anew
                following = store.watch()
            is_look = step == "look"
            intervals = following.look() if is_look else following.since(store.roots, where, Position.read(left))
            given += [str(row["uid"]) for row in store.news(where, intervals, 100).rows]
            left = following.position(store.roots, where).text
            if step != "look":  # what came since the last look is found by the next
                given += [str(row["uid"]) for row in store.news(where, following.look(), 100).rows]
                left = following.position(store.roots, where).text
        assert sorted(given) == sorted(wanted)


def arrived_before(store: Store, key: PartitionKey, event_id: int, us: int) -> None:
    conn = connect.open_writer(layout.db_path(store.root, key))
    conn.execute("update hooks set arrived = arrived - ? where id = ?", (us, event_id))
    conn.close()


def test_what_was_committed_late_is_not_lost_by_who_comes_back(store: Store, make_event: MakeEvent) -> None:
    """Two writers, two days: the one that took its place in the order of arrival first is seen last."""
    (late,) = store.append([make_event(START)], "a").partitions
    store.append([make_event(START)], "b")
    arrived_before(store, late, START, 10_000_000)
    following = store.watch()
    store.append([make_event(START + 1)], "b")
    following.look()
    left = following.position(store.roots, Filter()).text
    store.append([make_event(START + 2)], "a")
    arrived_before(store, late, START + 2, 1_000_000)
    for intervals in (following.look(), store.watch().since(store.roots, Filter(), Position.read(left))):
        assert [row["id"] for row in store.news(Filter(), intervals, 10).rows] == [START + 2]


def test_of_more_than_asked_for_the_newest_are_given_and_the_others_counted(
    store: Store, make_event: MakeEvent
) -> None:
    following = store.watch()
    store.append([make_event(START + number, data='{"a":"word"}') for number in range(50)])
    store.append([make_event(START + number, data='{"a":"word"}') for number in range(50)], "work")
    intervals = following.look()
    for where in (Filter(), Filter(text="word")):
        for most in (0, 7, 60, 100):
            found = store.news(where, intervals, most)
            assert (len(found.rows), found.more, found.unread) == (most, 100 - most, 0)
            arrived = [int(str(row["arrived"])) for row in found.rows]
            assert arrived == sorted(arrived)
    assert following.look() == {}


def test_a_text_is_looked_for_in_the_newest_and_the_others_are_named(
    store: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "TEXT_ROWS_MOST", 10)
    following = store.watch()
    store.append([make_event(START + number, data='{"a":"word"}') for number in range(25)])
    found = store.news(Filter(text="word"), following.look(), 5)
    assert (len(found.rows), found.more, found.unread) == (5, 5, 15)
    assert [row["id"] for row in found.rows] == [START + number for number in range(20, 25)]


def test_a_look_opens_only_days_that_changed(store: Store, make_event: MakeEvent) -> None:
    for day in range(6):
        store.append([make_event(START + day * DAY_US)])
    old = time.time() - 3_600
    for key in store.catalog.partitions():
        for end in ("", "-wal", "-shm"):
            path = layout.db_path(store.root, key) + end
            if os.path.exists(path):
                os.utime(path, (old, old))
    before = store.counters().scanned
    following = store.watch()
    assert store.counters().scanned == before
    (changed,) = store.append([make_event(START + 3 * DAY_US + 1)]).partitions
    assert list(following.look()) == [layout.db_path(store.root, changed)]
    assert store.counters().scanned == before + 1


def test_a_day_that_cannot_be_read_is_caught_up_with_later(store: Store, make_event: MakeEvent) -> None:
    (key,) = store.append([make_event(START)]).partitions
    following = store.watch()
    path = layout.db_path(store.root, key)
    store.append([make_event(START + 1)])
    store.release(key)
    os.rename(path, path + ".away")
    with open(path, "wb") as file:
        file.write(b"no database at all" * 500)
    assert following.look() == {}
    left = following.position(store.roots, Filter()).text
    store.release(key)
    os.rename(path + ".away", path)
    for found in (following.look(), store.watch().since(store.roots, Filter(), Position.read(left))):
        assert START + 1 in [row["id"] for row in store.news(Filter(), found, 10).rows]


def test_a_position_says_nothing_of_days_that_one_may_not_see(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(START)], "secret")
    store.append([make_event(START)], "work")
    following = store.watch()
    limited = store.limited_to(frozenset(("work",)))
    for text in (following.position(limited.roots, Filter()).text, limited.position(Filter())):
        assert "work" in text and "secret" not in text


@given(
    floor=st.integers(0, 10**16),
    named=st.dictionaries(
        st.builds(
            lambda context, day, at: f"{context}-2026-{day:03d}" + (f"@{at}" if at else ""),
            st.from_regex(r"[a-z0-9_-]{1,20}", fullmatch=True),
            st.integers(1, 365),
            st.integers(0, 99),
        ),
        st.integers(0, 10**16),
        max_size=20,
    ),
)
def test_a_position_is_read_as_it_was_written(floor: int, named: dict[str, int]) -> None:
    written = Position(floor, named)
    assert "\n" not in written.text and written.text.isascii()
    read = Position.read(written.text)
    assert (read.floor_us, read.named) == (floor, named)


@given(text=st.one_of(st.text(max_size=40), st.from_regex(r"\d{1,17}(~[a-z0-9@:-]{1,30}){0,3}", fullmatch=True)))
def test_a_position_of_others_is_refused_or_means_something(text: str) -> None:
    try:
        found = Position.read(text)
    except BadInput as refused:
        assert "not one this software gave" in str(refused)
        return
    assert Position.read(found.text).named == found.named


def test_a_position_is_no_longer_than_a_header_may_be() -> None:
    named = {f"{'x' * 60}-2026-{day:03d}@{at}": day for day in range(1, 366) for at in range(1, 4)}
    text = Position(0, named).text
    assert len(text) <= position.TEXT_MOST_CHARS + 1
    assert len(Position.read(text).named) == position.NAMED_MOST
