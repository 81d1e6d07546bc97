"""The page of a session: its story in parts, its index, its files; whole, harmless, and only for who may see it."""

import base64
import hashlib
import json
import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from datasette_eyelet import stories
from datasette_eyelet.links import Links
from datasette_eyelet.timeline import fraction, timeline
from eyelet_ingest.store import audit, layout
from tests.web.test_links import ATTACKS, FIELDS, harmless

PAGE = "/-/eyelet/session/s-1"
SECOND_US = 1_000_000


@pytest.fixture
def work(record: Any, noon_us: int) -> int:
    """A session of a prompt, thirty calls of which each tenth failed, a subagent, and an answer; its first moment."""
    record(noon_us, hook_type="UserPromptSubmit", session_id="s-1", data=json.dumps({"prompt": "Mend the build"}))
    for number in range(30):
        at_us = noon_us + (number + 1) * 60 * SECOND_US
        given = {"tool_input": {"command": f"make part-{number}", "file_path": f"/w/file-{number % 3}"}}
        shared = {"session_id": "s-1", "tool_name": "Edit" if number % 5 == 0 else "Bash", "tool_use_id": f"t{number}"}
        shared["agent_id"] = "helper" if 10 < number < 14 else None  # type: ignore[assignment]
        record(at_us, hook_type="PreToolUse", status="pending", origin="hook", data=json.dumps(given), **shared)
        failed = number % 10 == 9
        ended = {**given, "tool_response": {"stdout": f"made {number}"}}
        record(
            at_us + SECOND_US,
            hook_type="PostToolUse",
            origin="hook",
            data=json.dumps(ended),
            status="error" if failed else "ok",
            error=int(failed),
            meta={"execution": {"error_code": "exit:2"}} if failed else {},
            **shared,
        )
    said = json.dumps({"last_assistant_message": "It is mended."})
    record(noon_us + 7_200 * SECOND_US, hook_type="Stop", session_id="s-1", origin="hook", data=said)
    return noon_us


def anchors(page: str) -> list[str]:
    return re.findall(r'<li class="eyelet-step[^"]*" id="([^"]+)"', page)


def links_of(page: str) -> list[str]:
    main = page.partition("<main")[2].partition("</main>")[0]
    return [unescape(url) for url in dict.fromkeys(re.findall(r'href="([^"]*)"', main))]


async def test_the_page_tells_the_session(site: Any, work: int) -> None:
    page = (await site.get(PAGE)).text
    for said in ("Mend the build", "It is mended.", "make part-1", "exit:2", "helper", "file-1", "1 h 29 min later"):
        assert said in page, said
    assert len(anchors(page)) == 1 + 27 + 1 + 1, "prompt, calls of its own, the subagent's entrance, answer"
    found = (await site.json(f"{PAGE}.json"))["session"]
    assert (found["prompts"], found["calls"], found["failed"], found["answers"]) == (1, 30, 3, 1)
    assert found["active_us"] == (30 * 60 + 1) * SECOND_US
    assert [one["id"] for one in found["subagents"]] == ["helper"]


async def test_the_parts_are_the_whole_as_pages_as_pieces_and_as_json(site: Any, work: int) -> None:
    whole = anchors((await site.get(PAGE)).text)
    assert whole == sorted(whole) and len(set(whole)) == len(whole)
    for piece in ("page", "part"):
        found, url = [], f"{PAGE}?_size=7"
        while url:
            page = (await site.get(url)).text
            found += anchors(page)
            pattern = r'rel="next">' if piece == "page" else r"data-eyelet-part"
            attribute = "href" if piece == "page" else "data-eyelet-part"
            more = re.search(rf'{attribute}="([^"]*)"', page.partition('class="eyelet-story-more"')[2])
            assert bool(re.search(pattern, page)) == bool(more)
            url = unescape(more[1]) if more else ""
        assert found == whole
    keys: list[str] = []
    after = ""
    while after is not None:
        answer = await site.json(f"{PAGE}.json?_size=4&after={after}")
        keys += [f"s-{step['key']}" for step in answer["steps"]]
        after = answer["next"]
    assert keys == whole


async def test_every_link_of_the_page_leads_somewhere(site: Any, work: int) -> None:
    seen = 0
    for url in links_of((await site.get(f"{PAGE}?tz=Asia/Tokyo&_size=12")).text):
        answer = await site.get(url.partition("#")[0])
        assert answer.status_code == 200, url
        place = urlsplit(url)
        assert not place.fragment or f'id="{place.fragment}"' in answer.text, url
        if place.path == PAGE:
            assert parse_qs(place.query)["tz"] == ["Asia/Tokyo"], url
        seen += 1
    assert seen > 40


