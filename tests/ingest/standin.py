"""Agents that behave like the real ones towards hooks: read their settings as those do, start every hook of an event at
once, give it the payload, kill what is late, and take its answer for what the real one takes it."""

import copy
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eyelet_ingest.install.jsonc import parse

CLAUDE_END_S = 1.5  # all hooks of a session's end together, those apart that say a time-out of their own


@dataclass
class Answer:
    """What came of one hook: how it ended (None: killed for being late), and what it said."""

    event: str
    status: int | None
    out: bytes
    err: bytes


@dataclass
class StandIn:
    """An agent, by name. `kill` says of a session's event whether its hook is shot while it runs."""

    name: str
    home: Path
    project: Path
    environment: dict[str, str]
    kill: set[tuple[str, int]] = field(default_factory=set)
    answers: list[Answer] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def settings(self) -> list[dict[str, Any]]:
        paths: Iterable[Path] = {
            "claude": [
                self.home / ".claude/settings.json",
                self.project / ".claude/settings.json",
                self.project / ".claude/settings.local.json",
            ],
            "codex": [self.home / ".codex/hooks.json", self.project / ".codex/hooks.json"],
            "gemini": [self.home / ".gemini/settings.json", self.project / ".gemini/settings.json"],
            "copilot": [
                *sorted((self.home / ".copilot/hooks").glob("*.json")),
                *sorted((self.project / ".github/hooks").glob("*.json")),
            ],
            "cursor": [self.home / ".cursor/hooks.json", self.project / ".cursor/hooks.json"],
        }[self.name]
        found = []
        for path in paths:
            if path.exists():
                top = parse(path.read_text("utf-8"))
                assert top is not None
                found.append(top.plain())
        return found

    def handlers(self, event: str) -> list[dict[str, Any]]:
        found = []
        for one in self.settings():
            for entry in one.get("hooks", {}).get(event, []):
                found += entry.get("hooks", [entry])
        return found

    def fire(self, event: str, payload: dict[str, Any], number: int = -1) -> list[Answer]:
        """All hooks of the event, at once; the answers, as they came."""
        threads, answers = [], []

        def run(handler: dict[str, Any]) -> None:
            answer = self.run(handler, event, payload, number)
            with self.lock:
                answers.append(answer)
                self.answers.append(answer)

        for handler in self.handlers(event):
            threads.append(threading.Thread(target=run, args=(handler,)))
            threads[-1].start()
        for thread in threads:
            thread.join()
        return answers

    def run(self, handler: dict[str, Any], event: str, payload: dict[str, Any], number: int) -> Answer:
        process = subprocess.Popen(
            self.command(handler),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.project,
            env=self.environment,
            start_new_session=True,
        )
        session = str(payload.get("session_id") or payload.get("conversation_id"))
        if (session, number) in self.kill:
            threading.Timer(0.02, self.shoot, (process,)).start()
        try:
            out, err = process.communicate(json.dumps(payload).encode(), timeout=self.seconds(handler, event))
        except subprocess.TimeoutExpired:
            self.shoot(process)
            process.communicate()
            return Answer(event, None, b"", b"")
        except BrokenPipeError:
            process.wait()
            return Answer(event, process.returncode, b"", b"")
        return Answer(event, process.returncode, out, err)

    def command(self, handler: dict[str, Any]) -> list[str]:
        if self.name == "copilot":
            return ["bash", "-c", handler.get("bash") or handler["command"]]
        if self.name == "codex":
            return ["/bin/sh", "-lc", handler["command"]]
        if "args" in handler and self.name == "claude":
            return [handler["command"], *handler["args"]]
        return ["/bin/sh", "-c", handler["command"]]

    def seconds(self, handler: dict[str, Any], event: str) -> float:
        if self.name == "gemini":
            return float(handler.get("timeout", 60_000)) / 1_000
        if self.name == "copilot":
            return float(handler.get("timeoutSec", 30))
        if self.name == "codex" and event in ("SessionEnd", "Interrupt"):
            return min(float(handler.get("timeout", 1)), 3)
        if self.name == "claude" and event == "SessionEnd":
            return float(handler.get("timeout", CLAUDE_END_S))
        return float(handler.get("timeout", 60))

    def shoot(self, process: "subprocess.Popen[bytes]") -> None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            time.sleep(0)

    def refuses(self, answer: Answer) -> bool:
        """Whether the agent takes the answer for a refusal, or shows it as an error."""
        if self.name == "cursor" and answer.status == 0:
            try:
                return not isinstance(json.loads(answer.out), dict) or bool(answer.err)
            except ValueError:
                return True
        return answer.status != 0 or bool(answer.out) or bool(answer.err)


PAYLOADS: dict[str, dict[str, dict[str, Any]]] = {
    "claude": {
        "SessionStart": {"source": "startup"},
        "UserPromptSubmit": {"prompt": "go on"},
        "PreToolUse": {"tool_name": "Bash", "tool_input": {"command": "git status"}, "tool_use_id": "t"},
        "PostToolUse": {
            "tool_name": "Bash",
            "tool_input": {"command": "git status"},
            "tool_use_id": "t",
            "tool_response": {"stdout": "clean", "stderr": "", "interrupted": False},
        },
        "Stop": {"stop_hook_active": False},
        "SessionEnd": {"reason": "other"},
    },
    "gemini": {
        "SessionStart": {"source": "startup"},
        "BeforeAgent": {"prompt": "go on"},
        "BeforeTool": {"tool_name": "read_file", "tool_input": {"path": "a"}},
        "AfterTool": {"tool_name": "read_file", "tool_input": {"path": "a"}, "tool_response": {"llmContent": "x"}},
        "SessionEnd": {"reason": "exit"},
    },
    "cursor": {
        "sessionStart": {"composer_mode": "agent"},
        "beforeSubmitPrompt": {"prompt": "go on"},
        "preToolUse": {"tool_name": "Shell", "tool_input": {"command": "ls"}},
        "postToolUse": {"tool_name": "Shell", "tool_input": {"command": "ls"}, "tool_output": "a", "duration": 3},
        "stop": {"status": "completed"},
        "sessionEnd": {"reason": "completed"},
    },
}
PAYLOADS["codex"] = {**PAYLOADS["claude"], "Interrupt": {"turn_id": "1"}}
PAYLOADS["copilot"] = {
    **{event: more for event, more in PAYLOADS["claude"].items() if event != "PostToolUse"},
    "PostToolUse": {
        "tool_name": "Bash",
        "tool_input": {"command": "ls"},
        "tool_result": {"result_type": "success", "text_result_for_llm": "a"},
    },
}


def payload(agent: str, event: str, session: str, project: Path, number: int = 0) -> dict[str, Any]:
    """A payload of this event as the agent makes it, told from others by `session` and `number`."""
    common: dict[str, Any] = {"hook_event_name": event, "session_id": session, "cwd": str(project), "number": number}
    if agent == "cursor":
        common |= {"conversation_id": session, "cursor_version": "3.7.21", "workspace_roots": [str(project)]}
    return {**common, **copy.deepcopy(PAYLOADS[agent][event])}  # a test may change it
