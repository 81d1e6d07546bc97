"""Whose a payload is and what a record is of: one place decides, for the hook, the server and the import alike."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelet_ingest import live
from eyelet_ingest.errors import BadInput
from eyelet_ingest.reading import Found
from eyelet_ingest.redaction import Redactor
from eyelet_ingest.sources import formats, registry
from tests.sources.shapes import EXAMPLES, JSON, hold_to_columns


@pytest.mark.parametrize(
    ("payload", "said", "agent"),
    [
        ({"hook_event_name": "PreToolUse", "session_id": "s"}, "", "claude"),
        ({"hook_event_name": "PreToolUse"}, "claude", "claude"),
        ({"hook_event_name": "PreToolUse"}, "codex", "codex"),
        ({"hook_event_name": "PreToolUse"}, "nobody", "claude"),
        ({"hook_event_name": "PreToolUse", "turn_id": "t"}, "", "codex"),
        (
            {"hook_event_name": "SessionStart", "transcript_path": "/h/.codex/sessions/2026/rollout-1.jsonl"},
            "",
            "codex",
        ),
        ({"type": "agent-turn-complete", "thread-id": "t"}, "", "codex"),
        ({"hook_event_name": "BeforeTool"}, "", "gemini"),
        ({"hook_event_name": "SessionEnd", "transcript_path": "/h/.gemini/tmp/x/chats/session-1.json"}, "", "gemini"),
        ({"hook_event_name": "preToolUse", "cursor_version": "2.0"}, "claude", "cursor"),
        ({"hook_event_name": "stop", "conversation_id": "c", "generation_id": "g"}, "", "cursor"),
        ({"hook_event_name": "afterFileEdit", "conversation_id": "c", "workspace_roots": ["/w"]}, "", "cursor"),
        ({"hook_event_name": "Stop", "conversation_id": "c"}, "", "claude"),
        ({"hook_event_name": "PostToolUse", "tool_result": {}}, "claude", "copilot"),
        ({}, "", "claude"),
        ({"hook_event_name": [], "transcript_path": {}}, "", "claude"),
    ],
)
def test_a_payload_is_of_whom_its_shape_and_its_entry_say(payload: dict[str, Any], said: str, agent: str) -> None:
    assert registry.agent_of(payload, said) == agent


def test_what_is_no_payload_at_all_is_of_whom_the_entry_says() -> None:
    event, _ = live.event_of(b"not json", 10**18, Redactor(), agent="codex")
    assert (event.agent, event.src) == ("codex", "codex.unknown")
    event, _ = live.event_of(b"not json", 10**18, Redactor(), agent="../nobody")
    assert (event.agent, event.src) == ("claude", "claude.unknown")


def test_a_record_is_of_the_first_format_that_recognises_it() -> None:
    found = [
        formats.of({"hook_event_name": "Stop", "sessionId": "s"}),
        formats.of({"type": "user", "uuid": "u"}),
        formats.of({"input_data": {}, "hook_type": "Stop", "timestamp": "2026-01-01"}),
        formats.of({"hello": "world"}),
    ]
    assert [one.name if one else None for one in found] == ["hooks", "claude", "eyelet", None]


def test_a_record_of_a_new_kind_is_of_its_files_format_but_not_of_a_log_of_hooks() -> None:
    by_name = {one.name: one for one in formats.FORMATS}
    assert formats.of({"hello": "world"}, by_name["claude"]) is by_name["claude"]
    assert formats.of({}, by_name["claude"]) is None
    assert formats.of({"hello": "world"}, by_name["hooks"]) is None


def test_a_container_is_as_many_records_as_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "CONTAINERS", (("inside", lambda value: value["inside"]),))
    whole = {"inside": [{"a": 1}, "text", {"b": 2}]}
    records = [Found(3, json.dumps(whole), whole), Found(4, "{}", {}), Found(5, "x", None, "damaged")]
    found = list(formats.each(records))
    assert [(one.line, one.text, one.value) for one in found[:3]] == [
        (3, '{"a":1}', {"a": 1}),
        (3, '"text"', None),
        (3, '{"b":2}', {"b": 2}),
    ]
    assert found[1].reason and found[3:] == records[1:]


NAMES = st.sampled_from(
    (
        *(
            "hook_event_name",
            "type",
            "payload",
            "timestamp",
            "session_id",
            "sessionId",
            "uuid",
            "id",
            "message",
            "content",
        ),
        *("input_data", "hook_type", "tool_name", "tool_input", "tool_response", "toolCalls", "body", "attributes"),
        *("cursor_version", "turn_id", "tool_result", "toolName", "transcript_path", "instructions", "$set"),
    )
)
RECORD = st.dictionaries(NAMES | st.text(max_size=4), JSON, max_size=8)


@settings(max_examples=EXAMPLES)
@given(st.lists(RECORD, max_size=3))
def test_no_format_raises_but_bad_input(records: list[dict[str, object]]) -> None:
    for kind in formats.FORMATS:
        reader = kind.reader()
        for record in records:
            kind.recognises(record)
            formats.of(record, kind)
            reader.time_us(record)
            reader.uuid(record)
            reader.same(record)
            try:
                event = reader.event(record, "{}")
            except BadInput:
                continue
            hold_to_columns(event)


@settings(max_examples=EXAMPLES)
@given(RECORD, st.sampled_from(("", *registry.AGENTS)) | st.text(max_size=5))
def test_no_payload_raises_whoever_it_is_said_to_be_of(payload: dict[str, object], said: str) -> None:
    hold_to_columns(registry.normalise(payload, "{}", said))
    registry.is_hook(payload)
