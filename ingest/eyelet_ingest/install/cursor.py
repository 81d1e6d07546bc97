"""Cursor: `hooks.json`. Time-outs in seconds.

Sources: cursor.com/docs/hooks and cursor.com/docs/reference/third-party-hooks; docs/agents.md names what users met. One
name it does not know makes Cursor leave the whole file unread, so only long-known events are here; and an event that
asks for leave must be answered with JSON, or the tool is refused.
"""

from typing import Any

from eyelet_ingest.install.agent import Agent
from eyelet_ingest.install.launch import CURSORS_ANSWER, Launch

SECONDS = 10
EVENTS = (
    "sessionStart",
    "sessionEnd",
    "beforeSubmitPrompt",
    "preToolUse",
    "postToolUse",
    "postToolUseFailure",
    "subagentStart",
    "subagentStop",
    "preCompact",
    "stop",
    "afterAgentResponse",
    "afterAgentThought",
    "afterTabFileEdit",
)
REPEATS_PRE = "preToolUse says it, and it has to be answered in time"
REPEATS_POST = "postToolUse says it"


def handler(launch: Launch, event: str, seconds: int) -> dict[str, Any]:
    """One line of shell that answers even where the launcher is gone."""
    line = launch.line("cursor").removesuffix("exit 0") + f"echo '{CURSORS_ANSWER}'"
    return {"command": line, "timeout": seconds}


AGENT = Agent(
    name="cursor",
    title="Cursor",
    folder=".cursor",
    folder_variable="",
    programs=("cursor", "cursor-agent"),
    files={"user": "hooks.json", "project": ".cursor/hooks.json"},
    events=dict.fromkeys(EVENTS, SECONDS),
    never={
        "beforeShellExecution": REPEATS_PRE,
        "beforeMCPExecution": REPEATS_PRE,
        "beforeReadFile": REPEATS_PRE,
        "beforeTabFileRead": "it comes at every keystroke's completion, and has to be answered",
        "afterShellExecution": REPEATS_POST,
        "afterMCPExecution": REPEATS_POST,
        "afterFileEdit": REPEATS_POST,
        "workspaceOpen": "older versions do not know it",
    },
    handler=handler,
    grouped=False,
    beside={"version": 1},
)
