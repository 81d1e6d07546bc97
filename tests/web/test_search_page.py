"""The search page: without JavaScript, everything in the URL, and true about what it looked at."""

import json
import re
import shlex
import subprocess
import sys
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from eyelet_ingest.store import archives, layout
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


async def test_an_empty_root_says_how_to_record_and_how_to_import_into_it(site: Any, root: str) -> None:
    text = unescape(await page(site, "/-/eyelet"))
    assert "Nothing is recorded yet" in text
    assert f"eyelet ingest ~/.claude/projects --root {root}\n" in text.replace("</pre>", "\n")
    hooks = json.loads(text[text.index('{"hooks"') : text.index("</pre>", text.index('{"hooks"'))])["hooks"]
    [command] = {entry["hooks"][0]["command"] for [entry] in hooks.values()}
    program, *options = shlex.split(command)
    assert program == str(Path(sys.executable).parent / "eyelet-hook")
    assert options == ["--root", root]
    assert "0 of 0 partitions scanned" in text


async def test_the_advice_for_the_default_root_names_none(open_site: Any, tmp_path: Path) -> None:
    site = await open_site(root=str(tmp_path / "home" / ".eyelet"))
    text = await page(site, "/-/eyelet")
    assert "eyelet ingest ~/.claude/projects</pre>" in text
    assert "eyelet install</pre>" in text
    assert "--root" not in text
    assert "--root" not in (await site.get("/-/eyelet", None)).text.replace("prints such a link with <code>--root", "")


