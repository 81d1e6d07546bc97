"""Histograms: edges where one expects them, every event in one bucket, truth about what could not be asked."""

import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eyelet_ingest.errors import BadInput
from eyelet_ingest.events import Event
from eyelet_ingest.store import counting, histogram, layout
from eyelet_ingest.store.maintenance import Maintenance
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

DAY_US = layout.DAY_US
HOUR_US = DAY_US // 24
START = layout.PartitionKey("default", 2024, 79).bounds_us[0]

MakeEvent = Callable[..., Event]


@given(
    since=st.integers(0, 2**52),
    span=st.integers(1, 2**50),
    bucket=st.none() | st.integers(1, 2**45),
    buckets=st.integers(1, 500),
)
def test_edges_hold_the_range_and_are_multiples_of_one_width(
    since: int, span: int, bucket: int | None, buckets: int
) -> None:
    try:
        edges = histogram.edges(since, since + span, bucket, buckets, None)
    except BadInput:
        assert bucket is not None and span // bucket >= histogram.BUCKETS_MAX - 2
        return
    widths = {high - low for low, high in pairwise(edges)}
    assert len(widths) == 1
    width = widths.pop()
    assert edges[0] <= since < edges[0] + width and edges[-1] - width < since + span <= edges[-1]
    assert edges[0] % width == 0
    assert width == bucket if bucket else len(edges) - 1 <= buckets + 1


@pytest.mark.parametrize(
    ("span_us", "width_us"),
    [
        (30 * DAY_US, 12 * HOUR_US),
        (7 * DAY_US, 3 * HOUR_US),
        (DAY_US, 30 * 60_000_000),
        (HOUR_US, 60_000_000),
        (15 * 60_000_000, 15_000_000),
        (365 * DAY_US, 7 * DAY_US),
        (60, 1),
    ],
)
def test_widths_are_those_a_person_would_choose(span_us: int, width_us: int) -> None:
    edges = histogram.edges(START, START + span_us, None, histogram.BUCKETS, None)
    assert edges[1] - edges[0] == width_us


@pytest.mark.parametrize(
    "shape",
    [
        {"bucket_us": 0},
        {"bucket_us": 1},
        {"buckets": 0},
        {"buckets": 10_001},
        {"bounds": [START]},
        {"bounds": [START, START]},
        {"bounds": [START, START - 1]},
        {"bounds": [START, START + 1, START + DAY_US]},
        {"by": "session_id"},
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_with_the_reason(store: Store, make_event: MakeEvent, shape: dict[str, Any]) -> None:
    store.append([make_event(START)])
    with pytest.raises(BadInput, match="histogram"):
        store.histogram(Filter(since_us=START, until_us=START + DAY_US), **shape)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    times=st.lists(st.tuples(st.integers(0, 3 * DAY_US - 1), st.sampled_from(["a", "b", "c"])), max_size=60),
    bounds=st.lists(st.integers(-60, 4 * 24 * 60), min_size=2, max_size=30, unique=True),
    since=st.none() | st.integers(0, 3 * DAY_US),
    maintained=st.booleans(),
    many=st.booleans(),
)
def test_every_event_is_in_the_bucket_of_its_time(
    tmp_path: Path,
    make_event: MakeEvent,
    times: list[tuple[int, str]],
    bounds: list[int],
    since: int | None,
    maintained: bool,
    many: bool,
) -> None:
    with Store(str(tmp_path / os.urandom(8).hex())) as store, pytest.MonkeyPatch.context() as patched:
        if many:  # too many types and ranges for a look at each
            patched.setattr(counting, "TYPES_MAX", 1)
            patched.setattr(counting, "RANGES_MAX", 2)
        store.append([make_event(START + at, hook_type=name) for at, name in times])
        if maintained:
            Maintenance(store.root, least_events=1).run(store.catalog.partitions(), 60_000)
        edges = [START + minute * 60_000_000 for minute in sorted(bounds)]
        where = Filter(since_us=None if since is None else START + since)
        kept = [row for row in store.search(where, limit=1_000).rows if edges[0] <= int(str(row["id"])) < edges[-1]]
        for by in (None, "hook_type"):
            found = store.histogram(where, bounds=edges, by=by)
            assert found.bounds == edges
            for at, (low, high) in enumerate(pairwise(edges)):
                here = [row for row in kept if low <= int(str(row["id"])) < high]
                assert found.counts[at] == len(here)
                for name, stack in found.by.items():
                    assert stack[at] == sum(row["hook_type"] == name for row in here)
            assert sum(map(sum, found.by.values())) == (len(kept) if by else 0)
            totals = [sum(stack) for stack in found.by.values()]
            assert totals == sorted(totals, reverse=True)


def test_an_empty_root_has_an_empty_histogram(store: Store) -> None:
    found = store.histogram(Filter())
    assert sum(found.counts) == 0 and len(found.counts) == len(found.bounds) - 1
    assert store.histogram(Filter(since_us=START, until_us=START + HOUR_US)).counts == [0] * 60
    assert store.histogram(Filter(since_us=START, until_us=START)).counts == [0]


def test_partitions_beyond_the_bounds_are_not_asked(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(START + day * DAY_US) for day in range(5)])
    found = store.histogram(Filter(), bounds=[START + DAY_US, START + 2 * DAY_US])
    assert (found.counts, found.partitions.scanned, found.partitions.skipped) == ([1], 1, 4)


def test_a_broken_day_is_named_and_the_others_are_counted(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(START), make_event(START + DAY_US)])
    Path(layout.db_path(store.root, layout.key_for("default", START))).write_bytes(b"this is no database" * 500)
    found = store.histogram(Filter(), bucket_us=DAY_US)
    assert found.counts == [0, 1]
    assert [bad.day for bad in found.partitions.unreadable] == ["2024-03-19"]


def test_a_deadline_is_said(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(START), make_event(START + DAY_US)])
    found = store.histogram(Filter(), deadline_ms=-1)
    assert (sum(found.counts), found.partitions.unasked, found.partitions.complete) == (0, 2, False)
