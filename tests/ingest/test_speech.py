"""What records of every agent say, and which kind of saying that is."""

from typing import Any

import pytest

from eyelet_ingest import speech
from eyelet_ingest.speech import told

TEXT = [{"type": "text", "text": "hello"}]

# (origin, type, role, payload) → (kind, text) of all that is said
SAID: list[tuple[str, str, str, dict[str, Any], list[tuple[str, str]]]] = [
    ("hook", "UserPromptSubmit", "", {"prompt": "hello"}, [("prompt", "hello")]),
    ("hook", "userPromptSubmitted", "", {"prompt": "hello"}, [("prompt", "hello")]),
    ("hook", "beforeSubmitPrompt", "", {"prompt": "hello"}, [("prompt", "hello")]),
    ("hook", "BeforeAgent", "", {"prompt": "hello"}, [("prompt", "hello")]),
    ("hook", "Stop", "", {"last_assistant_message": "done"}, [("answer", "done")]),
    ("hook", "AfterAgent", "", {"prompt": "hello", "prompt_response": "done"}, [("answer", "done")]),
    ("hook", "afterAgentResponse", "", {"text": "done"}, [("answer", "done")]),
    ("hook", "afterAgentThought", "", {"text": "hm"}, [("thought", "hm")]),
    ("hook", "Stop", "", {"stop_hook_active": False}, [("quiet", "")]),
    ("hook", "stop", "", {"status": "aborted"}, [("stopped", "")]),
    ("hook", "PermissionRequest", "", {"tool_name": "Bash"}, [("permission", "")]),
    (
        "hook",
        "Notification",
        "",
        {"message": "Claude needs your permission to use Bash"},
        [("permission", "Claude needs your permission to use Bash")],
    ),
    ("hook", "Notification", "", {"message": "waiting", "notification_type": "idle_prompt"}, [("note", "waiting")]),
    ("hook", "PreCompact", "", {"trigger": "auto"}, [("compaction", "auto")]),
    ("hook", "StopFailure", "", {"error": "rate_limit", "error_details": "429"}, [("error", "429")]),
    ("hook", "SessionStart", "", {"source": "startup"}, [("session", "startup")]),
    ("hook", "AnEventOfTomorrow", "", {}, [("note", "")]),
    ("transcript", "user", "user", {"message": {"content": "hello"}}, [("prompt", "hello")]),
    ("transcript", "user", "user", {"message": {"content": TEXT}}, [("prompt", "hello")]),
    ("transcript", "user", "user", {"isMeta": True, "message": {"content": "hello"}}, [("quiet", "hello")]),
    (
        "transcript",
        "user",
        "user",
        {"isCompactSummary": True, "message": {"content": "so far"}},
        [("compaction", "so far")],
    ),
    (
        "transcript",
        "user",
        "user",
        {"message": {"content": "<command-name>/model</command-name><command-args>opus</command-args>"}},
        [("prompt", "/model opus")],
    ),
    ("transcript", "user", "user", {"message": {"content": "<bash-input>ls</bash-input>"}}, [("prompt", "! ls")]),
    (
        "transcript",
        "user",
        "user",
        {"message": {"content": "<local-command-stdout>x</local-command-stdout>"}},
        [("quiet", "<local-command-stdout>x</local-command-stdout>")],
    ),
    (
        "transcript",
        "user",
        "user",
        {"message": {"content": "<table> is what tag?"}},
        [("prompt", "<table> is what tag?")],
    ),
    (
        "transcript",
        "user",
        "user",
        {"message": {"content": "[Request interrupted by user]"}},
        [("stopped", "[Request interrupted by user]")],
    ),
    ("transcript", "user", "user", {"message": {"content": [{"type": "image"}]}}, [("prompt", "an image")]),
    (
        "transcript",
        "assistant",
        "assistant",
        {"message": {"content": [{"type": "thinking", "thinking": "hm"}, *TEXT]}},
        [("thought", "hm"), ("answer", "hello")],
    ),
    (
        "transcript",
        "assistant",
        "assistant",
        {"isApiErrorMessage": True, "message": {"content": TEXT}},
        [("error", "hello")],
    ),
    (
        "transcript",
        "system",
        "",
        {"subtype": "compact_boundary", "content": "Conversation compacted"},
        [("compaction", "Conversation compacted")],
    ),
    ("transcript", "summary", "", {"summary": "A fix"}, [("title", "A fix")]),
    ("transcript", "progress", "", {"data": {}}, [("quiet", "")]),
    (
        "transcript",
        "message",
        "user",
        {"type": "response_item", "payload": {"role": "user", "content": [{"type": "input_text", "text": "hello"}]}},
        [("prompt", "hello")],
    ),
    (
        "transcript",
        "message",
        "user",
        {"payload": {"content": [{"type": "input_text", "text": "<environment_context>x"}]}},
        [("quiet", "<environment_context>x")],
    ),
    (
        "transcript",
        "message",
        "assistant",
        {"payload": {"content": [{"type": "output_text", "text": "done"}]}},
        [("answer", "done")],
    ),
    (
        "transcript",
        "message",
        "developer",
        {"payload": {"content": [{"type": "input_text", "text": "rules"}]}},
        [("quiet", "")],
    ),
    ("transcript", "user_message", "", {"payload": {"message": "hello"}}, [("prompt", "hello")]),
    ("transcript", "agent_message", "", {"payload": {"message": "done"}}, [("answer", "done")]),
    (
        "transcript",
        "reasoning",
        "",
        {"payload": {"summary": [{"type": "summary_text", "text": "hm"}]}},
        [("thought", "hm")],
    ),
    ("transcript", "compacted", "", {"payload": {"message": "so far"}}, [("compaction", "so far")]),
    ("transcript", "error", "", {"payload": {"message": "no more"}}, [("error", "no more")]),
    ("transcript", "history", "", {"session_id": "s", "ts": 1, "text": "hello"}, [("prompt", "hello")]),
    (
        "transcript",
        "gemini",
        "assistant",
        {"content": "done", "thoughts": [{"subject": "a", "description": "b"}]},
        [("thought", "a: b"), ("answer", "done")],
    ),
    ("transcript", "user", "user", {"content": "hello"}, [("prompt", "hello")]),
    ("transcript", "user.message", "user", {"parentId": None, "data": {"content": "hello"}}, [("prompt", "hello")]),
    (
        "transcript",
        "assistant.message",
        "assistant",
        {"parentId": "x", "data": {"content": "done"}},
        [("answer", "done")],
    ),
    (
        "transcript",
        "permission.requested",
        "",
        {"parentId": "x", "data": {"permissionRequest": {"kind": "shell", "intention": "list"}}},
        [("permission", "list")],
    ),
    (
        "transcript",
        "abort",
        "",
        {"parentId": "x", "data": {"reason": "user initiated"}},
        [("stopped", "user initiated")],
    ),
    (
        "transcript",
        "assistant",
        "assistant",
        {"role": "assistant", "message": {"content": [*TEXT, {"type": "tool_use"}]}},
        [("answer", "hello")],
    ),
    ("transcript", "turn_ended", "", {"type": "turn_ended", "status": "error", "error": "x"}, [("error", "x")]),
    ("transcript", "text", "user", {"type": "text", "text": "hello"}, [("prompt", "hello")]),
    ("transcript", "text", "assistant", {"type": "text", "text": "done"}, [("answer", "done")]),
    ("transcript", "compaction", "", {"type": "compaction"}, [("compaction", "")]),
    ("otlp", "claude_code.user_prompt", "user", {"attributes": {"prompt": "hello"}}, [("prompt", "hello")]),
    ("otlp", "claude_code.user_prompt", "user", {"attributes": {"prompt": "<REDACTED>"}}, [("quiet", "")]),
    ("otlp", "claude_code.api_error", "", {"attributes": {"error": "529"}}, [("error", "529")]),
    ("otlp", "claude_code.api_request", "", {"attributes": {}}, [("quiet", "")]),
    ("log", "log", "", {"msg": "a line"}, [("note", "a line")]),
]


