"""A row that sqlite-utils inserted is an event like any other: in the JSON, on the page, in order."""

from typing import Any

import sqlite_utils

from eyelet_ingest.store import layout
from eyelet_ingest.store.store import Store

NOON_US = 1_774_008_000_000_000


async def test_a_row_made_by_hand_is_on_the_page_and_in_the_json_in_its_place(
    site: Any, store: Store, record: Any
) -> None:
    record(NOON_US, NOON_US + 2_000_000, hook_type="Recorded")
    (key,) = store.catalog.partitions()
    row = {"timestamp": NOON_US / 1e6 + 1, "hook_type": "ByHand", "data": {"<b>said": "hello"}}
    sqlite_utils.Database(layout.db_path(store.root, key))["hooks"].insert_all([row, row])

    found = (await site.json("/-/eyelet.json?range=all"))["rows"]
    assert [one["hook_type"] for one in found] == ["Recorded", "ByHand", "ByHand", "Recorded"]
    assert [one["id"] for one in found[1:3]] == [NOON_US + 1_000_001, NOON_US + 1_000_000]
    assert found[1]["data"] == {"<b>said": "hello"} and found[1]["uid"] != found[2]["uid"]
    assert (found[1]["src"], found[1]["error"], found[1]["status"]) == ("", 0, "ok")
    page = await site.get("/-/eyelet?range=all&type=ByHand")
    assert page.status_code == 200 and "ByHand" in page.text and "<b>said" not in page.text
    for one in found[1:3]:
        event = await site.get(f"/-/eyelet/event/default/{one['id']}")
        assert event.status_code == 200 and "hello" in event.text
