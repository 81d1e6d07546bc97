"""Whatever another program wrote into a day, what is recorded next goes in, in its order, and once."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from eyelet_ingest.events import Event
from eyelet_ingest.store import connect, layout
from eyelet_ingest.store.maintenance import Maintenance
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

DAY = layout.PartitionKey("default", 2026, 79)
NOON = DAY.bounds_us[0] + layout.DAY_US // 2
MakeEvent = Callable[..., Event]

INSERT = "insert into hooks (id, uid, arrived, timestamp, hook_type) values (?, ?, ?, ?, 'by hand')"


def by_hand(root: str, sql: str, *values: object) -> list[Any]:
    conn = connect.driver().connect(layout.db_path(root, DAY), isolation_level=None)
    try:
        return list(conn.execute(sql, values))
    finally:
        conn.close()


@pytest.mark.parametrize("in_bulk", [False, True], ids=["one by one", "in bulk"])
@pytest.mark.parametrize(
    "arrived", [-(2**63), 0, 2**63 - 1, 2**62, 9.3e18, "never", b"\xff"], ids=lambda one: repr(one)[:12]
)
def test_no_place_in_the_order_of_arrival_that_others_gave_stops_what_arrives(
    store: Store, make_event: MakeEvent, arrived: object, in_bulk: bool
) -> None:
    store.append([make_event(NOON)])
    by_hand(store.root, INSERT, NOON + 1, os.urandom(16), arrived, 1.0)
    with store.bulk() if in_bulk else store:
        for at in range(3):
            assert store.append([make_event(NOON - at), make_event(NOON - at)]).refused == []
    mine = [
        at for (at,) in by_hand(store.root, "select arrived from hooks where hook_type <> 'by hand' order by rowid")
    ]
    assert len(mine) == len(set(mine)) == 7
    assert all(isinstance(at, int) and 10**15 < at < 2**62 for at in mine)
    assert Maintenance(store.root, least_events=1).run([DAY], 60_000).troubled == []
    assert store.count(Filter()).count == 8


@pytest.mark.parametrize("at", [-(2**63), -1, 0, 2**53, 2**63 - 1])
def test_no_id_that_others_gave_moves_an_event_out_of_its_day(store: Store, make_event: MakeEvent, at: int) -> None:
    store.append([make_event(NOON)])
    by_hand(store.root, INSERT, at, os.urandom(16), 1, 1.0)
    last_us = DAY.bounds_us[1] - 1
    times = [NOON, NOON, DAY.bounds_us[0], last_us, last_us, last_us]
    assert store.append([make_event(time_us) for time_us in times]).stored == len(times)
    ids = [id for (id,) in by_hand(store.root, "select id from hooks where hook_type <> 'by hand' order by id")]
    first_us, end_us = DAY.bounds_us
    assert ids == [first_us, NOON, NOON + 1, NOON + 2, end_us - 3, end_us - 2, end_us - 1]


def test_an_event_that_others_entered_under_another_time_is_known_all_the_same(
    store: Store, make_event: MakeEvent
) -> None:
    """Later than all the day holds, so that nobody looks for its uid: the unique index has the last word."""
    event = make_event(NOON + 10)
    store.append([make_event(NOON)])
    by_hand(store.root, INSERT, NOON - 10, event.uid, 5, 1.0)
    done = store.append([event, make_event(NOON + 20)])
    assert (done.stored, done.duplicates) == (1, 1)
