"""The ready queries as pages, JSON and CSV of the databases over days, for whoever may see them."""

import json
from typing import Any

import pytest
from datasette.app import Datasette

from eyelet_ingest.store import ready

# The site and the recorder are fixtures of tests/web/conftest.py.
Site = Any
OpenSite = Any
Record = Any

IS_1_0 = hasattr(Datasette, "allowed")
DAY_US = 86_400_000_000
START_US = 1_773_964_800_000_000  # 2026-03-20
BOB = {"id": "bob"}


@pytest.fixture
def recorded(record: Record) -> None:
    """A call over two days in one context, a prompt with markup in another."""
    call = {
        "tool_name": "Bash",
        "tool_use_id": "t",
        "session_id": "s",
        "data": '{"tool_input": {"command": "git push"}}',
    }
    record(START_US, context="work", hook_type="PreToolUse", status="pending", agent_id="a", **call)
    record(START_US + DAY_US, context="work", hook_type="PostToolUse", error=1, src="a.b", **call)
    edit = {
        "tool_name": "Edit",
        "tool_use_id": "e",
        "session_id": "s",
        "data": '{"tool_input": {"file_path": "/x.py"}}',
    }
    record(START_US + 7, context="work", hook_type="PreToolUse", status="pending", **edit)
    record(START_US + 9, context="work", hook_type="PermissionDenied", status="denied", tool_name="mcp__hub__get")
    data = json.dumps({"prompt": "<script>alert(1)</script>"})
    record(START_US + 5, context="other", hook_type="UserPromptSubmit", session_id="p", data=data)


@pytest.mark.parametrize("query", ready.QUERIES, ids=lambda query: query.name)
async def test_each_is_a_page_with_title_form_and_rows(site: Site, recorded: None, query: ready.Query) -> None:
    answer = await site.get(f"/eyelet/{query.name}")
    assert answer.status_code == 200
    assert query.title.replace("?", "") in answer.text
    for parameter in query.parameters:
        assert f'name="{parameter}"' in answer.text
    rows = (await site.json(f"/eyelet/{query.name}.json?_shape=objects"))["rows"]
    lines = (await site.get(f"/eyelet/{query.name}.csv")).text.splitlines()
    assert len(lines) == len(rows) + 1
    assert rows, "something is recorded for each"


async def test_what_is_asked_reaches_the_query(site: Site, recorded: None) -> None:
    path = "/eyelet/would_deny.json?tool=Bash&pattern=git+push:*&_shape=objects"
    (row,) = (await site.json(path))["rows"]
    assert (row["what"], row["calls"]) == ("git push", 1)
    assert (await site.json("/eyelet/would_deny.json?pattern=make*&_shape=objects"))["rows"] == []


async def test_recorded_text_stays_text(site: Site, recorded: None) -> None:
    page = (await site.get("/eyelet/prompts")).text
    assert "<script>alert(1)" not in page and "&lt;script&gt;alert(1)" in page


async def test_one_context_has_its_own_and_tells_nothing_of_others(open_site: OpenSite, recorded: None) -> None:
    site = await open_site(contexts={"work": {"allow": BOB}})
    for query in ready.QUERIES:
        for end in ("", ".json", ".csv"):
            mine = await site.get(f"/eyelet-work/{query.name}{end}", BOB)
            assert mine.status_code == 200 and "alert(1)" not in mine.text
            assert (await site.get(f"/eyelet-other/{query.name}{end}", BOB)).status_code == 403
            assert (await site.get(f"/eyelet/{query.name}{end}", BOB)).status_code == 403
            assert (await site.get(f"/eyelet/{query.name}{end}", None)).status_code == 403
