"""The search page: without JavaScript, everything in the URL, and true about what it looked at."""

import re
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from eyelet_ingest.store import layout
from eyelet_ingest.store.store import Store

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
ALL = "/-/eyelet?range=all"


def rows(page: str) -> list[str]:
    return re.findall(r'<tr role="row" class="eyelet-row.*?</tr>', page, re.DOTALL)


def link(page: str, text: str) -> str:
    found = re.search(rf'<a href="([^"]*)"[^>]*>[^<]*{re.escape(text)}', page)
    assert found, f"no link {text!r}"
    return unescape(found[1])


async def page(site: Any, path: str) -> str:
    answer = await site.get(path)
    assert answer.status_code == 200, answer.text
    text: str = answer.text
    return text


async def test_an_empty_root_says_how_to_record_and_how_to_import(site: Any) -> None:
    text = await page(site, "/-/eyelet")
    assert "Nothing is recorded yet" in text
    assert "eyelet ingest ~/.claude/projects" in text
    assert "eyelet-hook" in text
    assert "0 of 0 partitions scanned" in text


async def test_events_of_today_are_shown_by_default_newest_first(site: Any, record: Any, now_us: int) -> None:
    record(now_us - 1_000, data='{"prompt": "the older one"}', hook_type="UserPromptSubmit")
    record(now_us, data='{"prompt": "the newer one"}', hook_type="UserPromptSubmit")
    text = await page(site, "/-/eyelet")
    assert text.index("the newer one") < text.index("the older one")
    assert 'aria-current="true">today<' in text
    assert re.search(r"from \d{4}-\d\d-\d\d 00:00:00 to \d{4}-\d\d-\d\d 00:00:00 UTC", text)


async def test_an_empty_today_gives_way_to_the_newest_day_and_says_so(site: Any, record: Any, noon_us: int) -> None:
    record(noon_us - 5 * DAY_US, noon_us - 3 * DAY_US, data='{"prompt": "here I am"}')
    text = await page(site, "/-/eyelet")
    assert len(rows(text)) == 1
    assert "Nothing was recorded today" in text
    assert "the newest day that has data" in text
    date = layout.key_for("default", noon_us - 3 * DAY_US).date
    assert f"Showing {date}" in text
    assert f"from {date} 00:00:00" in text


async def test_an_empty_range_that_was_asked_for_stays_empty(site: Any, record: Any, noon_us: int) -> None:
    record(noon_us - 3 * DAY_US)
    text = await page(site, "/-/eyelet?range=today")
    assert rows(text) == []
    assert "Nothing was recorded today" not in text
    assert "No events match" in text


async def test_no_matches_names_the_conditions_to_drop_and_wider_ranges(site: Any, record: Any, now_us: int) -> None:
    record(now_us, tool_name="Bash")
    text = await page(site, "/-/eyelet?range=1h&tool=Nope&q=absent")
    assert "No events match" in text
    assert parse_qs(urlsplit(link(text, ["tool ", "bdi>Nope"][0])).query) == {"range": ["1h"], "q": ["absent"]}
    assert parse_qs(urlsplit(link(text, "last 7 days")).query)["range"] == ["7d"]
    assert len(rows(await page(site, link(text, "clear all") + "?range=1h"))) == 1


CASES = {
    "src": ("claude.posttooluse.bash", {"src": "claude.posttooluse.bash.git"}, {"src": "claude.posttooluse.bashful"}),
    "type": ("Stop", {"hook_type": "Stop"}, {"hook_type": "SubagentStop"}),
    "tool": ("Bash", {"tool_name": "Bash"}, {"tool_name": "BashOutput"}),
    "session": ("s-1", {"session_id": "s-1"}, {"session_id": "s-12"}),
    "status": ("denied", {"status": "denied"}, {"status": "ok"}),
    "branch": ("main", {"meta": {"git": {"branch": "main"}}}, {"meta": {"git": {"branch": "maintenance"}}}),
    "agent": ("claude", {"agent": "claude"}, {"agent": "codex"}),
    "model": ("opus", {"model": "opus"}, {"model": "haiku"}),
    "errors": ("1", {"error": 1}, {"error": 0}),
    "q": ("needle", {"data": '{"prompt": "a NEEDLE here"}'}, {"data": '{"prompt": "hay"}'}),
}


