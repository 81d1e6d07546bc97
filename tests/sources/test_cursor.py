"""Cursor's hook payloads become events: the tables of docs/events.md, Cursor's own samples, and any JSON at all."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelet_ingest.sources import cursor_hooks
from tests.sources.shapes import EXAMPLES, JSON, hold_to_columns, hold_to_table, said, table

BASE: dict[str, object] = {
    "conversation_id": "c-1",
    "generation_id": "g-1",
    "model": "claude-opus-4-7-thinking-max",
    "model_id": "claude-opus-4-7",
    "cursor_version": "3.10.17",
    "workspace_roots": ["/project", "/other"],
    "user_email": None,
    "transcript_path": None,
}


@pytest.mark.parametrize("line", table("Cursor hooks"), ids=lambda line: f"{line['event']} {line['says'][:60]}")
def test_a_hook_is_what_the_table_says(line: dict[str, str]) -> None:
    event = cursor_hooks.normalise({**BASE, "hook_event_name": line["event"], **said(line)}, "{}")
    assert event.hook_type == line["event"]
    hold_to_table(event, line)


def test_columns_are_what_the_payload_says() -> None:
    payload = {
        **BASE,
        "hook_event_name": "postToolUse",
        "tool_name": "Shell",
        "tool_input": {"command": "npm test"},
        "tool_output": '{"exitCode":0,"stdout":"All tests passed"}',
        "tool_use_id": "abc123",
        "cwd": "/project/sub",
        "duration": 5432,
    }
    event = cursor_hooks.normalise(payload, json.dumps(payload))
    assert (event.session_id, event.tool_name, event.tool_use_id) == ("c-1", "Shell", "abc123")
    assert (event.agent, event.origin, event.model) == ("cursor", "hook", "claude-opus-4-7")
    assert (event.duration_ms, event.project_dir) == (5432, "/project")
    assert event.meta == {"agent": {"version": "3.10.17"}}
    assert json.loads(event.data) == payload


def test_a_subagents_columns_are_its_own() -> None:
    started = {"subagent_id": "a-1", "subagent_model": "m", "tool_call_id": "tc-1", "git_branch": "feature/auth"}
    event = cursor_hooks.normalise({"hook_event_name": "subagentStart", "cursor_version": "3", **started}, "{}")
    assert (event.agent_id, event.model) == ("a-1", "m")
    assert event.tool_use_id is None  # the call it was begun by is not answered by that
    assert event.meta["git"] == {"branch": "feature/auth"}
    ended = {"hook_event_name": "subagentStop", "status": "error", "summary": "gave up", "duration_ms": 45000}
    event = cursor_hooks.normalise({**BASE, **ended}, "{}")
    assert (event.status, event.duration_ms) == ("error", 45000)
    assert event.meta["execution"] == {"status": "error", "error_message": "gave up"}


def test_the_session_is_the_conversation_else_the_session_it_names() -> None:
    assert cursor_hooks.normalise({"conversation_id": "c", "session_id": "s"}, "{}").session_id == "c"
    assert cursor_hooks.normalise({"session_id": "s"}, "{}").session_id == "s"


def test_the_tokens_of_a_turn_stay_in_the_payload() -> None:
    payload = {**BASE, "hook_event_name": "stop", "status": "completed", "input_tokens": 10, "output_tokens": 4}
    event = cursor_hooks.normalise(payload, json.dumps(payload))
    assert (event.status, json.loads(event.data)["output_tokens"]) == ("ok", 4)


FIELDS = (
    *("hook_event_name", "conversation_id", "session_id", "tool_name", "tool_input", "tool_output", "tool_use_id"),
    *("cwd", "duration", "duration_ms", "model", "model_id", "workspace_roots", "cursor_version", "error_message"),
    *("failure_type", "is_interrupt", "status", "reason", "result_json", "command", "subagent_id", "git_branch"),
)
EVENTS = st.sampled_from(
    [
        "preToolUse",
        "postToolUse",
        "postToolUseFailure",
        "afterMCPExecution",
        "beforeShellExecution",
        "stop",
        "sessionEnd",
    ]
)


@settings(max_examples=EXAMPLES)
@given(st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), JSON, max_size=8), EVENTS | JSON)
def test_no_payload_raises(payload: dict[str, object], event: object) -> None:
    hold_to_columns(cursor_hooks.normalise({"hook_event_name": event, **payload}, "{}"))


@settings(max_examples=EXAMPLES)
@given(st.text(max_size=30) | JSON.map(json.dumps))
def test_no_text_that_may_be_json_raises(text: str) -> None:
    for event, field in (
        ("postToolUse", "tool_output"),
        ("afterMCPExecution", "result_json"),
        ("preToolUse", "tool_input"),
    ):
        hold_to_columns(cursor_hooks.normalise({"hook_event_name": event, "tool_name": "Shell", field: text}, "{}"))
