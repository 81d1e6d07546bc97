"""Codex's hooks, what `notify` is told and its rollouts become events: docs/events.md's tables, samples, any JSON."""

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelet_ingest import capture
from eyelet_ingest.events import Event
from eyelet_ingest.sources import codex_hooks, codex_output, codex_rollouts, formats
from eyelet_ingest.sources.codex_rollouts import TOOLS_REMEMBERED, Rollout
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store
from tests.sources.shapes import EXAMPLES, JSON, hold_to_columns, hold_to_table, said, table

TIME = "2026-05-31T16:22:08.652Z"
# A session as Codex writes it (the fields of openai/codex, codex-rs/protocol/src/protocol.rs; the values are made up).
META = {
    "id": "0199a213-81c0-7800-8aa1-bbab2a035a53",
    "timestamp": TIME,
    "cwd": "/work/app",
    "originator": "codex_cli_rs",
    "cli_version": "0.121.0",
    "source": "cli",
    "model_provider": "openai",
    "git": {"commit_hash": "abc", "branch": "main", "repository_url": "https://example.org/app.git"},
}


def line(kind: str, payload: dict[str, Any]) -> dict[str, Any]:
    return {"timestamp": TIME, "type": kind, "payload": payload}


def item(kind: str, **fields: Any) -> dict[str, Any]:
    return line("response_item", {"type": kind, **fields})


def events(*lines: dict[str, Any], rollout: Rollout | None = None) -> list[Event]:
    reader = rollout or Rollout()
    return [reader.event(one, json.dumps(one)) for one in lines]


@pytest.mark.parametrize("told", table("Codex hooks"), ids=lambda told: f"{told['event']} {told['says'][:60]}")
def test_a_hook_is_what_the_table_says(told: dict[str, str]) -> None:
    payload = said(told)
    event = codex_hooks.normalise(payload if "type" in payload else {"hook_event_name": told["event"], **payload}, "{}")
    assert event.hook_type == told["event"]
    hold_to_table(event, told)


@pytest.mark.parametrize("told", table("Codex rollouts"), ids=lambda told: f"{told['event']} {told['says'][:70]}")
def test_a_line_of_a_rollout_is_what_the_table_says(told: dict[str, str]) -> None:
    rollout = Rollout()
    events(item("function_call", name="exec_command", call_id="call_1"), rollout=rollout)
    record = said(told)
    record = record if "ts" in record else {"timestamp": TIME, **record}
    assert codex_rollouts.recognises(record)
    event = rollout.event(record, "{}")
    assert (event.hook_type, event.origin, event.agent) == (told["event"], "transcript", "codex")
    hold_to_table(event, told)


def test_a_hooks_columns_are_what_its_payload_says() -> None:
    payload = {
        **{"session_id": "s", "turn_id": "t", "agent_id": "a", "agent_type": "worker", "transcript_path": None},
        **{"cwd": "/w", "hook_event_name": "PostToolUse", "model": "gpt-x", "permission_mode": "default"},
        **{"tool_name": "Bash", "tool_input": {"command": "ls"}, "tool_response": "a\nb", "tool_use_id": "call_1"},
    }
    event = codex_hooks.normalise(payload, "{}")
    assert (event.session_id, event.tool_name, event.tool_use_id) == ("s", "Bash", "call_1")
    assert (event.agent, event.agent_id, event.model, event.project_dir) == ("codex", "a", "gpt-x", "/w")


def test_what_notify_is_told_has_its_thread_as_session() -> None:
    told = {"type": "agent-turn-complete", "thread-id": "t-1", "turn-id": "1", "cwd": "/w", "input-messages": ["hi"]}
    event = codex_hooks.normalise(told, json.dumps(told))
    assert (event.session_id, event.project_dir, event.origin) == ("t-1", "/w", "hook")
    assert json.loads(event.data) == told


def test_the_hook_takes_what_notify_hands_over_from_its_arguments_and_waits_for_no_input(root: str) -> None:
    told = json.dumps({"type": "agent-turn-complete", "thread-id": "t-1", "input-messages": ["--root=/nowhere é"]})
    command = [sys.executable, "-I", "-S", capture.__file__, "--root", root, "--agent", "codex", "--notify", told]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert (process.wait(timeout=30), process.stdout and process.stdout.read()) == (0, b"")
    with Store(root) as store:
        (row,) = store.search(Filter()).rows
    assert (row["agent"], row["hook_type"], row["session_id"], row["data"]) == (
        "codex",
        "agent-turn-complete",
        "t-1",
        told,
    )


def test_what_a_rollout_says_once_holds_for_all_that_follows() -> None:
    call = item("function_call", name="exec_command", arguments='{"cmd":"ls"}', call_id="c")
    answer = item(
        "function_call_output", call_id="c", output="Wall time: 1.5000 seconds\nProcess exited with code 0\nOutput:\n"
    )
    before, *_, asked, answered = events(
        line("session_meta", META), line("turn_context", {"cwd": "/work/app/sub", "model": "gpt-x"}), call, answer
    )
    assert (before.session_id, before.project_dir, before.model) == (META["id"], "/work/app", None)
    for event in (asked, answered):
        assert (event.session_id, event.tool_name, event.tool_use_id) == (META["id"], "exec_command", "c")
        assert (event.model, event.project_dir) == ("gpt-x", "/work/app/sub")
        assert event.meta == {"git": {"branch": "main"}, "agent": {"version": "0.121.0"}}
    assert (asked.role, answered.role, answered.duration_ms) == ("assistant", None, 1500)


