"""Beside the rows: the ranges around one, the chart over them, the values to choose from, and what a row opens to."""

import json
import os
import re
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasette_eyelet import chart, facet_view, spans
from eyelet_ingest.ranges import Range, resolve, zone
from eyelet_ingest.store import layout

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
NOON_US = 1_774_008_000_000_000  # 20 March 2026 12:00 UTC
NOW_US = NOON_US + 30 * DAY_US
DAY = "from=2026-03-20&to=2026-03-20"
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York"])

pytestmark = pytest.mark.filterwarnings("error")


async def page(site: Any, path: str, status: int = 200) -> str:
    answer = await site.get(path)
    assert answer.status_code == status, answer.text
    return str(answer.text)


def asked(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(unescape(url)).query)


def bars(text: str) -> list[tuple[int, int, str, str]]:
    """From, to, address and what it says, of each bar that is a link."""
    found = re.findall(
        r'class="eyelet-bar" href="([^"]*)" data-from="(\d+)" data-to="(\d+)" aria-label="([^"]*)"', text
    )
    return [(int(low), int(high), unescape(url), said) for url, low, high, said in found]


def facet(text: str, name: str) -> dict[str, tuple[int | None, str, str]]:
    """Value → events, the search for it alone, the one without it."""
    [section] = re.findall(rf'<section class="eyelet-facet" aria-label="{name}">(.*?)</section>', text, re.DOTALL)
    items = re.findall(
        r'class="eyelet-value" href="([^"]*)" title="[^"]*"[^>]*><bdi>([^<]*)</bdi></a>\s*<small>([\d,]*)</small>\s*'
        r'<a class="eyelet-without" href="([^"]*)"',
        section,
    )
    return {
        unescape(value): (int(count.replace(",", "")) if count else None, unescape(only), unescape(gone))
        for only, value, count, gone in items
    }


def over(pairs: tuple[tuple[str, str], ...], tz: str) -> tuple[int | None, int | None]:
    given = dict(pairs)
    found = resolve(since=given.get("from", ""), until=given.get("to", ""), tz=tz, now_us=NOW_US)
    return found.since_us, found.until_us


@given(st.integers(NOON_US, NOON_US + 9 * DAY_US), st.integers(1, 20 * DAY_US), ZONES)
@settings(max_examples=150)
def test_the_ranges_beside_one_touch_it_and_are_as_long(since: int, width: int, tz: str) -> None:
    around = spans.beside(Range(since, since + width, "", tz), NOW_US + 60 * DAY_US)
    assert over(around.fixed, tz) == (since, since + width)
    assert over(around.earlier, tz) == (since - width, since)
    assert over(around.later, tz) == (since + width, since + 2 * width)
    wider = over(around.wider, tz)
    assert wider[0] is not None and wider[1] is not None
    assert wider[0] < since or width == 1
    assert wider[1] > since + width or width == 1


@given(st.integers(0, 400), st.integers(1, 40), ZONES)
@settings(max_examples=150)
def test_whole_days_stay_whole_days_over_changes_of_the_clocks(first: int, count: int, tz: str) -> None:
    where = zone(tz)
    start = layout.key_for("default", NOON_US + first * DAY_US).date
    begun = resolve(since=start, until=start, tz=tz, now_us=NOW_US)
    assert begun.since_us is not None and begun.until_us is not None
    last = spans.written(begun.since_us + (count - 1) * DAY_US + HOUR_US * 2, where)[:10]
    found = resolve(since=start, until=last, tz=tz, now_us=NOW_US)
    around = spans.beside(found, NOW_US + 3_000 * DAY_US)
    for pairs in (around.earlier, around.later, around.fixed, around.wider):
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", value) for _, value in pairs)
    assert over(around.fixed, tz) == (found.since_us, found.until_us)
    assert over(around.earlier, tz)[1] == found.since_us
    assert over(around.later, tz)[0] == found.until_us


def test_what_has_no_end_is_fixed_up_to_now_and_what_has_no_beginning_has_no_neighbours() -> None:
    around = spans.beside(Range(NOON_US, None, "", "UTC"), NOW_US)
    assert over(around.fixed, "UTC") == (NOON_US, NOW_US)
    assert around.later == ()
    endless = spans.beside(Range(None, None, "", "UTC"), NOW_US)
    assert over(endless.fixed, "UTC") == (None, NOW_US)
    assert (endless.earlier, endless.later, endless.wider) == ((), (), ())
    assert spans.beside(Range(None, NOON_US, "", "UTC"), NOW_US).earlier == ()


