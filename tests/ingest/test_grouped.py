"""What comes together is stored together, and nothing waits for what does not come."""

import os
import time
from collections.abc import Iterator

import pytest

from eyelet_ingest import grouped
from eyelet_ingest.events import Event
from eyelet_ingest.grouped import Grouped
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store


@pytest.fixture
def writer(root: str) -> Iterator[Grouped]:
    with Store(root) as store:
        made = Grouped(store)
        yield made
        made.close()


def event() -> Event:
    return Event(hook_type="Stop", data="{}", uid=os.urandom(16), time_us=time.time_ns() // 1_000)


def test_events_that_come_together_go_into_one_transaction(writer: Grouped, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouped, "GATHER_S", 30)
    for many in (1, 5, grouped.GATHER_EVENTS):
        before = writer.groups
        done = [writer.put("default", event(), more=at < many - 1) for at in range(many)]
        for one in done:
            assert one is not None
            one.result(10)
        assert writer.groups == before + 1
    assert writer.store.count(Filter()).count == 6 + grouped.GATHER_EVENTS


def test_enough_events_wait_for_no_more(writer: Grouped, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouped, "GATHER_S", 30)
    done = [writer.put("default", event(), more=True) for _ in range(grouped.GATHER_EVENTS)]
    for one in done:
        assert one is not None
        one.result(10)


def test_an_event_whose_company_never_comes_is_stored_all_the_same(writer: Grouped) -> None:
    """Whoever was expected may say nothing that is to be recorded, or be stuck."""
    for _ in range(3):
        done = writer.put("default", event(), more=True)
        assert done is not None
        done.result(10)
    assert writer.store.count(Filter()).count == 3


def test_who_ends_waits_for_no_company(writer: Grouped, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouped, "GATHER_S", 30)
    done = writer.put("default", event(), more=True)
    writer.close()
    assert done is not None and done.done()