def test_a_subagent_is_of_the_session_that_started_it() -> None:
    spawned = {"subagent": {"thread_spawn": {"parent_thread_id": "parent", "depth": 1}}}
    for head in ({**META, "source": spawned}, {**META, "session_id": "parent"}):
        (event,) = events(line("session_meta", head))
        assert (event.session_id, event.agent_id) == ("parent", META["id"])
    (event,) = events(line("session_meta", {**META, "source": {"subagent": "review"}}))
    assert (event.session_id, event.agent_id) == (META["id"], META["id"])


def test_a_fork_is_a_session_of_its_own_whatever_its_copies_say() -> None:
    fork = {**META, "id": "fork", "forked_from_id": META["id"]}
    found = events(line("session_meta", fork), line("session_meta", META), item("message", role="user"))
    assert {event.session_id for event in found} == {"fork"}


def test_files_of_2025_are_read_too() -> None:
    head = {"id": "old", "timestamp": TIME, "instructions": None, "git": {"branch": "main"}}
    bare = [
        {"type": "function_call", "name": "shell", "call_id": "c", "arguments": "{}"},
        {"record_type": "state"},
        {"type": "function_call_output", "call_id": "c", "output": '{"output":"no","metadata":{"exit_code":1}}'},
    ]
    assert all(codex_rollouts.recognises(one) for one in (head, *bare))
    found = events(head, *bare)
    assert [event.hook_type for event in found] == ["session_meta", "function_call", "state", "function_call_output"]
    assert {event.session_id for event in found} == {"old"}
    assert (found[3].tool_name, found[3].status, found[3].meta["execution"]) == (
        "shell",
        "error",
        {"status": "error", "error_message": "no", "error_code": "exit:1"},
    )


def test_a_search_of_the_web_is_call_and_answer_in_one() -> None:
    (event,) = events(item("web_search_call", id="ws_1", status="completed", action={"type": "search"}))
    assert event.meta["calls"] == [{"id": "ws_1", "tool": "web_search", "phase": "answer", "status": "ok"}]


def test_the_output_of_a_command_is_not_taken_for_what_is_said_of_it() -> None:
    text = "Wall time: 0.1000 seconds\nProcess exited with code 0\nOutput:\nProcess exited with code 3\nExit code: 4"
    assert codex_output.outcome(text)[0] == "ok"
    assert codex_output.outcome("tests passed\nExit code: 4")[0] == "ok"
    assert codex_output.duration_ms(text) == 100
    assert codex_output.outcome("Exit code: " + "9" * 5000)[0] == "ok"


def test_a_record_of_another_log_is_no_rollouts() -> None:
    for record in (
        {"type": "user", "message": {}, "uuid": "u"},
        {"type": "order_placed", "payload": {}, "timestamp": TIME},
        {"id": "1", "timestamp": TIME, "type": "info", "content": "x"},
        {"type": ["message"]},
    ):
        assert not codex_rollouts.recognises(record)
    kind = formats.of(line("event_msg", {"type": "token_count"}))
    assert kind is not None and kind.name == "codex"


def test_a_rollout_remembers_a_bounded_number_of_calls() -> None:
    rollout = Rollout()
    for n in range(TOOLS_REMEMBERED + 10):
        events(item("function_call", name="shell", call_id=f"c{n}"), rollout=rollout)
    assert len(rollout._tools) == TOOLS_REMEMBERED


FIELDS = st.sampled_from(
    (
        *("type", "call_id", "id", "name", "namespace", "output", "status", "exit_code", "duration", "duration_ms"),
        *("result", "invocation", "item", "success", "message", "role", "reason", "codex_error_info", "source"),
        *("cwd", "git", "model", "session_id", "forked_from_id", "cli_version", "stderr", "tool"),
    )
)
KINDS = st.sampled_from(
    (
        *("function_call", "function_call_output", "custom_tool_call_output", "web_search_call", "exec_command_end"),
        *("mcp_tool_call_end", "item_completed", "error", "turn_aborted", "patch_apply_end"),
    )
)
OUTPUTS = st.sampled_from(
    ("Exit code: ", "Wall time: ", "Process exited with code ", '{"metadata":', "Output:", "\n", "1")
)
PAYLOADS = st.dictionaries(FIELDS | st.text(max_size=4), JSON, max_size=6)


@settings(max_examples=EXAMPLES)
@given(st.lists(st.tuples(st.sampled_from(sorted(codex_rollouts.LINES)) | JSON, PAYLOADS | JSON, KINDS), max_size=4))
def test_no_rollout_raises(lines: list[tuple[object, object, str]]) -> None:
    rollout = Rollout()
    for kind, payload, inner in lines:
        inside = {"type": inner, **payload} if isinstance(payload, dict) else payload
        for record in ({"type": kind, "payload": inside}, {"type": inner}, {"payload": payload}):
            codex_rollouts.recognises(record)
            hold_to_columns(rollout.event(record, "{}"))


@settings(max_examples=EXAMPLES)
@given(
    PAYLOADS,
    st.lists(OUTPUTS | st.text(max_size=6), max_size=6).map("".join) | JSON,
    st.sampled_from(["PostToolUse", "Interrupt"]) | JSON,
)
def test_no_hook_raises(payload: dict[str, object], response: object, kind: object) -> None:
    hold_to_columns(codex_hooks.normalise({**payload, "hook_event_name": kind, "tool_response": response}, "{}"))
    hold_to_columns(codex_hooks.normalise({**payload, "type": kind}, "{}"))
    assert codex_output.outcome(response)[0] in ("ok", "error", "denied", "interrupted")