@pytest.mark.parametrize("name", CASES)
async def test_each_control_narrows_the_rows_and_stays_in_the_form(
    site: Any, record: Any, now_us: int, name: str
) -> None:
    value, wanted, other = CASES[name]
    [match] = record(now_us - 2_000_000, **wanted)
    record(now_us - 1_000_000, **other)
    text = await page(site, f"{ALL}&{name}={value}")
    assert len(rows(text)) == 1
    assert f"/-/eyelet/event/default/{match}" in rows(text)[0]
    if name == "errors":
        assert re.search(r'name="errors" value="1" checked', text)
    elif name == "status":
        assert f'value="{value}" selected' in text
    else:
        assert f'name="{name}" value="{value}"' in text


async def test_context_narrows_by_its_safe_name(site: Any, record: Any, now_us: int) -> None:
    record(now_us - 1, context="My Work")
    record(now_us - 2, context="home")
    assert len(rows(await page(site, f"{ALL}&context=My%20Work"))) == 1
    assert len(rows(await page(site, f"{ALL}&context={layout.safe_context('My Work')}"))) == 1
    assert len(rows(await page(site, f"{ALL}&context=home&context=My%20Work"))) == 2


async def test_every_control_has_a_label(site: Any) -> None:
    text = await page(site, "/-/eyelet")
    form = text[text.index("<form action=") :]
    form = form[: form.index("</form>")]
    outside = re.sub(r"<label.*?</label>", "", form, flags=re.DOTALL)
    assert re.findall(r'<(?:input|select|textarea)(?![^>]*type="hidden")[^>]*>', outside) == []


async def test_values_beyond_the_first_travel_hidden(site: Any) -> None:
    text = await page(site, f"{ALL}&tool=Bash&tool=Edit&_size=5")
    assert '<input type="hidden" name="tool" value="Edit">' in text
    assert '<input type="hidden" name="range" value="all">' in text
    assert '<input type="hidden" name="_size" value="5">' in text


async def test_pages_neither_skip_nor_repeat(site: Any, record: Any, noon_us: int) -> None:
    days = [noon_us - day * DAY_US for day in range(3)]
    ids = [event_id for start in days for event_id in record(*(start + at for at in range(17)))]
    record(*(days[0] + at for at in range(17)), context="other")
    seen: list[str] = []
    path = f"{ALL}&_size=7"
    for _ in range(20):
        text = await page(site, path)
        seen += re.findall(r'class="at"><a href="([^"]+)"', text)
        if "Older" not in text:
            break
        path = link(text, "Older")
    assert len(seen) == len(set(seen)) == len(ids) + 17
    times = [int(url.rsplit("/", 1)[1]) for url in seen]
    assert times == sorted(times, reverse=True)
    assert "_next" not in link(text, "Newest")


async def test_a_row_opens_to_its_payload_and_its_links(site: Any, record: Any, now_us: int) -> None:
    [event_id] = record(
        now_us - 5_000_000,
        hook_type="PostToolUse",
        tool_name="Bash",
        session_id="s-1",
        src="claude.posttooluse.bash.ls",
        duration_ms=1_234.0,
        data='{"tool_name":"Bash","tool_input":{"command":"ls -l"}}',
    )
    [row] = rows(await page(site, ALL))
    opened = row[row.index("<details>") : row.index("</details>")]
    assert "ls -l" in opened[: opened.index("</summary>")]
    assert "&#34;command&#34;: &#34;ls -l&#34;" in opened
    assert "1.2 s" in row
    for name, value in (("session", "s-1"), ("src", "claude.posttooluse.bash.ls"), ("tool", "Bash")):
        href = re.search(rf'href="([^"]+)" title="Show only this {name}"', opened)
        assert href and parse_qs(urlsplit(unescape(href[1])).query) == {"range": ["all"], name: [value]}
    assert f"/-/eyelet/event/default/{event_id}" in opened


async def test_a_long_payload_is_cut_in_the_list_with_a_link_to_the_whole(site: Any, record: Any, now_us: int) -> None:
    record(now_us, data='{"prompt": "' + "x" * 100_000 + ' the end"}')
    text = await page(site, ALL)
    assert "the end" not in text
    assert len(text) < 40_000
    assert "Whole event, 97.7 KB" in text


async def test_errors_have_a_stripe(site: Any, record: Any, now_us: int) -> None:
    record(now_us, error=1, status="error")
    assert 'class="eyelet-row failed"' in await page(site, ALL)


