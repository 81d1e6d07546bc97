"""The pages that list: overview, sessions, sources, now, their JSON, and the bar that leads from one to the other."""

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest

from datasette_eyelet import glance as overview_parts
from datasette_eyelet import navigation, responses, routes
from datasette_eyelet.listed import ago, short
from datasette_eyelet.pages import now as now_page
from datasette_eyelet.pages import sessions as sessions_page
from datasette_eyelet.src_tree import NODES_MOST, tree
from eyelet_ingest.store.sources import Source

PAGES = ("overview", "sessions", "sources", "now")
MINUTE_US = 60_000_000
DAY_US = 86_400_000_000
UNSEEN = (
    "/-/eyelet/calls",
    "/-/eyelet/usage",
    "/-/eyelet/completeness",
    "/-/eyelet/values",
    "/-/eyelet/-",
    "/-/eyelet/hook",
)  # for programs
HOSTILE = "<script>alert(1)</script>{{ 7*7 }}{% raw %}\u202e\x1b[31m\"'><img src=x onerror=alert(1)>"


def said(page: str) -> str:
    """The text of a page's content."""
    found = re.search(r'<section class="content">(.*)</section>', page, re.DOTALL)
    assert found
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", found[1])).split())


def links(page: str) -> list[str]:
    return [html.unescape(url) for url in re.findall(r'href="([^"]+)"', page)]


@pytest.fixture
def at_work(record: Any, now_us: int) -> int:
    """Two sessions of the last minutes: one that waits for leave, and one whose call failed."""
    start = now_us - 10 * MINUTE_US
    one: dict[str, Any] = {"session_id": "s-1", "agent": "claude", "project_dir": "/code/quarry", "src": "claude.x"}
    one["meta"] = {"git": {"branch": "main"}}
    record(start, hook_type="UserPromptSubmit", data='{"prompt": "Mend the lexer"}', **one)
    asks = {**one, "tool_name": "Bash", "tool_use_id": "t1", "data": '{"tool_input": {"command": "rm -r build"}}'}
    record(start + 1_000_000, hook_type="PreToolUse", status="pending", **asks)
    record(start + 2_000_000, hook_type="PermissionRequest", **{**asks, "tool_use_id": None})
    two: dict[str, Any] = {"session_id": "s-2", "agent": "codex", "project_dir": "/code/tide", "src": "codex.y.z"}
    two |= {"tool_name": "Bash", "tool_use_id": "t2", "data": '{"tool_input": {"command": "make"}}'}
    record(start + 3_000_000, context="other", hook_type="PreToolUse", status="pending", **two)
    failed = {"status": "error", "error": 1, "meta": {"execution": {"error_code": "exit:2"}}}
    record(start + 5_500_000, context="other", hook_type="PostToolUse", **{**two, **failed})
    return start


@pytest.mark.parametrize("name", PAGES)
async def test_each_page_leads_to_all_others_and_to_itself(site: Any, at_work: int, name: str) -> None:
    page = (await site.get(f"/-/eyelet/{name}?tz=Europe/Berlin")).text
    for entry, _, path in navigation.ENTRIES:
        zoned = "?tz=Europe%2FBerlin" if entry != "days" else ""
        current = ' aria-current="page"' if entry == name else ""
        assert f'<a href="{path}{zoned}"{current}>' in page


@pytest.mark.parametrize("name", PAGES)
async def test_who_may_see_nothing_is_refused_and_not_told_of_pages(site: Any, at_work: int, name: str) -> None:
    for path, is_json in ((f"/-/eyelet/{name}", False), (f"/-/eyelet/{name}.json", True)):
        refused = await site.get(path, actor=None)
        assert refused.status_code == 403
        assert "quarry" not in refused.text and "eyelet-nav" not in refused.text
        assert not is_json or refused.json()["ok"] is False


