"""GitHub Copilot CLI: a file of ours among `hooks/*.json`. Time-outs in seconds.

Source: github/docs, content/copilot/reference/hooks-reference.md. Event names in PascalCase, since only then a payload
says which event it is. A failing PreToolUse hook denies the tool: the line exits 0 in any case.
"""

from typing import Any

from eyelet_ingest.install.agent import Agent
from eyelet_ingest.install.launch import Launch

SECONDS = 10
EVENTS = (
    "SessionStart",
    "SessionEnd",
    "UserPromptSubmit",
    "PreToolUse",
    "PostToolUse",
    "PostToolUseFailure",
    "Stop",
    "SubagentStop",
    "ErrorOccurred",
    "PreCompact",
    "notification",  # this one says its name in either spelling
)


def handler(launch: Launch, event: str, seconds: int) -> dict[str, Any]:
    """`bash`, which every version and the cloud agent take; `exec` is younger."""
    return {"type": "command", "bash": launch.line("copilot"), "timeoutSec": seconds}


AGENT = Agent(
    name="copilot",
    title="GitHub Copilot CLI",
    folder=".copilot",
    folder_variable="COPILOT_HOME",
    programs=("copilot",),
    files={"user": "hooks/eyelet.json", "project": ".github/hooks/eyelet.json"},
    events=dict.fromkeys(EVENTS, SECONDS),
    never={
        "permissionRequest": "it comes before every call, as PreToolUse does",
        "userPromptTransformed": "it repeats UserPromptSubmit",
        "subagentStart": "its payload does not say which event it is",
    },
    handler=handler,
    grouped=False,
    beside={"version": 1},
)