async def test_the_advice_works_when_it_is_pasted(
    open_site: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a folder with a blank in its name, and with no `eyelet` on the PATH."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    home, root = tmp_path / "home", tmp_path / "it's my root"
    recording = home / ".claude" / "projects" / "one" / "s.jsonl"
    recording.parent.mkdir(parents=True)
    recording.write_text(
        '{"type":"user","uuid":"u1","sessionId":"s1","timestamp":"2026-03-20T14:03:22Z","message":{}}\n'
    )
    site = await open_site(root=str(root))
    text = unescape(await page(site, "/-/eyelet"))
    [command] = re.findall(r"<pre>(.*eyelet ingest .*)</pre>", text)
    subprocess.run(["sh", "-c", command], check=True, capture_output=True)
    hooks = json.loads(text[text.index('{"hooks"') : text.index("</pre>", text.index('{"hooks"'))])["hooks"]
    [entry] = hooks["Stop"]
    payload = '{"hook_event_name":"Stop","session_id":"s1"}'
    subprocess.run(["sh", "-c", entry["hooks"][0]["command"]], input=payload, text=True, check=True)
    assert len(rows(await page(site, ALL))) == 2
    assert not (home / ".eyelet" / "logs").exists()


async def test_a_refusal_does_not_tell_strangers_where_the_root_is(site: Any, root: str) -> None:
    text = (await site.get("/-/eyelet", None)).text
    assert "eyelet serve --root DIR" in text
    assert root not in text


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


@pytest.mark.parametrize(
    ("query", "wider"),
    [
        ("range=15m", ["24 hours", "7 days", "30 days", "all"]),
        ("range=24h", ["7 days", "30 days", "all"]),
        ("range=7d", ["30 days", "all"]),
        ("range=30d", ["all"]),
        ("range=all", []),
        ("from=2020", ["all"]),
        ("to=2020", ["all"]),
        ("from=now-10d&to=now", ["30 days", "all"]),
    ],
)
async def test_only_ranges_that_reach_further_back_are_offered(
    site: Any, record: Any, now_us: int, query: str, wider: list[str]
) -> None:
    record(now_us)
    text = await page(site, f"/-/eyelet?{query}&tool=Nope")
    said = text[text.index("No events match") :]
    offered = re.findall(r">(?:last )?(all|24 hours|7 days|30 days)(?: time)?</a>", said)
    assert offered == wider
    assert ("further back" in text) == bool(wider)


WRONG = {
    "from=never": "from",
    "to=never": "to",
    "tz=Mars/Olympus": "tz",
    "status=unheard": "status",
    "from=2026-03-02&to=2026-03-01": "from",
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_mistake_keeps_the_form_as_it_was_typed_and_marks_the_field(
    site: Any, record: Any, now_us: int, wrong: str
) -> None:
    record(now_us, context="work")
    answer = await site.get(f"/-/eyelet?tool=Bash&tool=Edit&q=needle&errors=1&session=s-1&context=work&{wrong}")
    assert answer.status_code == 400
    text = answer.text
    for typed in (
        'name="tool" value="Bash"',
        'type="hidden" name="tool" value="Edit"',
        'name="q" value="needle"',
        'name="session" value="s-1"',
        '<option value="work" selected>',
        'name="errors" value="1" checked',
    ):
        assert typed in text
    for name, [value] in parse_qs(wrong).items():
        assert f'name="{name}" value="{value}"' in text or f'<option value="{value}" selected>' in text
    marked = re.findall(r'name="(\w+)"[^>]* aria-invalid="true" aria-describedby="eyelet-wrong"', text)
    assert marked == [WRONG[wrong]]
    assert re.findall(r'id="eyelet-wrong" role="alert"><strong>(\w+)', text) == marked
    assert rows(text) == []
    again = link(text, "30d")
    assert parse_qs(urlsplit(again).query) == {
        "range": ["30d"],
        "tool": ["Bash", "Edit"],
        "q": ["needle"],
        "errors": ["1"],
        "session": ["s-1"],
        "context": ["work"],
    }
    assert (await site.get(again)).status_code == 200


@pytest.mark.parametrize("wrong", ["range=never", "_size=0", "_next=forged", "sesion=s"])
async def test_a_mistake_without_a_field_is_said_and_does_not_travel_on(site: Any, wrong: str) -> None:
    answer = await site.get(f"/-/eyelet?tool=Bash&{wrong}")
    assert answer.status_code == 400
    assert answer.text.count('role="alert"') == 1
    assert 'name="tool" value="Bash"' in answer.text
    assert f'name="{wrong.partition("=")[0]}" value="{wrong.partition("=")[2]}"' not in answer.text


async def test_no_status_is_offered_that_is_not_stored(site: Any) -> None:
    text = await page(site, "/-/eyelet")
    offered = text[text.index('<select name="status"') :]
    options = re.findall(r'<option value="(\w+)"', offered[: offered.index("</select>")])
    assert sorted(options) == ["denied", "error", "interrupted", "ok", "pending"]


async def test_src_gives_way_in_front_and_is_whole_in_its_title(site: Any, record: Any, now_us: int) -> None:
    record(now_us, src="claude.posttoolusefailure.mcp.server.tool")
    record(now_us - 1, src="claude.userpromptsubmit")
    record(now_us - 2, src="bare")
    text = await page(site, ALL)
    found = re.findall(r'class="src" title="([^"]*)">(.*?)</td>', text)
    for (whole, cell), last in zip(found, ("mcp.server.tool", "userpromptsubmit", "bare"), strict=True):
        assert re.sub(r"<[^>]*>", "", cell) == whole
        assert cell.endswith(f'"eyelet-last">{last}</span>')


CASES = {
    "src": ("claude.posttooluse.bash", {"src": "claude.posttooluse.bash.git"}, {"src": "claude.posttooluse.bashful"}),
    "type": ("Stop", {"hook_type": "Stop"}, {"hook_type": "SubagentStop"}),
    "tool": ("Bash", {"tool_name": "Bash"}, {"tool_name": "BashOutput"}),
    "session": ("s-1", {"session_id": "s-1"}, {"session_id": "s-12"}),
    "status": ("denied", {"status": "denied"}, {"status": "ok"}),
    "error_code": ("exit:1", *({"meta": {"execution": {"error_code": code}}} for code in ("exit:1", "exit:12"))),
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
        seen += [unescape(url) for url in re.findall(r'class="at"><a href="([^"]+)"', text)]
        if "Older" not in text:
            break
        path = link(text, "Older")
    assert len(seen) == len({urlsplit(url).path for url in seen}) == len(ids) + 17
    times = [int(urlsplit(url).path.rsplit("/", 1)[1]) for url in seen]
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
    opened = row[row.index("<details") : row.index("</details>")]
    assert "ls -l" in opened[: opened.index("</summary>")]
    assert "&#34;command&#34;: &#34;ls -l&#34;" in opened
    assert "1.2 s" in row
    assert f"/-/eyelet/event/default/{event_id}" in opened
    fragment = re.search(r'data-url="([^"]+)"', opened)
    assert fragment
    whole = await page(site, unescape(fragment[1]))
    for name, value in (("session", "s-1"), ("src", "claude.posttooluse.bash.ls"), ("tool", "Bash")):
        href = re.search(rf'href="([^"]+)" title="Show only this {name}"', whole)
        assert href and parse_qs(urlsplit(unescape(href[1])).query) == {"range": ["all"], name: [value]}
        href = re.search(rf'href="([^"]+)" aria-label="Leave out this {name}"', whole)
        assert href and parse_qs(urlsplit(unescape(href[1])).query) == {"range": ["all"], f"-{name}": [value]}


async def test_a_long_payload_is_cut_in_the_list_with_a_link_to_the_whole(site: Any, record: Any, now_us: int) -> None:
    record(now_us, data='{"prompt": "' + "x" * 100_000 + ' the end"}')
    text = await page(site, ALL)
    assert "the end" not in text
    assert len(text) < 40_000
    assert "Whole event, 97.7 KB" in text


async def test_errors_have_a_stripe(site: Any, record: Any, now_us: int) -> None:
    record(now_us, error=1, status="error")
    assert 'class="eyelet-row failed"' in await page(site, ALL)


async def test_the_footer_says_which_days_are_only_in_the_archive(
    site: Any, record: Any, noon_us: int, root: str
) -> None:
    record(noon_us, noon_us - 3 * DAY_US)
    archives.archive(root, layout.key_for("default", noon_us - 3 * DAY_US), remove=True)
    assert "1 day only in the archive" in await page(site, ALL)
    assert "in the archive" not in await page(site, f"/-/eyelet?from={layout.key_for('default', noon_us).date}")


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


async def test_the_demonstration_is_said_to_be_one(site: Any, root: str, record: Any, now_us: int) -> None:
    record(now_us, context="work")
    assert "generated demonstration" not in await page(site, ALL)
    record(now_us, context="demo")
    text = await page(site, ALL)
    assert "generated demonstration" in text
    assert f"eyelet ingest ~/.claude/projects --root {root}" in text
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
    ours = [url for url in re.findall(r'(?:href|src|action|data-url)="([^"#]+)"', text) if "eyelet" in url]
    assert len(ours) > 20
    assert all(url.startswith(("/logs/-/", "/logs/eyelet")) for url in ours)
    assert len(rows(await page(site, link(text, "Older").removeprefix("/logs")))) == 1


async def test_what_was_found_is_marked_and_escaped(site: Any, record: Any, now_us: int) -> None:
    data = {
        "tool_input": {"command": "make"},
        "tool_response": {"stdout": "a <b>needle</b> \u202eof <script>x</script>"},
    }
    record(now_us, tool_name="Bash", data=json.dumps(data))
    record(now_us - 1, tool_name="Bash", data='{"tool_input": {"command": "needle --now"}}')
    page = (await site.get("/-/eyelet?range=1h&q=needle")).text
    assert "a &lt;b&gt;<mark>needle</mark>&lt;/b&gt; \\u202eof &lt;script&gt;" in page
    assert '<span class="eyelet-gist"><mark>needle</mark> --now</span></summary>' in page, "said once"
    assert "<script>x" not in page
    assert "<mark>" not in (await site.get("/-/eyelet?range=1h")).text
    only_not = (await site.get("/-/eyelet?range=1h&q=-nothing")).text
    assert only_not.count('class="eyelet-row"') == 2 and "<mark>" not in only_not


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('push "force', "push <mark>&#34;</mark>force"),
        ("(a OR b", "<mark>(</mark>a OR b"),
        ("nope:x", "<mark>nope:</mark>x"),
        ("<b>\u202e OR", "&lt;b&gt;\\u202e OR<mark></mark>"),
    ],
)
async def test_a_mistake_in_the_text_is_shown_at_its_place(site: Any, text: str, shown: str) -> None:
    answer = await site.get(f"/-/eyelet?{urlencode({'q': text})}")
    assert answer.status_code == 400
    assert f'<code class="eyelet-mistake">{shown}' in answer.text
    assert '<details class="eyelet-help" open>' in answer.text
    found = await site.get(f"/-/eyelet.json?{urlencode({'q': text})}")
    assert (found.status_code, found.json()["ok"]) == (400, False)


async def test_by_rank_the_best_match_is_first(site: Any, record: Any, now_us: int) -> None:
    record(now_us - 1, data='{"say": "push push"}')
    record(now_us, data='{"say": "push and a good deal of other text that is about something else"}')
    by_time = await site.json("/-/eyelet.json?range=1h&q=push")
    by_rank = await site.json("/-/eyelet.json?range=1h&q=push&by=rank")
    assert [row["id"] for row in by_time["rows"]] == [now_us, now_us - 1]
    assert [row["id"] for row in by_rank["rows"]] == [now_us - 1, now_us]
    assert by_rank["next"] is None
    assert by_rank["rows"][0]["rank"] <= by_rank["rows"][1]["rank"]
    assert by_rank["rows"][0]["snippet"] == {"text": "push push", "hits": [[0, 4], [5, 9]]}
    page = (await site.get("/-/eyelet?range=1h&q=push&by=rank")).text
    assert "Best match first" in page and '<option value="rank" selected>' in page
    for wrong in ("by=rank", "q=push&by=best"):
        assert (await site.get(f"/-/eyelet?range=1h&{wrong}")).status_code == 400


OF_EVENTS = (
    ".json?",
    "?rows=events&",
    "/export.csv?",
    "/export.json?",
    "/export.jsonl?",
    "/sql?",
    "/sql.json?",
    "/live?",
)


@pytest.mark.parametrize("asked", ["status=unknown", "q=status%3Aunknown", "-status=unknown"])
async def test_unknown_is_a_status_of_calls_and_refused_with_that_reason_where_events_are_asked_for(
    site: Any, record: Any, noon_us: int, asked: str
) -> None:
    record(noon_us, tool_name="Bash", tool_use_id="t1", hook_type="PreToolUse", status="pending", session_id="s")
    record(noon_us + 1, tool_name="Read", tool_use_id="t2", hook_type="PostToolUse", status="ok", session_id="s")
    for path in OF_EVENTS:
        answer = await site.get(f"/-/eyelet{path}range=all&{asked}")
        assert answer.status_code == 400, path
        assert "only calls are unknown" in answer.text, path
    found = (await site.json(f"/-/eyelet.json?rows=calls&range=all&{asked}"))["rows"]
    assert [row["tool_name"] for row in found] == (["Read"] if asked.startswith("-") else ["Bash"])
    page = (await site.get(f"/-/eyelet?range=all&{asked}")).text
    assert page.count('<tr role="row" class="eyelet-row') == 1
    linked = {
        unescape(url) for url in re.findall(r'href="(/[^"]*)"', page) if "unknown" in url and "rows=events" not in url
    }
    for url in linked:
        assert (await site.get(url)).status_code == 200, url