@pytest.mark.parametrize("name", PAGES)
async def test_of_a_context_that_may_not_be_seen_nothing_is_told(open_site: Any, at_work: int, name: str) -> None:
    site = await open_site(contexts={"other": {"allow": {"id": "bob"}}})
    page, body = [
        (await site.get(f"/-/eyelet/{name}{end}", actor={"id": "bob"})).text for end in ("?range=7d", ".json?range=7d")
    ]
    for text in (page, body):
        assert not re.search(r"s-1|lexer|quarry|claude\.x|default", text), text
    assert "s-2" in page or "codex" in page


@pytest.mark.parametrize("name", PAGES)
async def test_what_was_recorded_is_shown_as_text(site: Any, record: Any, now_us: int, name: str) -> None:
    told = {"session_id": HOSTILE, "agent": HOSTILE, "project_dir": f"/x/{HOSTILE}", "src": f"a.{HOSTILE}"}
    told |= {"tool_name": HOSTILE, "model": HOSTILE, "agent_id": HOSTILE, "meta": {"git": {"branch": HOSTILE}}}
    data = json.dumps({"prompt": HOSTILE + "x" * 1_000_000, "tool_input": {"command": HOSTILE}})
    record(now_us - MINUTE_US, hook_type="UserPromptSubmit", data=data, **told)
    code = {"execution": {"error_code": HOSTILE}}
    record(
        now_us - 9,
        hook_type="PostToolUse",
        error=1,
        status="error",
        tool_use_id="t",
        data=data,
        **told | {"meta": code},
    )
    answer = await site.get(f"/-/eyelet/{name}?range=7d")
    assert answer.status_code == 200 and len(answer.text) < 200_000
    assert "<script>alert" not in answer.text and "<img" not in answer.text and ">49" not in answer.text
    assert "\u202e" not in answer.text and "\x1b" not in answer.text
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "style=" not in answer.text.partition('<section class="content">')[2]
    assert (await site.get(f"/-/eyelet/{name}.json?range=7d")).json()["ok"] is True


@pytest.mark.parametrize("name", PAGES)
async def test_an_empty_root_has_pages_and_says_that_it_is_empty(site: Any, name: str) -> None:
    assert (await site.get(f"/-/eyelet/{name}")).status_code == 200
    assert (await site.json(f"/-/eyelet/{name}.json"))["ok"] is True


@pytest.mark.parametrize("name", PAGES)
async def test_what_cannot_be_meant_is_refused_with_the_reason(site: Any, name: str) -> None:
    for asked in ("range=soon", "colour=red", "tz=Nowhere/There", "from=x"):
        page = await site.get(f"/-/eyelet/{name}?{asked}")
        assert page.status_code == 400 and re.search("there is no|cannot", said(page.text))
        assert (await site.get(f"/-/eyelet/{name}.json?{asked}")).json()["error"]


@pytest.mark.parametrize("name", PAGES)
async def test_a_day_that_cannot_be_read_is_named(site: Any, store: Any, at_work: int, name: str) -> None:
    from eyelet_ingest.store import layout

    key = next(key for key in store.catalog.partitions() if key.context == "other")
    store.close()
    with open(layout.db_path(store.root, key), "wb") as file:
        file.write(b"not a database" * 400)
    page = (await site.get(f"/-/eyelet/{name}?range=7d")).text
    assert "unreadable" in page or "cannot be read" in page
    found = await site.json(f"/-/eyelet/{name}.json?range=7d")
    assert [bad["context"] for bad in found["partitions"]["unreadable"]] == ["other"]


# Sessions


async def test_a_session_is_told_by_its_first_prompt_with_what_it_adds_up_to(site: Any, at_work: int) -> None:
    page = (await site.get("/-/eyelet/sessions")).text
    assert "Mend the lexer waits for you quarry main claude" in said(page)
    found = await site.json("/-/eyelet/sessions.json")
    assert [row["session_id"] for row in found["rows"]] == ["s-2", "s-1"]
    one = found["rows"][1]
    assert (one["prompt"], one["state"]["name"], one["calls"], one["events"]) == ("Mend the lexer", "waiting", 1, 3)
    two = found["rows"][0]
    assert (two["failed"], two["calls"], two["projects"], two["contexts"]) == (1, 1, ["/code/tide"], ["other"])
    assert one["links"]["session"] in links(page)


