"""Calls, tokens and completeness for programs: what the library says, to whom may see it."""

from typing import Any

import pytest

from datasette_eyelet.pages import calls_json

ALL = {"range": "all"}


@pytest.fixture
def recorded(record: Any, now_us: int) -> int:
    named = {"tool_name": "Bash", "session_id": "s", "tool_use_id": "t1", "agent": "claude"}
    record(now_us, hook_type="PreToolUse", status="pending", data='{"tool_input": {"command": "ls"}}', **named)
    record(now_us + 5_000, hook_type="PostToolUse", data='{"tool_response": "x"}', **named)
    usage = '{"message": {"id": "m", "usage": {"output_tokens": 7}}, "requestId": "r"}'
    for at in (1_000, 2_000):
        record(now_us + at, hook_type="assistant", role="assistant", origin="transcript", data=usage, **named)
    return now_us


async def test_a_call_comes_once_with_its_question_and_its_answer(site: Any, recorded: int) -> None:
    found = await site.json("/-/eyelet/calls.json?range=all&_size=1")
    (call,) = found["rows"]
    assert (call["status"], call["tool_use_id"], call["events"], found["next"]) == ("ok", "t1", 4, None)
    assert call["question"]["data"] == {"tool_input": {"command": "ls"}}
    assert call["answer"]["id"] == recorded + 5_000
    assert (await site.json("/-/eyelet/calls.json?range=all&status=unknown"))["rows"] == []


async def test_tokens_and_completeness_are_those_of_the_library(site: Any, recorded: int) -> None:
    found = await site.json("/-/eyelet/usage.json?range=all")
    assert found["total"]["output"] == 7 and found["total"]["answers"] == 1
    assert [(row["session"], row["agent"], row["output"]) for row in found["rows"]] == [("s", "claude", 7)]
    said = await site.json("/-/eyelet/completeness.json?range=all&session=s")
    assert (said["known"], said["caught"], said["missing"]) == (1, 1, {})


@pytest.mark.parametrize("asked", ["calls.json?_next=x~", "calls.json?colour=red", "usage.json?status=fine"])
async def test_what_cannot_be_meant_is_refused_with_the_reason(site: Any, asked: str) -> None:
    done = await site.get(f"/-/eyelet/{asked}")
    assert done.status_code == 400 and done.json()["error"]


async def test_pages_go_on_where_the_last_one_ended(site: Any, recorded: int, record: Any) -> None:
    record(recorded + 9_000, hook_type="PreToolUse", status="pending", tool_use_id="t2", session_id="s")
    first = await site.json("/-/eyelet/calls.json?range=1h&_size=1")
    record(recorded + 10_000, hook_type="PostToolUse", tool_use_id="t1", session_id="s")
    second = await site.json(f"/-/eyelet/calls.json?range=1h&_size=1&_next={first['next']}")
    assert [call["tool_use_id"] for page in (first, second) for call in page["rows"]] == ["t2", "t1"]
    assert second["next"] is None


@pytest.mark.parametrize("name", ["calls", "usage", "completeness"])
async def test_what_there_was_no_time_for_is_said(
    site: Any, recorded: int, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls_json, "DEADLINE_MS", 0)
    found = await site.json(f"/-/eyelet/{name}.json?range=all")
    assert found["partitions"]["unasked"] == 1
    if name == "calls":
        monkeypatch.undo()
        assert len((await site.json(f"/-/eyelet/calls.json?range=all&_next={found['next']}"))["rows"]) == 1


@pytest.mark.parametrize("name", ["calls", "usage", "completeness"])
async def test_nobody_sees_it_who_may_not(open_site: Any, name: str) -> None:
    site = await open_site()
    done = await site.get(f"/-/eyelet/{name}.json", actor=None)
    assert done.status_code == 403