async def test_bars_count_what_the_search_finds_and_zoom_to_it(site: Any, record: Any) -> None:
    record(*(NOON_US + at * HOUR_US // 4 for at in range(10)), tool_name="Bash", status="ok")
    record(NOON_US + HOUR_US, tool_name="Bash", status="error", error=1)
    record(NOON_US, tool_name="Read")
    text = await page(site, f"/-/eyelet?{DAY}&tool=Bash&rows=events")
    found = bars(text)
    counts = [int(re.search(r": ([\d,]+) event", said)[1]) for *_, said in found]  # type: ignore[index]
    assert sum(counts) == 11
    for (low, high, url, _), count in zip(found, counts, strict=True):
        assert asked(url)["tool"] == ["Bash"] and "_next" not in asked(url)
        rows = (await site.json("/-/eyelet.json?" + urlsplit(url).query.replace("rows=events", "")))["rows"]
        assert len(rows) == count
        assert all(low <= row["id"] < high for row in rows)
    assert any("error 1" in said for *_, said in found)


@pytest.mark.parametrize(("stack", "value"), [("status", "error"), ("type", "Stop"), ("level", "warn")])
async def test_the_chart_is_stacked_as_asked_and_its_legend_chooses(
    site: Any, record: Any, stack: str, value: str
) -> None:
    record(NOON_US, hook_type="Stop", status="error", error=1, loglevel="warn")
    record(NOON_US + 1, hook_type="Notification", status="ok", loglevel="info")
    text = await page(site, f"/-/eyelet?{DAY}&stack={stack}")
    assert f'aria-current="true">{stack}</a>' in text
    legend = {
        unescape(name): (only, gone)
        for only, name, gone in re.findall(
            r'href="([^"]*)" title="Only [^"]*"><bdi>([^<]*)</bdi></a> <small>1</small> '
            r'<a class="eyelet-without" href="([^"]*)"',
            text,
        )
    }
    assert len(legend) == 2
    only, gone = (asked(url) for url in legend[value])
    assert (only[stack], gone[f"-{stack}"]) == ([value], [value])


async def test_days_that_are_not_there_are_hatched_and_those_that_cannot_be_read_marked(
    site: Any, record: Any, root: str
) -> None:
    record(NOON_US, NOON_US + 3 * DAY_US)
    text = await page(site, "/-/eyelet?from=2026-03-20&to=2026-03-23")
    assert 'class="eyelet-missing"><title>' in text
    assert "no day of it is there" in text
    assert 'class="eyelet-unreadable"' not in text
    path = layout.db_path(root, layout.key_for("default", NOON_US + DAY_US))
    os.makedirs(os.path.dirname(path))
    Path(path).write_bytes(b"this is no database" * 300)
    text = await page(site, "/-/eyelet?from=2026-03-20&to=2026-03-23")
    assert 'class="eyelet-unreadable"' in text
    assert "1 unreadable" in text


async def test_chart_and_values_can_be_hidden_and_shown_again(site: Any, record: Any) -> None:
    record(NOON_US)
    text = await page(site, f"/-/eyelet?{DAY}")
    assert "<svg" in text and "eyelet-facets" in text
    hidden = await page(site, f"/-/eyelet?{DAY}&histogram=0&facets=0")
    assert "eyelet-chart" not in hidden and "eyelet-facet" not in hidden.replace("eyelet-facets-", "")
    back = [asked(url) for url in re.findall(r'data-eyelet-hide href="([^"]*)"', hidden)]
    assert sorted(tuple(sorted(one)) for one in back) == [("facets", "from", "to"), ("from", "histogram", "to")]


async def test_values_are_counted_beside_the_rows_and_can_be_chosen_and_left_out(site: Any, record: Any) -> None:
    main = {"git": {"branch": "main"}}
    record(NOON_US, NOON_US + 1, tool_name="Bash", src="claude.posttooluse.bash", meta=main, loglevel="info")
    record(NOON_US + 2, tool_name="Read", src="claude.posttooluse.read", project_dir="/home/a/project")
    text = await page(site, f"/-/eyelet?{DAY}")
    tools = facet(text, "tool")
    assert {name: count for name, (count, *_) in tools.items()} == {"Bash": 2, "Read": 1}
    for name, others in (("Bash", 1), ("Read", 2)):
        _, only, gone = tools[name]
        assert {row["tool_name"] for row in (await site.json(_json(only)))["rows"]} == {name}
        rest = (await site.json(_json(gone)))["rows"]
        assert name not in {row["tool_name"] for row in rest} and len(rest) == others
    chosen = await page(site, tools["Bash"][1])
    assert set(facet(chosen, "tool")) == {"Bash", "Read"}, "a choice shows what else there is"
    assert "tool" not in asked(facet(chosen, "tool")["Bash"][1])
    gone_page = await page(site, tools["Bash"][2])
    assert "not tool" in gone_page
    assert "-tool" not in asked(facet(gone_page, "tool")["Bash"][2])
    assert set(facet(text, "branch")) == {"main"} and set(facet(text, "level")) == {"info"}
    assert set(facet(text, "project")) == {"/home/a/project"}


def _json(url: str) -> str:
    return url.replace("/-/eyelet?", "/-/eyelet.json?")


async def test_the_tree_of_src_opens_at_the_dots_and_leads_back(site: Any, record: Any) -> None:
    record(NOON_US, src="claude.posttooluse.bash.git")
    record(NOON_US + 1, src="claude.posttooluse.bash.ls")
    record(NOON_US + 2, src="codex.stop")
    path, seen = f"/-/eyelet?{DAY}", []
    while path:
        text = await page(site, path)
        seen.append(set(facet(text, "src")))
        below = re.search(r'class="eyelet-below" href="([^"]*)" aria-label="Open claude', text)
        path = unescape(below[1]) if below and len(seen) < 9 else ""
        if "bash.git" in path:
            break
    assert seen == [{"claude", "codex"}, {"posttooluse"}, {"bash"}, {"git", "ls"}]
    back = re.search(r'<p class="eyelet-path"><a href="([^"]*)">all</a>', text)
    assert back and "open" not in asked(back[1])


async def test_a_field_with_too_many_values_is_capped_and_says_so(site: Any, record: Any) -> None:
    for at in range(30):
        record(NOON_US + at, tool_name=f"tool-{at}")
    text = await page(site, f"/-/eyelet?{DAY}")
    assert len(facet(text, "tool")) == 7
    more = re.search(r'<a href="([^"]*)">more of tool</a>', text)
    assert more
    assert len(facet(await page(site, unescape(more[1])), "tool")) == 30


@pytest.mark.parametrize("wrong", ["stack=nothing", "more=nothing", "rows=some", "histogram=maybe", "live=perhaps"])
async def test_what_cannot_be_looked_at_so_is_said(site: Any, record: Any, wrong: str) -> None:
    record(NOON_US)
    text = await page(site, f"/-/eyelet?{wrong}", 400)
    assert f"cannot use {wrong.split('=')[0]}" in text


async def test_the_form_keeps_how_one_looks_and_what_is_left_out(site: Any, record: Any) -> None:
    record(NOON_US)
    query = f"{DAY}&-type=A&-type=B&stack=type&rows=events&facets=0"
    text = await page(site, f"/-/eyelet?{query}")
    [form] = re.findall(r'<form action="[^"]*" method="get".*?</form>', text, re.DOTALL)
    hidden = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', form)
    assert set(hidden) == set(parse_qsl(query)) - set(parse_qsl(DAY))


CALL = {"session_id": "s-1", "tool_use_id": "toolu_1", "tool_name": "Edit", "tool_input": {}}
EDIT = {"file_path": "/home/a.py", "old_string": "one\ntwo", "new_string": "one\nthree"}


@pytest.fixture
def call(record: Any) -> tuple[int, int]:
    payload = {**CALL, "tool_input": EDIT}
    columns = {"session_id": "s-1", "tool_use_id": "toolu_1", "tool_name": "Edit", "src": "claude.x.edit"}
    [asked_id] = record(NOON_US, hook_type="PreToolUse", status="pending", data=json.dumps(payload), **columns)
    answer = json.dumps({**payload, "tool_response": {"stdout": "all is well"}})
    [answered] = record(NOON_US + 7_000_000, hook_type="PostToolUse", status="ok", data=answer, **columns)
    return asked_id, answered


async def test_a_call_is_one_row_at_its_latest_witness_and_says_who_saw_it(site: Any, call: tuple[int, int]) -> None:
    text = await page(site, f"/-/eyelet?{DAY}")
    [row] = re.findall(r'<tr role="row" class="eyelet-row.*?</tr>', text, re.DOTALL)
    assert f'data-id="{call[1]}"' in row
    assert "hook:PreToolUse" in row and "hook:PostToolUse" in row
    assert "7.0 s" in row
    each = await page(site, re.search(r'href="([^"]*)"[^>]*>show every event', text)[1].replace("&amp;", "&"))  # type: ignore[index]
    assert each.count('<tr role="row" class="eyelet-row') == 2


async def test_a_row_opens_to_input_diff_output_and_payloads(site: Any, call: tuple[int, int]) -> None:
    text = await page(site, f"/-/eyelet?{DAY}&tz=Asia/Tokyo")
    url = re.search(r'data-eyelet-detail data-url="([^"]*)"', text)
    assert url and asked(url[1])["tz"] == ["Asia/Tokyo"]
    opened = await page(site, unescape(url[1]))
    assert "<html" not in opened
    assert '<div class="removed"><span>-</span>two</div>' in opened
    assert '<div class="added"><span>+</span>three</div>' in opened
    assert "all is well" in opened
    for name in ("PreToolUse", "PostToolUse"):
        assert f"JSON of {name} at 2026-03-20 21:00" in opened
    whole = await page(site, f"/-/eyelet/event/default/{call[1]}")
    assert '<div class="removed"><span>-</span>two</div>' in whole and "all is well" in whole


async def test_twenty_events_around_one_are_shown_of_its_session_or_of_all(site: Any, record: Any) -> None:
    ids = record(*(NOON_US + at for at in range(60)), session_id="s-1")
    record(NOON_US + 30_000_000, session_id="s-2")
    record(*(NOON_US + 100 + at for at in range(5)), session_id="s-2")
    here = f"/-/eyelet/row/default/{ids[50]}"
    shown = [int(at) for at in re.findall(r"/event/default/(\d+)", await page(site, f"{here}/around"))]
    assert shown == [*ids[30:60], *(NOON_US + 100 + at for at in range(5)), NOON_US + 30_000_000]
    shown = [int(at) for at in re.findall(r"/event/default/(\d+)", await page(site, f"{here}/around/session"))]
    assert shown == ids[30:60]
    assert "aria-current" in await page(site, f"{here}/around")
    assert (await page(site, f"/-/eyelet/event/default/{ids[50]}")).count('class="eyelet-around"') == 2


@pytest.mark.parametrize("path", ["row/default/1", "row/default/nothing", "row/..%2F/5", "row/none/5/around"])
async def test_what_is_not_there_opens_to_nothing(site: Any, record: Any, path: str) -> None:
    record(NOON_US)
    assert (await site.get(f"/-/eyelet/{path}")).status_code == 404


@pytest.mark.parametrize("path", ["row/default/{id}", "row/default/{id}/around"])
async def test_nobody_opens_a_row_whom_nobody_let(site: Any, record: Any, path: str) -> None:
    [event_id] = record(NOON_US)
    answer = await site.get(f"/-/eyelet/{path.format(id=event_id)}", None)
    assert answer.status_code == 403
    assert "hook" not in answer.text.replace("eyelet-hook", "")


async def test_a_part_that_runs_out_of_time_is_left_out_and_said(
    site: Any, record: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(NOON_US, tool_name="Bash")
    monkeypatch.setattr(chart, "DEADLINE_MS", -1)
    monkeypatch.setattr(facet_view, "DEADLINE_MS", -1)
    text = await page(site, f"/-/eyelet?{DAY}")
    assert "as time ran out: the chart, the values beside the rows" in text
    assert text.count('<tr role="row" class="eyelet-row') == 1


@pytest.mark.parametrize(
    "span", ["from=1970&to=2254", "to=1970-01-01", "from=2254-12-31", "from=now&to=now", "range=all", "range=1s"]
)
async def test_every_range_that_can_be_asked_is_shown(site: Any, record: Any, span: str) -> None:
    record(NOON_US)
    text = await page(site, f"/-/eyelet?{span}")
    for url in re.findall(r'data-eyelet-(?:range="\w+"|absolute)[^>]*? href="([^"]*)"', text):
        await page(site, unescape(url))


async def test_the_absolute_link_holds_the_times_of_this_moment(site: Any, record: Any, now_us: int) -> None:
    record(now_us - 1_000)
    text = await page(site, "/-/eyelet?range=6h&tool=")
    link = re.search(r'data-eyelet-absolute href="([^"]*)"', text)
    assert link and set(asked(link[1])) == {"from", "to"}
    found = resolve(since=asked(link[1])["from"][0], until=asked(link[1])["to"][0], now_us=now_us)
    assert found.since_us is not None and found.until_us is not None
    assert found.until_us - found.since_us == 6 * HOUR_US + 1
    for name in ("earlier", "out"):
        assert f'data-eyelet-range="{name}"' in text
    assert 'data-eyelet-range="later"' not in text, "nothing is recorded in times to come"