async def test_sessions_are_chosen_by_what_is_in_them(site: Any, at_work: int) -> None:
    chosen = {
        "q=lexer": ["s-1"],
        "project=tide": ["s-2"],
        "project=/code/quarry": ["s-1"],
        "agent=codex": ["s-2"],
        "branch=main": ["s-1"],
        "errors=1": ["s-2"],
        "context=other": ["s-2"],
        "-agent=codex": ["s-1"],
        "q=agent:codex": ["s-2"],
        "range=30d&agent=gemini": [],
    }
    for asked, expected in chosen.items():
        found = await site.json(f"/-/eyelet/sessions.json?{asked}")
        assert [row["session_id"] for row in found["rows"]] == expected, asked
        page = (await site.get(f"/-/eyelet/sessions?{asked}")).text
        assert [name for name in ("s-1", "s-2") if f"/session/{name}" in page] == sorted(expected), asked


async def test_pages_of_sessions_go_on_where_the_last_one_ended(site: Any, record: Any, now_us: int) -> None:
    for at in range(5):
        record(now_us - at * MINUTE_US, session_id=f"s-{at}")
    named, url = [], "/-/eyelet/sessions?_size=2&range=24h"
    for _ in range(3):
        page = (await site.get(url)).text
        named += re.findall(r"/session/(s-\d)", page)
        record(now_us + MINUTE_US, session_id="later") if url.endswith("24h") else None
        url = next((html.unescape(one) for one in re.findall(r'<a href="([^"]+)" rel="next"', page)), "")
    assert list(dict.fromkeys(named)) == ["s-0", "s-1", "s-2", "s-3", "s-4"] and url == ""


async def test_a_mistake_in_the_form_is_said_there_and_what_was_typed_stays(site: Any, at_work: int) -> None:
    page = (await site.get("/-/eyelet/sessions?q=%22open&project=quarry")).text
    assert 'value="&#34;open"' in page and 'value="quarry"' in page and 'aria-invalid="true"' in page
    assert 'id="eyelet-wrong" role="alert"' in page


async def test_what_there_was_no_time_for_is_said(site: Any, at_work: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions_page, "JSON_DEADLINE_MS", 0)
    found = await site.json("/-/eyelet/sessions.json")
    assert (found["complete"], found["rows"], found["partitions"]["unasked"]) == (False, [], 2)


# Sources


async def test_the_tree_opens_at_the_dots(site: Any, record: Any, now_us: int) -> None:
    for src in ("a.b.c", "a.b.c", "a.b.d", "a.e", "f"):
        record(now_us := now_us - 1, src=src)
    page = (await site.get("/-/eyelet/sources")).text
    assert "a 3 below 4" in said(page) and "f 1" in said(page) and "b 2 below" not in said(page)
    (opens,) = [url for url in links(page) if "open=a" in url]
    page = (await site.get(opens)).text
    assert "b 2 below 3" in said(page) and "e 1" in said(page) and "▾" in said(page)
    deeper = next(url for url in links(page) if "open=a.b" in url)
    assert "c 2" in said((await site.get(deeper)).text)
    everything = said((await site.get("/-/eyelet/sources?open=*")).text)
    assert "c 2" in everything and "d 1" in everything
    assert "range=7d&src=a.b" in " ".join(links(page))
    found = await site.json("/-/eyelet/sources.json?_size=2")
    assert [(one["src"], one["count"]) for one in found["sources"]] == [("a.b.c", 2), ("a.b.d", 1)]
    rest = await site.json(f"/-/eyelet/sources.json?_size=9&_next={found['next']}")
    assert [one["src"] for one in rest["sources"]] == ["a.e", "f"]


