"""OpenCode's messages and parts become events: the table of docs/events.md, its identifiers' times, any JSON at all."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelet_ingest.sources import opencode
from tests.sources.shapes import EXAMPLES, JSON, hold_to_columns, hold_to_table, said, table

NOW_US = 1_767_225_600_000_000  # 2026-01-01


@pytest.mark.parametrize("line", table("OpenCode sessions"), ids=lambda line: f"{line['event']} {line['says'][:60]}")
def test_a_record_is_what_the_table_says(line: dict[str, str]) -> None:
    record = {"id": "x_1", "sessionID": "ses_1", **said(line)}
    if "type" in record:
        record["messageID"] = "msg_1"
    event = opencode.normalise(record, "{}")
    assert event.hook_type == line["event"]
    hold_to_table(event, line)


def tool(status: str, **state: Any) -> dict[str, Any]:
    told = {"status": status, "input": {"command": "git push"}, **state}
    return {
        "id": "prt_1",
        "messageID": "m",
        "sessionID": "s",
        "type": "tool",
        "callID": "c",
        "tool": "bash",
        "state": told,
    }


def test_columns_are_what_record_message_and_session_say() -> None:
    message: dict[str, object] = {"role": "assistant", "modelID": "claude-x", "path": {"cwd": "/repo/sub"}}
    session: dict[str, object] = {"directory": "/repo", "version": "1.2.3", "parent_id": "ses_0"}
    done = tool("completed", output="ok", time={"start": 1_000, "end": 3_500})
    event = opencode.normalise(done, json.dumps(done), message, session)
    assert (event.session_id, event.tool_name, event.tool_use_id, event.role) == ("s", "bash", "c", None)
    assert (event.model, event.project_dir, event.duration_ms) == ("claude-x", "/repo/sub", 2_500)
    assert (event.agent, event.agent_id, event.origin) == ("opencode", "s", "transcript")
    assert event.meta == {"agent": {"version": "1.2.3"}}
    text: dict[str, object] = {"id": "prt_2", "messageID": "m", "sessionID": "s", "type": "text", "text": "x"}
    event = opencode.normalise(text, "{}", {"role": "user"}, {"directory": "/repo"})
    assert (event.role, event.project_dir, event.agent_id) == ("user", "/repo", None)


def test_a_finished_tool_is_another_record_than_a_running_one_and_what_runs_is_one() -> None:
    assert opencode.name_of(tool("pending")) == opencode.name_of(tool("running")) != opencode.name_of(tool("completed"))
    assert opencode.name_of(tool("error")) == opencode.name_of(tool("completed")) == "prt_1"
    assert opencode.name_of({"type": "text"}) is None


@pytest.mark.parametrize(
    ("record", "finished"),
    [
        ({"role": "user", "sessionID": "s"}, True),
        ({"role": "assistant", "sessionID": "s", "time": {"created": 1}}, False),
        ({"role": "assistant", "sessionID": "s", "time": {"created": 1, "completed": 2}}, True),
        ({"role": "assistant", "sessionID": "s", "time": {"created": 1}, "error": {"name": "x"}}, True),
        ({"type": "text", "messageID": "m", "sessionID": "s"}, True),
        ({"type": "text", "messageID": "m", "sessionID": "s", "time": {"start": 1}}, False),
        ({"type": "reasoning", "messageID": "m", "sessionID": "s", "time": {"start": 1, "end": 2}}, True),
    ],
)
def test_what_grows_is_awaited_for_an_hour(record: dict[str, Any], finished: bool) -> None:
    assert opencode.is_finished(record) is finished
    assert opencode.is_awaited(record, NOW_US - 1, NOW_US) is not finished
    assert not opencode.is_awaited(record, NOW_US - opencode.UNFINISHED_US, NOW_US)
    assert not opencode.is_awaited(record, NOW_US + 1, NOW_US) and not opencode.is_awaited(record, None, NOW_US)
    assert not opencode.is_awaited(tool("running"), NOW_US - 1, NOW_US)


def identifier(at_us: int) -> str:
    """As OpenCode makes one of a time."""
    return f"prt_{(at_us // 1_000 * 4096 + 1) % 2**48:012x}UOvEoWZkQJhcaA"


@given(st.integers(1_577_836_800_000, 1_900_000_000_000), st.integers(-(10**7), 10**7))
def test_the_time_in_an_identifier_is_found_near_a_time_that_is_known(at_ms: int, off_ms: int) -> None:
    record: dict[str, Any] = {"id": identifier(at_ms * 1_000), "type": "text"}
    assert opencode.time_us(record, (None, (at_ms + off_ms) * 1_000)) == at_ms * 1_000
    assert opencode.time_us(record, ((at_ms + 10**9) * 1_000,)) is None
    assert opencode.time_us({**record, "time": {"start": 1_767_225_600_000}}, ()) == NOW_US


@pytest.mark.parametrize(
    "name", ["prt_1", "prt_" + "g" * 26, "prt_" + "0" * 25, "", 7, None, "prt_" + "0" * 12 + "é" * 14]
)
def test_an_identifier_without_a_time_tells_none(name: object) -> None:
    assert opencode.time_us({"id": name, "type": "text"}, (NOW_US,)) is None


FIELDS = (
    *("id", "sessionID", "messageID", "type", "role", "time", "state", "tool", "callID", "error", "modelID", "model"),
    *("path", "text", "metadata"),
)
INNER = st.dictionaries(
    st.sampled_from(
        ["status", "time", "start", "end", "created", "completed", "error", "metadata", "exit", "name", "data"]
    ),
    JSON | st.sampled_from(["pending", "running", "completed", "error"]),
    max_size=5,
)
RECORD = st.dictionaries(
    st.sampled_from(FIELDS), JSON | INNER | st.sampled_from(["tool", "text", "assistant"]), max_size=9
)


@settings(max_examples=EXAMPLES)
@given(RECORD, RECORD, RECORD, st.integers(-(10**20), 10**20))
def test_no_record_raises(
    record: dict[str, object], message: dict[str, object], row: dict[str, object], at: int
) -> None:
    hold_to_columns(opencode.normalise(record, "{}"))
    hold_to_columns(opencode.normalise(record, "{}", message, row))
    opencode.name_of(record), opencode.recognises(record), opencode.is_awaited(record, at, NOW_US)
    opencode.time_us(record), opencode.time_us(record, (at, None))
    told = opencode.of_row(row, record)
    assert isinstance(told["id"], str) if "id" in row else told.get("id") == record.get("id")
