"""Copilot's hook payloads become events: the table of docs/events.md, both of its forms, and any JSON at all."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelet_ingest.sources import copilot_hooks
from tests.sources.shapes import EXAMPLES, JSON, hold_to_columns, hold_to_table, said, table

CAMEL: dict[str, object] = {
    "sessionId": "s-1",
    "timestamp": 1767225600000,
    "cwd": "/project",
    "toolName": "bash",
    "toolArgs": {"command": "git push"},
}
SNAKE: dict[str, object] = {
    "hook_event_name": "PreToolUse",
    "session_id": "s-1",
    "timestamp": "2026-01-01T00:00:00Z",
    "cwd": "/project",
    "tool_name": "Bash",
    "tool_input": {"command": "git push"},
}


@pytest.mark.parametrize("line", table("Copilot hooks"), ids=lambda line: f"{line['event']} {line['says'][:60]}")
def test_a_hook_is_what_the_table_says(line: dict[str, str]) -> None:
    event = copilot_hooks.normalise(said(line), "{}")
    assert event.hook_type == line["event"]
    hold_to_table(event, line)


def test_both_forms_of_an_event_say_the_same() -> None:
    camel, snake = copilot_hooks.normalise(CAMEL, "{}"), copilot_hooks.normalise(SNAKE, "{}")
    for event in (camel, snake):
        assert (event.session_id, event.project_dir, event.agent, event.origin) == (
            "s-1",
            "/project",
            "copilot",
            "hook",
        )
        assert (event.status, event.src) == ("pending", "copilot.pretooluse.bash.git.push")
    assert (camel.hook_type, camel.tool_name) == ("preToolUse", "bash")
    assert (snake.hook_type, snake.tool_name) == ("PreToolUse", "Bash")


def test_arguments_that_are_json_in_a_text_are_read() -> None:
    text = {**CAMEL, "toolArgs": json.dumps(CAMEL["toolArgs"])}
    assert copilot_hooks.normalise(text, "{}").src == copilot_hooks.normalise(CAMEL, "{}").src
    assert copilot_hooks.normalise({**CAMEL, "toolArgs": '{"command": '}, "{}").src == "copilot.pretooluse.bash"


def test_a_failure_keeps_what_was_said_of_it() -> None:
    event = copilot_hooks.normalise({"toolName": "bash", "toolArgs": {}, "error": "Exit code 7\nno"}, "{}")
    assert event.meta["execution"] == {"status": "error", "error_code": "exit:7", "error_message": "Exit code 7\nno"}


@pytest.mark.parametrize(
    "text", ["<exited with exit code 0>", "x <exited with exit code 1> y", "<exited with exit code >", "exit code 1>"]
)
def test_a_shells_answer_that_names_no_failure_is_none(text: str) -> None:
    assert copilot_hooks.text_outcome(text)[0] == "ok"


FIELDS = (
    *("hook_event_name", "sessionId", "session_id", "toolName", "tool_name", "toolArgs", "tool_input", "toolResult"),
    *(
        "tool_result",
        "error",
        "errorContext",
        "prompt",
        "transformedPrompt",
        "reason",
        "source",
        "stopReason",
        "agentName",
    ),
    *("trigger", "customInstructions", "cwd", "timestamp", "agentId", "toolInput", "notification_type"),
)
RESULT = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("resultType", "result_type", "textResultForLlm", "text_result_for_llm"), JSON)
)


@settings(max_examples=EXAMPLES)
@given(st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), JSON | RESULT, max_size=8))
def test_no_payload_raises(payload: dict[str, object]) -> None:
    hold_to_columns(copilot_hooks.normalise(payload, "{}"))


@given(st.text(max_size=30))
def test_no_answer_of_a_shell_raises(text: str) -> None:
    payload: dict[str, object] = {
        "toolName": "bash",
        "toolResult": {"textResultForLlm": text + "<exited with exit code " + text + ">"},
    }
    hold_to_columns(copilot_hooks.normalise(payload, "{}"))
