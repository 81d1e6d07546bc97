"""Old logs beside the root are found by the search page, say where they are from, and have no page of a day."""

import gzip
from typing import Any

import pytest

from eyelet_ingest.store import alongside
from eyelet_ingest.store.store import Store

NOON_US = 1_774_008_000_000_000


@pytest.fixture
def old(root: str, store: Store, make_event: Any) -> str:
    store.append([make_event(NOON_US, src="own.event")])
    path = alongside.path_of(root, "before")
    with Store(path) as side:
        side.append([make_event(NOON_US + 1_000, src="old.event")])
    return path


async def test_the_search_finds_both_and_says_which_is_from_beside_the_root(
    open_site: Any, root: str, old: str
) -> None:
    site = await open_site()
    rows = (await site.json("/-/eyelet.json?range=all"))["rows"]
    assert [(row["src"], row.get("alongside")) for row in rows] == [("old.event", "before"), ("own.event", None)]
    assert not any("root" in row for row in rows)
    assert (rows[0]["links"]["row"], rows[0]["links"]["day"]) == (None, None)
    assert rows[1]["links"]["row"] and rows[1]["links"]["day"]
    page = (await site.get("/-/eyelet?range=all")).text
    assert "before" in page and old not in page


async def test_the_event_page_shows_it_and_an_export_is_of_the_root_alone(open_site: Any, root: str, old: str) -> None:
    site = await open_site()
    event = await site.json(f"/-/eyelet/event/default/{NOON_US + 1_000}.json")
    assert (event["row"]["src"], event["row"]["alongside"]) == ("old.event", "before")
    exported = await site.get("/-/eyelet/api/export")
    lines = gzip.decompress(exported.content)
    assert b"own.event" in lines and b"old.event" not in lines
