"""Whose a payload is: Cursor's and Copilot's, however they come, and Claude Code's stay its own."""

from typing import Any

import pytest

from eyelet_ingest.sources import registry
from tests.sources.test_copilot import CAMEL, SNAKE
from tests.sources.test_cursor import BASE

CLAUDE: dict[str, Any] = {
    "hook_event_name": "PreToolUse",
    "session_id": "s",
    "transcript_path": "/home/u/.claude/projects/p/s.jsonl",
    "cwd": "/p",
    "tool_name": "Bash",
}


STOPPED: dict[str, Any] = {"hook_event_name": "Stop", "session_id": "s", "timestamp": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("payload", "said", "agent"),
    [
        ({**BASE, "hook_event_name": "stop"}, "cursor", "cursor"),
        ({**CLAUDE, "cursor_version": "3.1"}, "claude", "cursor"),
        ({**CLAUDE, "cursor_version": "3.1"}, "", "cursor"),
        (CAMEL, "copilot", "copilot"),
        (CAMEL, "", "copilot"),
        (SNAKE, "copilot", "copilot"),
        (SNAKE, "claude", "copilot"),
        ({"hook_event_name": "Stop", "session_id": "s", "transcript_path": "/u/.copilot/x"}, "", "copilot"),
        ({**STOPPED, "transcript_path": "/u/.copilot/session-state/s/events.jsonl"}, "claude", "copilot"),
        ({**STOPPED, "transcript_path": "/moved/s/events.jsonl", "stop_reason": "end_turn"}, "claude", "copilot"),
        ({**STOPPED, "transcript_path": "/u/.claude/projects/p/s.jsonl"}, "claude", "claude"),
        ({"sessionId": "s", "hook_event_name": "Notification", "notification_type": "agent_idle"}, "", "copilot"),
        (CLAUDE, "claude", "claude"),
        (CLAUDE, "", "claude"),
        ({**CLAUDE, "timestamp": 1767225600}, "", "claude"),
        ({**CLAUDE, "timestamp": "2026-01-01T00:00:00Z"}, "claude", "claude"),
        ({"hook_event_name": "UserPromptSubmit", "prompt": "x", "cwd": "/p", "timestamp": 1}, "", "claude"),
    ],
)
def test_a_payload_is_its_agents_whatever_settings_ran_the_hook(
    payload: dict[str, object], said: str, agent: str
) -> None:
    assert registry.agent_of(payload, said) == agent
    assert registry.normalise(payload, "{}", said).agent == agent


@pytest.mark.parametrize(
    ("said", "event", "status"),
    [
        ({"reason": "complete"}, "sessionEnd", "ok"),
        ({"reason": "timeout"}, "sessionEnd", "error"),
        ({"source": "resume"}, "sessionStart", "ok"),
        ({"error": {"message": "Network timeout", "name": "TimeoutError"}}, "errorOccurred", "error"),
    ],
)
def test_copilots_first_payloads_are_known_by_their_one_field(said: dict[str, object], event: str, status: str) -> None:
    payload: dict[str, object] = {"timestamp": 1704618000000, "cwd": "/p", **said}
    assert registry.is_hook(payload)
    found = registry.normalise(payload, "{}")
    assert (found.agent, found.hook_type, found.status) == ("copilot", event, status)
    assert not registry.is_hook({**payload, "level": "info"})
    assert not registry.is_hook({**payload, "timestamp": "2026-01-01"})


def test_a_record_in_camel_case_is_a_hook_and_a_transcripts_is_none() -> None:
    assert registry.is_hook(CAMEL)
    assert registry.is_hook({"timestamp": 1, "cwd": "/", "source": "new", "initialPrompt": "x"})
    assert not registry.is_hook({"type": "user", "sessionId": "s", "cwd": "/", "timestamp": 1})
    assert not registry.is_hook({"sessionId": "s", "cwd": "/", "timestamp": "2026-01-01T00:00:00Z", "uuid": "u"})