async def test_conditions_that_no_source_is_chosen_by_are_refused(site: Any, at_work: int) -> None:
    page = await site.get("/-/eyelet/sources?tool=Bash")
    assert page.status_code == 400 and "only contexts, src and a range choose them" in said(page.text)


def test_a_tree_adds_up_and_has_an_end() -> None:
    sources = [Source("a", 1, 5), Source("a.b", 2, 9), Source("a-b.c", 4, 7), Source("", 3, 1)]
    nodes = {node.path: node for node in tree(sources, "*")}
    assert (nodes["a"].events, nodes["a"].own, nodes["a"].newest_us, nodes["a"].names) == (3, 1, 9, 1)
    assert (nodes["a-b"].events, nodes[""].events) == (4, 3)
    assert sum(node.events for node in tree(sources, "")) == 10
    many = [Source(f"a.n{at:05d}", 1, 1) for at in range(NODES_MOST + 10)]
    assert len(tree(many, "*")) == NODES_MOST


# Now


async def test_now_tells_who_waits_and_who_failed_those_that_wait_first(site: Any, at_work: int) -> None:
    page = (await site.get("/-/eyelet/now")).text
    text = said(page)
    assert "Waits for you 1 Mend the lexer waits for you rm -r build" in text
    assert text.index("Waits for you") < text.index("Works 1") and "failed make" in text
    assert "<title>(1) Now" in page and 'data-eyelet-refresh="' in page
    assert '<noscript><meta http-equiv="refresh"' in page
    found = await site.json("/-/eyelet/now.json")
    assert [(row["session_id"], row["state"]["name"]) for row in found["rows"]] == [
        ("s-2", "working"),
        ("s-1", "waiting"),
    ]


async def test_now_tells_nothing_of_what_is_long_over(site: Any, record: Any, now_us: int) -> None:
    record(now_us - DAY_US, session_id="s-old")
    page = (await site.get("/-/eyelet/now")).text
    assert "Nothing goes on" in said(page) and "s-old" not in page


@pytest.mark.parametrize("name, none", [("now", "Nothing goes on"), ("sessions", "No sessions")])
async def test_what_was_not_asked_in_time_is_not_called_nothing(
    site: Any, record: Any, now_us: int, monkeypatch: pytest.MonkeyPatch, name: str, none: str
) -> None:
    record(now_us, session_id="s-1")
    module = {"now": now_page, "sessions": sessions_page}[name]
    monkeypatch.setattr(module, "DEADLINE_MS", 0)
    text = said((await site.get(f"/-/eyelet/{name}")).text)
    assert "The time ran out No session was found by then" in text and none not in text


# Overview


async def test_the_overview_tells_how_much_what_failed_what_is_slow_and_who_waits(site: Any, at_work: int) -> None:
    page = (await site.get("/-/eyelet/overview?from=2020-01-01&to=2020-01-02")).text
    assert "events 0" in said(page)
    found = await site.json("/-/eyelet/overview.json")
    if found["today"]["events"] == 5:  # else midnight lies between them
        text = said((await site.get("/-/eyelet/overview")).text)
        for part in ("Needs you 1 Mend the lexer", "events 5", "failed 1", "sessions 2", "exit:2", "Bash 1 2.5 s"):
            assert part in text, part
        assert found["error_codes"] == {"exit:2": 1} and found["failing_tools"] == {"Bash": 1}
        assert found["slowest"][0]["ms"] == 2_500 and sum(found["hours"]["events"]) == 5
    assert {row["session_id"] for row in found["sessions"]} == {"s-1", "s-2"}


async def test_an_overview_without_time_says_so_and_ends(
    site: Any, at_work: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await site.json("/-/eyelet/overview.json"))["complete"]
    monkeypatch.setattr(overview_parts, "PAGE_MS", -1)
    assert not (await site.json("/-/eyelet/overview.json"))["complete"]
    assert "The time ran out" in (await site.get("/-/eyelet/overview")).text
    monkeypatch.setattr(overview_parts, "PART_MS", -1)
    assert not (await site.json("/-/eyelet/overview.json?tool=Bash"))["complete"], "nor was there any for the day"


