"""Copilot's sessions become events: the table of docs/events.md, files as public readers have them, and any JSON."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelet_ingest.pipeline import ingest
from eyelet_ingest.sources import copilot_sessions
from eyelet_ingest.sources.copilot_sessions import Session
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from tests.sources.shapes import EXAMPLES, JSON, hold_to_columns, hold_to_table, said, table


def envelope(kind: str, data: Any, number: int = 0) -> dict[str, Any]:
    name = f"0f7e0247-8783-45d0-b075-{number:012x}"
    return {"type": kind, "data": data, "id": name, "timestamp": f"2026-07-30T01:56:{number:02}.305Z", "parentId": None}


@pytest.mark.parametrize("line", table("Copilot sessions"), ids=lambda line: f"{line['event']} {line['says'][:60]}")
def test_an_event_is_what_the_table_says(line: dict[str, str]) -> None:
    session = Session()
    session.event(envelope("tool.execution_start", {"toolCallId": "t_bash", "toolName": "bash"}), "{}")
    asked = {"requestId": "r_bash", "permissionRequest": {"toolCallId": "t_bash"}}
    session.event(envelope("permission.requested", asked), "{}")
    record = envelope(line["event"], said(line))
    assert copilot_sessions.recognises(record)
    event = session.event(record, "{}")
    assert event.hook_type == line["event"]
    hold_to_table(event, line)


SESSION = [
    envelope(
        "session.start",
        {
            "sessionId": "a1b2c3d4-0000-0000-0000-000000000001",
            "copilotVersion": "1.0.41",
            "context": {"cwd": "/home/user/project", "repository": "owner/project", "branch": "main"},
        },
        1,
    ),
    envelope("user.message", {"content": "read it"}, 2),
    envelope(
        "assistant.message",
        {
            "messageId": "m1",
            "content": "",
            "toolRequests": [{"toolCallId": "tc-1", "name": "view"}, {"toolCallId": "tc-2", "name": "bash"}],
        },
        3,
    ),
    envelope("tool.execution_start", {"toolCallId": "tc-1", "toolName": "view", "arguments": {"path": "x"}}, 4),
    {**envelope("tool.execution_complete", {"toolCallId": "tc-1", "success": True, "model": "m"}, 5), "agentId": "sub"},
    envelope("a.type_of_tomorrow", {"x": 1}, 6),
]


def test_a_session_is_whole_and_once(tmp_path: Path) -> None:
    folder = tmp_path / "session-state" / "a1b2c3d4-0000-0000-0000-000000000001"
    folder.mkdir(parents=True)
    (folder / "events.jsonl").write_text("".join(json.dumps(one) + "\n" for one in SESSION[:4]), encoding="utf-8")
    root = str(tmp_path / "root")
    assert ingest([str(tmp_path / "session-state")], root).stored == 4
    (folder / "events.jsonl").write_text("".join(json.dumps(one) + "\n" for one in SESSION), encoding="utf-8")
    done = ingest([str(tmp_path / "session-state")], root)
    assert (done.stored, done.duplicates, done.quarantined) == (2, 4, 0)
    with Store(root) as store:
        found: list[dict[str, Any]] = [dict(row) for row in reversed(store.search(Filter(), limit=100).rows)]
    assert [row["hook_type"] for row in found] == [one["type"] for one in SESSION]
    assert {row["session_id"] for row in found} == {"a1b2c3d4-0000-0000-0000-000000000001"}
    assert {row["project_dir"] for row in found} == {"/home/user/project"}
    assert {row["git_branch"] for row in found} == {"main"}
    asked, begun, ended = found[2:5]
    assert (asked["tool_use_id"], asked["role"]) == ("tc-1", "assistant")
    assert [call["id"] for call in json.loads(asked["meta"])["calls"]] == ["tc-1", "tc-2"]
    assert (begun["status"], ended["status"], ended["tool_name"], ended["agent_id"]) == ("pending", "ok", "view", "sub")
    assert (ended["model"], ended["tool_use_id"]) == ("m", "tc-1")
    assert json.loads(found[5]["data"]) == SESSION[5]


OLD = {
    "sessionId": "b2",
    "startTime": "2025-09-30T10:00:00.000Z",
    "chatMessages": [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "tool_calls": [{"id": "call_1", "function": {"name": "bash", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "x"},
    ],
    "timeline": [{"type": "user", "text": "hello"}],
}


def test_a_session_of_before_is_its_messages(tmp_path: Path) -> None:
    path = tmp_path / "session_b2_1759226400000.json"
    path.write_text(json.dumps(OLD), encoding="utf-8")
    done = ingest([str(path)], str(tmp_path / "root"))
    assert (done.read, done.stored, done.quarantined) == (4, 4, 0)
    grown = [*OLD["chatMessages"], {"role": "assistant", "content": "y"}]
    path.write_text(json.dumps({**OLD, "chatMessages": grown}), encoding="utf-8")
    assert ingest([str(path)], str(tmp_path / "root")).stored == 1
    with Store(str(tmp_path / "root")) as store:
        found: list[dict[str, Any]] = [dict(row) for row in store.search(Filter(session_id=("b2",)), limit=100).rows]
    assert sorted(row["hook_type"] for row in found) == ["assistant", "assistant", "session", "tool", "user"]
    assert {row["tool_use_id"] for row in found} == {"call_1", None}


def test_what_is_none_of_copilots_is_not_taken_for_it() -> None:
    assert not copilot_sessions.recognises({"type": "customer.created", "data": {}, "id": "evt_1"})
    assert copilot_sessions.apart({"chatMessages": [1]}) is None
    assert Session().uuid({"id": "e1", "parentId": None, "data": {}}) is None


FIELDS = ("type", "data", "id", "parentId", "timestamp", "agentId", "chatMessage", "sessionId", "startTime", "rest")
INSIDE = (
    *("sessionId", "context", "cwd", "branch", "toolCallId", "toolName", "toolRequests", "success", "error", "result"),
    *(
        "permissionRequest",
        "requestId",
        "model",
        "durationMs",
        "role",
        "shutdownType",
        "errorType",
        "kind",
        "statusCode",
    ),
)
TYPES = st.sampled_from(
    ["tool.execution_complete", "assistant.message", "permission.completed", "session.error", "abort"]
)
DATA = st.dictionaries(st.sampled_from(INSIDE), JSON | st.dictionaries(st.sampled_from(INSIDE), JSON), max_size=6)


@settings(max_examples=EXAMPLES)
@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), JSON | DATA | TYPES, max_size=7), max_size=3), TYPES, DATA)
def test_no_record_raises(records: list[dict[str, object]], kind: str, data: dict[str, object]) -> None:
    session = Session()
    last: dict[str, object] = {"type": kind, "data": data, "parentId": None}
    for record in [*records, last]:
        copilot_sessions.recognises(record), session.time_us(record), session.uuid(record)
        hold_to_columns(session.event(record, "{}"))
        for part in copilot_sessions.apart({**record, "chatMessages": [record]}) or ():
            assert isinstance(part, dict)
            hold_to_columns(session.event(part, "{}"))