async def test_it_is_narrowed_by_kind_failure_file_subagent_and_time(site: Any, work: int) -> None:
    async def count(query: str) -> int:
        return len(anchors((await site.get(f"{PAGE}?{query}")).text))

    assert await count("kind=prompt") == 1
    assert await count("kind=prompt&kind=answer") == 2
    assert await count("failed=1") == 3
    assert await count("file=/w/file-0&agent=*") == 2
    assert await count("agent=helper") == 3
    assert await count("agent=*") == 33
    assert await count(f"from={work}&to={work + 130 * SECOND_US}") == 3
    assert await count("file=/nowhere") == 0


@pytest.mark.parametrize(
    "query",
    [
        *("after=x", "at=1-2", "kind=nothing", "from=never", "tz=Nowhere/None", "_size=0", "_size=5000", "what=1"),
        *("after=1-0-0-c&at=1-0-0-c", "from=2026-03-21&to=2026-03-20", "file=" + "x" * 5_000),
    ],
)
async def test_what_cannot_be_meant_is_400_with_its_reason(site: Any, work: int, query: str) -> None:
    for path in (PAGE, f"{PAGE}/part", f"{PAGE}.json"):
        answer = await site.get(f"{path}?{query}")
        assert answer.status_code == 400, path
    assert len(answer.json()["error"]) > 15


async def test_a_session_that_nobody_recorded_is_404_everywhere(site: Any, work: int) -> None:
    for name in ("nobody", "%2e%2e%2fetc", "%ff", "%00", "s-1%20x"):
        for more in ("", ".json", "/part", "/export.html"):
            assert (await site.get(f"/-/eyelet/session/{name}{more}")).status_code == 404, name + more


@pytest.mark.parametrize("name", ["a/b", "a.json", "a b?c#d", "ä%2F", "a.b.c", "part", "x/export.md", "..x"])
async def test_any_name_of_a_session_has_its_page(site: Any, record: Any, noon_us: int, name: str) -> None:
    record(noon_us, session_id=name, hook_type="UserPromptSubmit", data='{"prompt": "hello"}')
    url = Links(site.datasette, ()).session(name)
    assert urlsplit(url).path.startswith("/-/eyelet/session/")
    assert "hello" in (await site.get(url)).text
    assert (await site.json(f"{url}.json"))["session"]["id"] == name


async def test_dots_that_browsers_take_for_folders_lead_to_the_search(site: Any) -> None:
    assert urlsplit(Links(site.datasette, ()).session("..")).path == "/-/eyelet"


async def test_nobody_sees_more_than_the_contexts_he_may(open_site: Any, record: Any, noon_us: int) -> None:
    for context, prompt in (("work", "seen"), ("home", "classified")):
        record(
            noon_us + (context == "home"),
            *(),
            context=context,
            session_id="s-1",
            hook_type="UserPromptSubmit",
            data=json.dumps({"prompt": prompt}),
        )
    site = await open_site(contexts={"work": {"allow": {"id": "ann"}}})
    for path in (PAGE, f"{PAGE}.json", f"{PAGE}/part", f"{PAGE}/export.md"):
        assert (await site.get(path, actor=None)).status_code == 403
        assert (await site.get(path, actor={"id": "bob"})).status_code == 403
        root = (await site.get(path)).text
        assert "seen" in root and "classified" in root
        ann = (await site.get(path, actor={"id": "ann"})).text
        assert "seen" in ann and "classified" not in ann, path


@pytest.mark.parametrize("name", ATTACKS)
async def test_an_attack_in_every_field_does_no_harm(site: Any, record: Any, noon_us: int, name: str) -> None:
    attack = ATTACKS[name]
    fields: dict[str, Any] = {**dict.fromkeys(FIELDS, attack), "session_id": "s-1", "agent_id": None}
    meta = {"git": {"branch": attack}, "execution": {"error_code": attack, "error_message": attack}}
    given = {"command": attack, "file_path": attack}
    record(noon_us, meta=meta, error=1, data=json.dumps({"prompt": attack}), **fields)
    kinds = (
        ("UserPromptSubmit", {"prompt": attack}),
        ("Stop", {"last_assistant_message": attack}),
        ("afterAgentThought", {"text": attack}),
        ("PermissionRequest", {"message": attack}),
        ("SubagentStart", {"agent_type": attack}),
        ("SessionStart", {"source": attack}),
        ("StopFailure", {"error_details": attack}),
        ("PreCompact", {"trigger": attack}),
    )
    for at, (kind, data) in enumerate(kinds):
        agent = attack if kind == "SubagentStart" else None
        record(
            *(noon_us + 1 + at,),
            hook_type=kind,
            session_id="s-1",
            origin="hook",
            data=json.dumps(data),
            agent_id=agent,
            model=attack,
        )
    call = {"session_id": "s-1", "tool_use_id": "t", "tool_name": attack, "origin": "hook", "error": 1}
    record(noon_us + 60, hook_type="PostToolUse", status="error", data=json.dumps({"tool_input": given}), **call)
    titled = json.dumps({"type": "custom-title", "customTitle": attack})
    record(noon_us + 70, hook_type="custom-title", session_id="s-1", origin="transcript", data=titled)
    for path in ("", "/part", "?agent=*", f"?file={quote(attack[:300])}"):
        page = (await site.get(PAGE + path)).text
        harmless(page)
        assert not re.search("[\u202e\u2066\u2069\x1b\x00\ufeff]", page)
        assert len(page) < 400_000
    policy = (await site.get(PAGE)).headers["content-security-policy"]
    assert "unsafe" not in policy and "style-src 'self'" in policy
    html = (await site.get(f"{PAGE}/export.html")).text
    harmless(html)
    assert "<script" not in html
    marks = (await site.get(f"{PAGE}/export.md")).text
    assert not re.search("[\u202e\u2066\u2069\x1b\x00\ufeff]", marks)


