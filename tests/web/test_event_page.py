"""One event whole, at an address that stays."""

import json
import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest


async def test_an_event_is_shown_whole_with_all_its_columns(site: Any, record: Any, now_us: int) -> None:
    payload = {"tool_name": "Bash", "tool_input": {"command": "make"}, "long": "x" * 10_000 + " the end"}
    [event_id] = record(
        now_us,
        hook_type="PostToolUse",
        tool_name="Bash",
        tool_use_id="toolu_1",
        session_id="s-1",
        hostname="box",
        data=json.dumps(payload),
        meta={"git": {"branch": "main", "commit": "abc123"}},
    )
    answer = await site.get(f"/-/eyelet/event/default/{event_id}")
    assert answer.status_code == 200
    for said in ("the end", "toolu_1", "box", "abc123", "PostToolUse", str(event_id), "← Search", "this session"):
        assert said in answer.text
    found = await site.json(f"/-/eyelet/event/default/{event_id}.json")
    assert found["ok"] is True
    assert found["row"]["data"] == payload
    assert found["row"]["truncated"] is False


@pytest.mark.parametrize(
    "path",
    [
        "default/1",
        "nobody/1",
        "default/abc",
        "default/-1",
        "default/99999999999999999999999999",
        "default/9999999999999999",
        "default/1e5",
        "default/%D9%A1",
        "%2e%2e%2f%2e%2e%2fetc/1",
        "Default/1",
        "%00/1",
        "%ff%fe/1",
    ],
)
async def test_an_unknown_event_is_404_in_both_forms(site: Any, record: Any, now_us: int, path: str) -> None:
    record(now_us)
    answer = await site.get(f"/-/eyelet/event/{path}")
    assert answer.status_code == 404
    beside = await site.get(f"/-/eyelet/event/{path}.json")
    assert beside.status_code == 404
    assert beside.json()["ok"] is False


def links(page: str) -> dict[str, str]:
    """Text → address, of a page's links; the last of equal texts."""
    found = re.findall(r'<a href="([^"]*)"[^>]*>(?:<[^>]*>)*([^<]+)', page)
    return {text: unescape(url) for url, text in found}


def query_of(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query)


async def test_the_zone_stays_on_the_way_to_an_event_and_from_it(site: Any, record: Any) -> None:
    record(1_774_015_402_123_456, session_id="s-1", hook_type="Stop")
    listed = links((await site.get("/-/eyelet?range=all&tz=Asia/Tokyo")).text)
    assert query_of(listed["Permalink"]) == {"tz": ["Asia/Tokyo"]}
    page = (await site.get(listed["23:03:22.123"])).text
    assert "2026-03-20 23:03:22.123 Asia/Tokyo" in page
    found = links(page)
    day = {"tz": ["Asia/Tokyo"], "context": ["default"], "from": ["2026-03-20"], "to": ["2026-03-20"]}
    assert query_of(found["this day"]) == day
    assert urlsplit(found["this session"]).path == "/-/eyelet/session/s-1"
    assert query_of(found["this session"]) == {"tz": ["Asia/Tokyo"]}
    assert query_of(found["Stop"]) == {"tz": ["Asia/Tokyo"], "range": ["all"], "type": ["Stop"]}
    assert (await site.get(found["this day"])).text.count('class="eyelet-row"') == 1


async def test_the_way_back_leads_to_the_search_one_came_from(site: Any, record: Any, now_us: int) -> None:
    record(*range(now_us - 5, now_us), tool_name="Bash", data='{"say": "a {brace"}')
    start = "/-/eyelet?range=7d&tool=Bash&tool=Edit&q=%7B&_size=2"
    second = links((await site.get(start)).text)["Older →"]
    listed = (await site.get(second)).text
    event = unescape(re.findall(r'class="at"><a href="([^"]*)"', listed)[0])
    back = links((await site.get(event)).text)["← Search"]
    assert query_of(back) == query_of(second)
    assert re.findall(r'class="at"><a href="([^"]*)"', (await site.get(back)).text) == re.findall(
        r'class="at"><a href="([^"]*)"', listed
    )


async def test_a_bare_event_leads_back_to_the_bare_search(site: Any, record: Any, now_us: int) -> None:
    [event_id] = record(now_us)
    assert links((await site.get(f"/-/eyelet/event/default/{event_id}")).text)["← Search"] == "/-/eyelet"


@pytest.mark.parametrize("query", ["tz=Mars/Olympus", "tz=%00", "back=https://example.com/", "tz=UTC&tz=Asia/Tokyo"])
async def test_what_an_event_cannot_be_asked_is_400(site: Any, record: Any, now_us: int, query: str) -> None:
    [event_id] = record(now_us)
    answer = await site.get(f"/-/eyelet/event/default/{event_id}?{query}")
    assert answer.status_code == 400
    assert 'href="https://example.com' not in answer.text


@pytest.mark.parametrize("elsewhere", ["//example.com", "https://example.com", "javascript:alert(1)"])
async def test_no_link_leads_elsewhere_whatever_the_address_says(
    site: Any, record: Any, now_us: int, elsewhere: str
) -> None:
    [event_id] = record(now_us)
    answer = await site.get(f"/-/eyelet/event/default/{event_id}?q={elsewhere}&range={elsewhere}&_next={elsewhere}")
    assert links(answer.text)["← Search"].startswith("/-/eyelet?")


async def test_a_status_that_nobody_can_search_is_no_link(site: Any, record: Any, now_us: int) -> None:
    [event_id] = record(now_us, status="weird")
    page = (await site.get(f"/-/eyelet/event/default/{event_id}")).text
    assert "weird" in page and "weird" not in links(page)