async def test_the_footer_tells_the_truth_about_partitions(site: Any, record: Any, noon_us: int) -> None:
    record(*(noon_us - day * DAY_US for day in range(5)))
    date = layout.key_for("default", noon_us).date
    assert re.search(r"1 of 5 partitions scanned, \d+ ms", await page(site, f"/-/eyelet?from={date}&to={date}"))
    assert re.search(r"5 of 5 partitions scanned", await page(site, ALL))


async def test_one_broken_day_is_named_and_the_others_are_served(
    site: Any, root: str, record: Any, noon_us: int
) -> None:
    record(noon_us - DAY_US, noon_us - 2 * DAY_US)
    record(noon_us, data='{"prompt": "lost"}')
    key = layout.key_for("default", noon_us)
    path = Path(layout.db_path(root, key))
    for name in ("logs.sqlite-wal", "logs.sqlite-shm"):
        path.with_name(name).unlink(missing_ok=True)
    path.write_bytes(b"this is no database" * 1_000)
    text = await page(site, ALL)
    assert len(rows(text)) == 2
    assert re.search(rf"2 of 3 partitions scanned, \d+ ms, 1 unreadable \(default {key.date}: .+\)", text)
    found = await site.json("/-/eyelet.json?range=all")
    assert [(bad["context"], bad["day"]) for bad in found["partitions"]["unreadable"]] == [("default", key.date)]
    assert found["partitions"]["unreadable"][0]["error"]
    assert len(found["rows"]) == 2
    event = await site.get(f"/-/eyelet/event/default/{noon_us}")
    assert event.status_code == 503
    assert "no database" in event.text or "not a database" in event.text


async def test_an_unreadable_today_is_not_taken_for_an_empty_one(
    site: Any, root: str, record: Any, now_us: int, noon_us: int
) -> None:
    record(noon_us)
    key = layout.key_for("default", now_us)
    path = Path(layout.db_path(root, key))
    path.parent.mkdir(parents=True)
    path.write_bytes(b"garbage" * 1_000)
    text = await page(site, "/-/eyelet")
    assert len(rows(text)) == 1
    assert f"1 unreadable (default {key.date}" in text


async def test_a_root_that_is_a_file_is_a_clear_page(open_site: Any, root: str) -> None:
    Path(root).write_text("not a folder")
    site = await open_site()
    answer = await site.get("/-/eyelet")
    assert answer.status_code == 503
    assert "it is a file, not a folder" in answer.text
    assert (await site.get("/-/eyelet.json")).json()["ok"] is False
    assert (await site.get("/")).status_code == 200


async def test_the_demonstration_is_said_to_be_one(site: Any, record: Any, now_us: int) -> None:
    record(now_us, context="work")
    assert "generated demonstration" not in await page(site, ALL)
    record(now_us, context="demo")
    text = await page(site, ALL)
    assert "generated demonstration" in text
    assert "eyelet ingest ~/.claude/projects" in text
    assert "generated demonstration" not in await page(site, f"{ALL}&context=work")


async def test_times_are_shown_in_the_zone_asked_for(site: Any, record: Any) -> None:
    record(1_774_015_402_123_456)
    text = await page(site, f"{ALL}&tz=Asia/Tokyo")
    assert "23:03:22.123" in text
    assert "Friday 20 March 2026" in text
    assert "shown in Asia/Tokyo" in text
    assert 'datetime="2026-03-20T14:03:22.123456Z"' in text


async def test_what_captures_spooled_is_drained_before_the_page(
    site: Any, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    drained: list[str] = []
    drain = Store.drain_spool

    def noted(store: Store) -> Any:
        drained.append(store.root)
        return drain(store)

    monkeypatch.setattr(Store, "drain_spool", noted)
    site.datasette._eyelet._drained_at_s = None
    await page(site, "/-/eyelet")
    await page(site, "/-/eyelet")
    assert drained == [root], "once in 30 s is enough"


async def test_every_url_of_the_page_follows_the_base_url(open_site: Any, record: Any, now_us: int) -> None:
    record(*range(now_us - 3, now_us))
    site = await open_site(datasette={"settings": {"base_url": "/logs/"}})
    text = await page(site, "/-/eyelet?range=all&_size=1&tool=")  # the client puts the base URL before it
    ours = [url for url in re.findall(r'(?:href|src|action)="([^"]*)"', text) if "eyelet" in url]
    assert len(ours) > 20
    assert all(url.startswith("/logs/-/") for url in ours)
    assert len(rows(await page(site, link(text, "Older").removeprefix("/logs")))) == 1