async def test_a_file_of_html_needs_nothing_else_and_runs_nothing(site: Any, work: int) -> None:
    answer = await site.get(f"{PAGE}/export.html")
    assert answer.headers["content-disposition"].endswith('.session.html"')
    text = answer.text
    style = text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = unescape(re.findall(r'Content-Security-Policy" content="([^"]*)"', text)[0])
    assert policy.startswith("default-src 'none'") and f"'sha256-{digest}'" in policy
    assert not re.search(r"<script|<link|<img| src=| style=", text)
    for said in ("Mend the build", "It is mended.", "make part-7", "made 7", "the whole session"):
        assert said in text, said
    assert text.rstrip().endswith("</html>")


async def test_a_file_of_json_holds_the_page_and_more(site: Any, work: int) -> None:
    found = (await site.get(f"{PAGE}/export.json")).json()
    assert found["ok"] and found["export"] == {"events": 33, "complete": True, "unreadable": []}
    assert len(found["steps"]) == 33
    inner = [step["agent_id"] for step in found["steps"] if step["depth"]]
    assert inner == ["helper"] * 3
    at = next(at for at, step in enumerate(found["steps"]) if step["depth"])
    assert found["steps"][at - 1]["subagent"] == "helper", "what a subagent did stands behind what started it"
    assert [step["answered"] for step in found["steps"] if step["said"] == "make part-4"] == ["made 4"]


async def test_nothing_recorded_leaves_its_fence_in_markdown(site: Any, record: Any, noon_us: int) -> None:
    prompt = "```\n# not a heading\n````\n<img src=x>\n```"
    record(noon_us, session_id="s-1", hook_type="UserPromptSubmit", data=json.dumps({"prompt": prompt}))
    text = (await site.get(f"{PAGE}/export.md")).text
    assert f"`````text\n{prompt}\n`````" in text


async def test_an_export_is_in_the_audit_and_says_what_it_lacks(
    site: Any, store: Any, record: Any, work: int, noon_us: int
) -> None:
    day_us = 86_400 * SECOND_US
    record(noon_us - day_us, session_id="s-1", hook_type="Stop", data='{"last_assistant_message": "before"}')
    key = store.catalog.partitions()[0]
    with open(layout.db_path(store.root, key), "r+b") as file:
        file.write(b"broken" * 200)
    found = (await site.get(f"{PAGE}/export.json")).json()
    assert not found["ok"] and [bad["day"] for bad in found["export"]["unreadable"]] == [key.date]
    assert "not everything" in (await site.get(f"{PAGE}/export.md")).text
    assert "not everything" in (await site.get(f"{PAGE}/export.html")).text
    assert [line.action for line in audit.lines(store.root)].count("export.begin") == 3


async def test_a_part_is_of_the_page_that_was_shown_and_a_new_page_of_now(
    site: Any, work: int, record: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (await site.get(f"{PAGE}?_size=5")).text
    record(work + 30 * SECOND_US, session_id="s-1", hook_type="UserPromptSubmit", data='{"prompt": "Hurry"}')
    part = unescape(re.findall(r'data-eyelet-part="([^"]*)"', before)[0])
    assert len(anchors((await site.get(part)).text)) == 5
    assert "Hurry" in (await site.get(f"{PAGE}?_size=5")).text
    monkeypatch.setattr(stories, "PART_S", -1.0)
    assert (await site.get(part)).status_code == 200


def test_the_axis_goes_forward_and_shows_pauses_short() -> None:
    hour = 3_600 * SECOND_US
    pauses = [(hour, 50 * hour), (51 * hour, 200 * hour)]
    found = timeline([], {}, pauses, 0, 201 * hour)
    places = [fraction(found.scale, us) for us in range(0, 201 * hour, hour // 7)]
    assert places == sorted(places)
    assert (fraction(found.scale, 0), fraction(found.scale, 201 * hour)) == (0.0, 1.0)
    assert all(width < 20 for _, width in found.pauses)
    assert fraction(found.scale, hour) == pytest.approx(0.325, abs=0.01)
    assert found.stretches == ((0, hour), (50 * hour, 51 * hour), (200 * hour, 201 * hour))
    assert timeline([], {}, [], 0, hour).scale_text == ""
    assert timeline([], {}, [(0, hour)], 0, hour).height > 0, "nothing but a pause"
