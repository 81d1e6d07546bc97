"""An export holds every event that matches, whole and once, oldest first."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from eyelet_ingest.errors import BadInput
from eyelet_ingest.events import Event
from eyelet_ingest.store import export, layout
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

DAY_US = 86_400_000_000
START_US = 1_773_792_000_000_000  # 2026-03-18T00:00:00Z

MakeEvent = Callable[..., Event]


def test_every_event_comes_once_oldest_first_whatever_the_page(
    store: Store, make_event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "PAGE_EVENTS", 7)
    for context in ("one", "two"):
        store.append([make_event(START_US + n * DAY_US // 10) for n in range(40)], context)
    exported = store.export(Filter())
    found = [(row["id"], row["context_name"]) for row in exported]
    assert found == sorted(found)
    assert len(set(found)) == exported.events == 80
    assert exported.unreadable == {}


def test_a_payload_longer_than_a_page_holds_comes_whole(store: Store, make_event: MakeEvent) -> None:
    data = json.dumps({"text": "ü" * export.CUT_CHARS})
    store.append([make_event(START_US, data=data), make_event(START_US + 1)])
    assert [row["data"] for row in store.export(Filter())] == [data, "{}"]


def test_a_broken_day_is_named_and_the_rest_comes(store: Store, make_event: MakeEvent) -> None:
    store.append([make_event(START_US), make_event(START_US + DAY_US)])
    Path(layout.db_path(store.root, layout.key_for("default", START_US))).write_bytes(b"this is no database" * 500)
    exported = store.export(Filter())
    assert len(list(exported)) == 1
    assert list(exported.unreadable) == [("default", "2026-03-18")]


def test_what_cannot_be_asked_is_refused_before_the_first_row(store: Store) -> None:
    with pytest.raises(BadInput):
        store.export(Filter(text="x" * 20_000))
