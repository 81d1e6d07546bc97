"""Hook payloads and transcript records become events: every line of docs/events.md, and any JSON at all."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelet_ingest.sources import claude_hooks
from eyelet_ingest.sources.claude_transcripts import TOOLS_REMEMBERED, Transcript, is_record, record_uuid
from tests.sources.shapes import EXAMPLES, JSON, hold_to_columns, hold_to_table, said, table


@pytest.mark.parametrize(
    ("payload", "event", "status"),
    [
        ({"tool_name": "Bash", "tool_input": {}, "tool_response": {"exit_code": 2}}, "PostToolUse", "error"),
        ({"tool_name": "Bash", "tool_input": {}}, "PreToolUse", "pending"),
        ({"stop_hook_active": False}, "Stop", "ok"),
        ({"prompt": "hello"}, "UserPromptSubmit", "ok"),
        ({"tool_name": "Bash"}, "unknown", "ok"),
        ({"tool_input": {}, "hook_event_name": "Stop"}, "Stop", "ok"),
    ],
)
def test_a_payload_of_the_first_versions_is_of_the_event_that_its_fields_tell(
    payload: dict[str, object], event: str, status: str
) -> None:
    found = claude_hooks.normalise({"session_id": "s", **payload}, "{}")
    assert (found.hook_type, found.status) == (event, status)


@pytest.mark.parametrize("line", table("Claude Code hooks"), ids=lambda line: f"{line['event']} {line['says'][:60]}")
def test_a_hook_is_what_the_table_says(line: dict[str, str]) -> None:
    event = claude_hooks.normalise({"hook_event_name": line["event"], **said(line)}, "{}")
    assert event.hook_type == line["event"]
    hold_to_table(event, line)


@pytest.mark.parametrize(
    "line", table("Claude Code transcripts"), ids=lambda line: f"{line['event']} {line['says'][:60]}"
)
def test_a_transcript_record_is_what_the_table_says(line: dict[str, str]) -> None:
    transcript = Transcript()
    call = {"type": "tool_use", "id": "toolu_Bash", "name": "Bash"}
    transcript.event({"type": "assistant", "message": {"content": [call]}}, "{}")
    event = transcript.event({"type": line["event"], **said(line)}, "{}")
    assert event.hook_type == line["event"]
    hold_to_table(event, line)


def test_the_table_knows_every_event_of_the_host() -> None:
    known = {line["event"] for line in table("Claude Code hooks")}
    assert {"PreToolUse", "Stop", "PermissionRequest", "Elicitation", "WorktreeRemove", "DirectoryAdded"} <= known
    assert len(known) > 33


def test_a_hooks_columns_are_what_its_payload_says() -> None:
    payload = {
        "hook_event_name": "PostToolUse",
        "session_id": "s",
        "tool_name": "Bash",
        "tool_use_id": "toolu_1",
        "agent_id": "a1",
        "model": "claude-x",
        "duration_ms": 12.5,
        "cwd": "/work",
    }
    event = claude_hooks.normalise(payload, '{"x":1}')
    assert (event.session_id, event.tool_name, event.tool_use_id) == ("s", "Bash", "toolu_1")
    assert (event.agent, event.agent_id, event.model, event.duration_ms) == ("claude", "a1", "claude-x", 12.5)
    assert (event.project_dir, event.data, event.origin, event.meta) == ("/work", '{"x":1}', "hook", {})


def test_values_of_wrong_types_become_text_or_nothing() -> None:
    payload: dict[str, object] = {
        "hook_event_name": 7,
        "session_id": 5,
        "tool_name": ["Bash"],
        "tool_use_id": {"a": 1},
        "cwd": True,
        "duration_ms": "12",
        "model": 3,
    }
    event = claude_hooks.normalise(payload, "{}")
    assert (event.hook_type, event.session_id, event.tool_name, event.tool_use_id) == ("7", "5", None, None)
    assert (event.project_dir, event.duration_ms, event.model) == ("true", None, None)
    assert claude_hooks.normalise({"session_id": {}}, "{}").session_id == ""
    assert claude_hooks.normalise({"session_id": 10**5000}, "{}").session_id == ""


def test_nul_and_lone_surrogates_are_replaced_in_columns() -> None:
    event = claude_hooks.normalise({"hook_event_name": "St\0op", "session_id": "a\ud800b", "cwd": "\0"}, "{}")
    assert (event.hook_type, event.session_id, event.project_dir) == ("St\ufffdop", "a\ufffdb", "\ufffd")


def test_columns_are_bounded() -> None:
    long = "x" * 100_000
    event = claude_hooks.normalise(
        {"hook_event_name": "PostToolUseFailure", "session_id": long, "tool_name": long, "error": long, "cwd": long},
        "{}",
    )
    assert len(event.session_id) <= 200 and len(event.src) <= 160 and len(event.project_dir or "") <= 4096
    execution = event.meta["execution"]
    assert isinstance(execution, dict) and len(execution["error_message"]) == 500


@pytest.mark.parametrize("duration", [-1, 1e300, float("nan"), float("inf"), 10**400, True, "5", None])
def test_what_is_no_duration_is_none(duration: object) -> None:
    assert claude_hooks.normalise({"duration_ms": duration}, "{}").duration_ms is None


HOOK_FIELDS = (
    *("hook_event_name", "session_id", "tool_name", "tool_input", "tool_response", "tool_use_id", "error", "cwd"),
    *("is_interrupt", "duration_ms", "model", "agent_id", "reason", "error_details", "command", "timestamp"),
)
HOOK_TYPES = st.sampled_from(["PreToolUse", "PostToolUse", "PostToolUseFailure", "PermissionDenied", "StopFailure"])
RECORD_FIELDS = (
    "toolDenialKind",
    *("type", "uuid", "sessionId", "message", "toolUseResult", "cwd", "version", "gitBranch", "level", "content"),
    *("isApiErrorMessage", "error", "durationMs", "attachment", "agentId"),
)


@settings(max_examples=EXAMPLES)
@given(st.dictionaries(st.sampled_from(HOOK_FIELDS) | st.text(max_size=5), JSON, max_size=8), HOOK_TYPES | JSON)
def test_no_hook_payload_raises(payload: dict[str, object], hook_type: object) -> None:
    hold_to_columns(claude_hooks.normalise({"hook_event_name": hook_type, **payload}, "{}"))


BLOCK = st.fixed_dictionaries(
    {"type": st.sampled_from(["tool_use", "tool_result", "text"]) | JSON},
    optional=dict.fromkeys(("id", "name", "tool_use_id", "content", "is_error", "text"), JSON),
)


@settings(max_examples=EXAMPLES)
@given(
    st.dictionaries(st.sampled_from(RECORD_FIELDS) | st.text(max_size=5), JSON, max_size=8),
    st.lists(BLOCK | JSON, max_size=4),
)
def test_no_transcript_record_raises(record: dict[str, object], content: list[object]) -> None:
    transcript = Transcript()
    hold_to_columns(transcript.event(record, "{}"))
    hold_to_columns(transcript.event({**record, "type": "user", "message": {"content": content}}, "{}"))
    is_record(record)
    record_uuid(record)


def test_an_answer_has_the_tool_of_its_call() -> None:
    transcript = Transcript()
    calls = [{"type": "text", "text": "…"}, {"type": "tool_use", "id": "t1", "name": "Read"}]
    called = transcript.event({"type": "assistant", "message": {"role": "assistant", "content": calls}}, "{}")
    answer = [{"type": "tool_result", "tool_use_id": "t1", "content": "x"}]
    answered = transcript.event({"type": "user", "message": {"role": "user", "content": answer}}, "{}")
    assert (called.tool_name, called.tool_use_id, called.role) == ("Read", "t1", "assistant")
    assert (answered.tool_name, answered.tool_use_id, answered.role) == ("Read", "t1", "user")


def test_a_transcript_remembers_a_bounded_number_of_calls() -> None:
    transcript = Transcript()
    for n in range(TOOLS_REMEMBERED + 50):
        call = {"type": "tool_use", "id": f"t{n}", "name": "Read"}
        transcript.event({"type": "assistant", "message": {"content": [call]}}, "{}")
    assert len(transcript._tools) == TOOLS_REMEMBERED


def test_a_transcript_records_columns_are_what_it_says() -> None:
    record = {
        "type": "assistant",
        "sessionId": "s",
        "agentId": "a",
        "cwd": "/w",
        "gitBranch": "main",
        "version": "2.1.39",
        "message": {"model": "claude-opus", "role": "assistant", "content": "hi"},
        "durationMs": 7,
    }
    event = Transcript().event(record, "{}")
    assert (event.session_id, event.agent_id, event.project_dir, event.model) == ("s", "a", "/w", "claude-opus")
    assert (event.origin, event.role, event.duration_ms) == ("transcript", "assistant", 7)
    assert event.meta == {"git": {"branch": "main"}, "agent": {"version": "2.1.39"}}
    assert Transcript().event({"message": {"model": "<synthetic>"}}, "{}").model is None
    assert Transcript().event({"uuid": "x"}, "{}").hook_type == "unknown"


def test_a_hook_is_told_from_a_transcript_record() -> None:
    assert claude_hooks.is_hook({"hook_event_name": "Stop"})
    assert claude_hooks.is_hook({"session_id": "s", "cwd": "/"})
    assert not claude_hooks.is_hook({"type": "user", "sessionId": "s", "cwd": "/"})
    assert is_record({"type": "summary", "summary": "x"})
    assert is_record({"leafUuid": "x"})
    assert not is_record({"type": "session_meta", "payload": {}, "timestamp": "x"})
    assert not is_record({"hello": "world"})


def test_the_real_hooks_become_events_by_the_rules(real: Path) -> None:
    lines = (real / "hooks" / "jcode.jsonl").read_text(encoding="utf-8").splitlines()
    events = [claude_hooks.normalise(json.loads(line), line) for line in lines]
    for event in events:
        hold_to_columns(event)
    assert {event.status for event in events if event.hook_type == "PreToolUse"} == {"pending"}
    assert any(event.src.startswith("claude.posttooluse.bash.git.") for event in events)


def test_what_is_told_of_a_call_meanwhile_has_its_identifier_and_is_no_answer() -> None:
    transcript = Transcript()
    call = {"type": "tool_use", "id": "toolu_1", "name": "Bash"}
    transcript.event({"type": "assistant", "message": {"role": "assistant", "content": [call]}}, "{}")
    told: list[dict[str, object]] = [
        {"type": "progress", "toolUseID": "toolu_1", "parentToolUseID": "toolu_1", "data": {"type": "hook_progress"}},
        {"type": "progress", "toolUseID": "bash-progress-0", "parentToolUseID": "toolu_1", "data": {"agentId": "a1"}},
        {"type": "attachment", "attachment": {"type": "hook_success", "toolUseID": "toolu_1", "durationMs": 31}},
        {"type": "progress", "toolUseID": "f0451e83", "parentToolUseID": "f0451e83"},
    ]
    events = [transcript.event(record, "{}") for record in told]
    assert [event.tool_use_id for event in events] == ["toolu_1", "toolu_1", "toolu_1", None]
    assert {event.tool_name for event in events} == {None}
    assert (events[1].agent_id, events[2].duration_ms) == ("a1", 31)
