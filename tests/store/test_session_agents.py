"""The story of a session of each agent, as its own files and hooks have it: everything once, in order."""

import json
from pathlib import Path
from typing import Any

from eyelet_ingest.pipeline import ingest
from eyelet_ingest.store.store import Store
from tests.sources.test_copilot_sessions import SESSION as COPILOT
from tests.sources.test_gemini import HEAD, TOKENS, message

CODEX = "0199a213-81c0-7800-8aa1-bbab2a035a53"


def at(second: int) -> str:
    return f"2026-05-31T16:22:{second:02}.000Z"


def codex(second: int, kind: str, line: str = "response_item", **payload: Any) -> dict[str, Any]:
    return {"timestamp": at(second), "type": line, "payload": {"type": kind, **payload}}


def hook(second: int, event: str, **fields: Any) -> dict[str, Any]:
    return {
        "hook_event_name": event,
        "session_id": CODEX,
        "cwd": "/w",
        "turn_id": "t",
        "timestamp": at(second),
        **fields,
    }


def written(path: Path, records: list[Any]) -> str:
    path.write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
    return str(path)


def story(root: str, session: str) -> list[tuple[str, str, str, int]]:
    with Store(root) as store:
        return [
            (step.kind, step.gist or step.tool, step.status, len(step.witnesses))
            for step in store.session(session).steps
            if step.kind not in ("session", "note")
        ]


def test_codex_tells_a_prompt_five_times_and_it_is_one(tmp_path: Path, root: str) -> None:
    said = [{"type": "input_text", "text": "make it so"}]
    done = [{"type": "output_text", "text": "It is so."}]
    rollout = [
        {"timestamp": at(1), "type": "session_meta", "payload": {"id": CODEX, "timestamp": at(1), "cwd": "/w"}},
        codex(2, "message", role="user", content=[{"type": "input_text", "text": "<environment_context>x"}]),
        codex(3, "message", role="user", content=said),
        codex(3, "user_message", "event_msg", message="make it so"),
        codex(4, "reasoning", summary=[{"type": "summary_text", "text": "hm"}]),
        codex(4, "agent_reasoning", "event_msg", text="hm"),
        codex(5, "function_call", name="shell", call_id="c1", arguments='{"command": ["make"]}'),
        codex(7, "function_call_output", call_id="c1", output="Exit code: 2\nWall time: 2 seconds\nOutput:\nno"),
        codex(8, "agent_message", "event_msg", message="It is so."),
        codex(8, "message", role="assistant", content=done),
        codex(9, "task_complete", "event_msg", last_agent_message="It is so."),
        codex(9, "token_count", "event_msg", info={}),
    ]
    hooks = [
        hook(3, "UserPromptSubmit", prompt="make it so"),
        hook(5, "PreToolUse", tool_name="Bash", tool_use_id="c1", tool_input={"command": "make"}),
        hook(7, "PostToolUse", tool_name="Bash", tool_use_id="c1", tool_input={"command": "make"}, tool_response="no"),
        hook(9, "Stop", last_assistant_message="It is so."),
    ]
    history = [{"session_id": CODEX, "ts": 1_780_244_523, "text": "make it so"}]
    ingest([written(tmp_path / f"rollout-2026-05-31T16-22-01-{CODEX}.jsonl", rollout)], root)
    ingest([written(tmp_path / "hooks.jsonl", hooks), written(tmp_path / "history.jsonl", history)], root)
    found = story(root, CODEX)
    assert [one[:3] for one in found] == [
        ("prompt", "make it so", "ok"),
        ("thought", "hm", "ok"),
        ("call", "shell", "error"),
        ("answer", "It is so.", "ok"),
    ]
    assert [one[3] for one in found] == [4, 2, 4, 4]


def test_a_message_of_gemini_with_two_calls_is_its_words_and_both(tmp_path: Path, root: str) -> None:
    calls = [
        {"id": "c1", "name": "read_file", "args": {"file_path": "/w/a"}, "status": "success"},
        {"id": "c2", "name": "write_file", "args": {"file_path": "/w/b"}, "status": "error", "resultDisplay": "no"},
    ]
    messages = [
        message(1, "user", content="look"),
        message(
            2, content="I look.", toolCalls=calls, tokens=TOKENS, thoughts=[{"subject": "Seeing", "description": "how"}]
        ),
        message(3, "error", content="API Error: 500"),
    ]
    path = tmp_path / "session-1.json"
    path.write_text(json.dumps({**HEAD, "messages": messages}), encoding="utf-8")
    ingest([str(path)], root)
    assert [one[:3] for one in story(root, HEAD["sessionId"])] == [
        ("prompt", "look", "ok"),
        ("thought", "Seeing: how", "ok"),
        ("answer", "I look.", "ok"),
        ("call", "read_file", "ok"),
        ("call", "write_file", "error"),
        ("error", "API Error: 500", "error"),
    ]


def test_a_session_of_copilots_is_told(tmp_path: Path, root: str) -> None:
    folder = tmp_path / "session-state" / "s-1"
    folder.mkdir(parents=True)
    ingest([written(folder / "events.jsonl", COPILOT)], root)
    assert [one[:3] for one in story(root, "a1b2c3d4-0000-0000-0000-000000000001")] == [
        ("prompt", "read it", "ok"),
        ("call", "view", "ok"),
        ("call", "bash", "unknown"),
    ]