@pytest.mark.parametrize(("origin", "kind", "role", "payload", "said"), SAID)
def test_every_agents_words_are_told_apart(
    origin: str, kind: str, role: str, payload: dict[str, Any], said: list[tuple[str, str]]
) -> None:
    assert [(one.kind, one.text) for one in told(origin, kind, role, payload)] == said


@pytest.mark.parametrize("origin", ["hook", "transcript", "otlp", "log", "?"])
@pytest.mark.parametrize(
    "payload",
    [
        None,
        1,
        "x",
        [],
        [[]],
        {"message": 1, "payload": [], "content": {}},
        {"message": {"content": [None, 1, [], {"text": 5}]}},
        {"data": {"content": {"x": 1}}, "parentId": 1},
    ],
)
def test_a_payload_of_any_shape_says_something_or_nothing(origin: str, payload: object) -> None:
    for kind in ("user", "assistant", "Stop", "message", "error", "gemini", "text", "reasoning", "user.message", "?"):
        for one in told(origin, kind, "user", payload):
            assert isinstance(one.text, str) and one.kind


def test_two_spellings_of_one_text_are_the_same_and_others_are_not() -> None:
    assert speech.digest("a\r\n  b") == speech.digest("a b")
    assert speech.digest("a b") != speech.digest("a c")