async def test_an_empty_today_gives_way_to_the_newest_day(site: Any, record: Any, now_us: int) -> None:
    record(now_us - 5 * DAY_US, session_id="s")
    page = (await site.get("/-/eyelet/overview")).text
    assert "Nothing was recorded today" in said(page) and "events 1" in said(page)


async def test_a_day_is_compared_with_the_day_before(site: Any, record: Any, noon_us: int) -> None:
    record(noon_us, noon_us + 1, noon_us - DAY_US)
    found = await site.json("/-/eyelet/overview.json?range=yesterday")
    assert (found["today"]["events"], found["before"]["events"]) == (2, 1)
    assert found["hours"]["events"][12] == 2 and found["hours_before"]["events"][12] == 1
    text = said((await site.get("/-/eyelet/overview?range=yesterday")).text)
    assert "+100 %, 1 the day before" in text


async def test_hours_are_those_of_the_zone_also_when_clocks_change(site: Any) -> None:
    for day, hours in (("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)):
        found = await site.json(f"/-/eyelet/overview.json?from={day}&to={day}&tz=Europe/Berlin")
        assert len(found["hours"]["events"]) == hours


# At home in Datasette


async def test_menu_and_front_page_lead_here_for_those_who_may_see(site: Any, at_work: int) -> None:
    front = links((await site.get("/")).text)
    for _, _, path in navigation.ENTRIES:
        assert path in front
    for url in links((await site.get("/", actor=None)).text):
        assert not url.startswith("/-/eyelet")


async def test_pages_stand_behind_a_base_url(open_site: Any, at_work: int) -> None:
    site = await open_site(datasette={"settings": {"base_url": "/logs/"}})
    for name in PAGES:
        for url in links((await site.get(f"/-/eyelet/{name}?range=7d")).text):
            assert url.startswith(("/logs/", "#", "https://")), url


@pytest.mark.parametrize("name", PAGES)
async def test_a_site_may_put_templates_of_its_own_in_the_place_of_ours(
    open_site: Any, at_work: int, tmp_path: Any, name: str
) -> None:
    folder = tmp_path / "templates" / "eyelet"
    folder.mkdir(parents=True)
    (folder / f"{name}.html").write_text("mine: {{ navigation|length }} entries, {{ truth.scanned }} scanned")
    site = await open_site(datasette={"template_dir": str(tmp_path / "templates")})
    assert (await site.get(f"/-/eyelet/{name}?range=7d")).text.startswith("mine: 7 entries, 2 scanned")


def test_every_template_and_every_page_stands_in_the_docs() -> None:
    said = (Path(__file__).parents[2] / "docs" / "pages.md").read_text(encoding="utf-8")
    folder = Path(responses.HERE) / "templates" / "eyelet"
    assert [path.name for path in folder.glob("*.html") if f"`{path.name}`" not in said] == []
    pages = [path for path, _ in routes.ROUTES if path.startswith("^/-/eyelet/") and "/v1/" not in path]
    named = {re.sub(r"[\\^$(.].*", "", path) for path in pages}
    for path in named - {"/-/eyelet/"}:
        assert path in said or path.startswith(UNSEEN), path


def test_numbers_are_short_and_times_are_said_as_people_say_them() -> None:
    assert [short(n) for n in (0, 999, 1_000, 12_345, 4_500_000, 2_000_000_000)] == [
        *("0", "999", "1.0 k", "12.3 k", "4.5 M", "2.0 G")
    ]  # fmt: skip
    second = 1_000_000
    assert [ago(n * second) for n in (0, 40, 119, 120, 3_600, 3 * 86_400)] == [
        *("now", "40 s ago", "119 s ago", "2 m ago", "1 h ago", "3 d ago")
    ]  # fmt: skip
