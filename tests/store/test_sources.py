"""The src there are: as counting every event by hand would say, in pages that neither skip nor repeat."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eyelet_ingest.errors import BadInput
from eyelet_ingest.events import Event
from eyelet_ingest.store import layout
from eyelet_ingest.store.maintenance import Maintenance
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

DAY_US = 86_400_000_000
START_US = 1_773_792_000_000_000  # 2026-03-18T00:00:00Z

MakeEvent = Callable[..., Event]
NAMES = ["", "a", "a.b", "a.b.c", "ab", "a-b", "b", "hero.proc", "hero.proc.x", "hero.process"]


def listed(store: Store, where: Filter, limit: int) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    after: str | None = None
    while True:
        page = store.sources(where, limit=limit, after=after)
        for one in page.sources:
            assert one.src not in found
            found[one.src] = (one.count, one.newest_us)
        assert list(found) == sorted(found)
        after = page.next
        if after is None:
            return found


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    events=st.lists(st.tuples(st.integers(0, 3 * DAY_US), st.sampled_from(NAMES)), max_size=40),
    since=st.none() | st.integers(0, 3 * DAY_US),
    src=st.sampled_from([(), ("a",), ("a*",), ("hero.proc",), ("b", "a.b"), ("*",), ("a", "a*")]),
    limit=st.integers(1, 5),
    maintained=st.booleans(),
    late=st.lists(st.tuples(st.integers(0, 3 * DAY_US), st.sampled_from(NAMES)), max_size=10),
)
def test_sources_are_what_counting_every_event_says(
    tmp_path: Path,
    make_event: MakeEvent,
    events: list[tuple[int, str]],
    since: int | None,
    src: tuple[str, ...],
    limit: int,
    maintained: bool,
    late: list[tuple[int, str]],
) -> None:
    with Store(str(tmp_path / os.urandom(8).hex())) as store:
        store.append([make_event(START_US + at, src=name) for at, name in events])
        if maintained:
            Maintenance(store.root, least_events=1).run(store.catalog.partitions(), 60_000)
        store.append([make_event(START_US + at, src=name) for at, name in late])
        where = Filter(since_us=None if since is None else START_US + since, src=src)
        rows = store.search(where, limit=1_000).rows
        counts = Counter(str(row["src"]) for row in rows)
        newest = {name: max(int(str(row["id"])) for row in rows if row["src"] == name) for name in counts}
        assert listed(store, where, limit) == {name: (counts[name], newest[name]) for name in counts}


def test_counts_of_common_names_are_right(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(START_US + n, src="a" if n % 2 else "b") for n in range(20_000)])
    assert listed(store, Filter(), 10) == {
        "a": (10_000, START_US + 19_999),
        "b": (10_000, START_US + 19_998),
    }


def test_a_broken_day_is_named_and_the_others_are_listed(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(START_US, src="a"), make_event(START_US + DAY_US, src="b")])
    Path(layout.db_path(store.root, layout.key_for("default", START_US))).write_bytes(b"this is no database" * 500)
    found = store.sources(Filter())
    assert [one.src for one in found.sources] == ["b"]
    assert [bad.day for bad in found.partitions.unreadable] == ["2026-03-18"]


def test_other_conditions_are_refused(store: Store) -> None:
    with pytest.raises(BadInput, match="only contexts, src and a range"):
        store.sources(Filter(tool_name=("Bash",)))
