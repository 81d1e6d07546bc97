"""Claude Code: `settings.json`. Time-outs in seconds; a handler of its own for each event.

Sources: the vendor's hook reference (code.claude.com/docs/en/hooks) and what docs/agents.md names besides.
"""

import re
import subprocess
from shutil import which
from typing import Any

from eyelet_ingest.install.agent import Agent
from eyelet_ingest.install.launch import Launch
from eyelet_ingest.posting import ADDRESS, TOKEN_VARIABLE

SECONDS = 10
END_SECONDS = 5  # with a time-out of its own it does not share the 1.5 s of all hooks of a session's end
NO_HTTP = ("SessionStart", "Setup")
# An older version takes one name it does not know for a reason to leave the whole file unread.
TOLERANT = (2, 1, 101)
KNOWN_TO_ALL = (
    "PreToolUse",
    "PostToolUse",
    "UserPromptSubmit",
    "Notification",
    "Stop",
    "SubagentStop",
    "PreCompact",
    "SessionStart",
    "SessionEnd",
)
EVENTS = (
    *KNOWN_TO_ALL,
    "PostToolUseFailure",
    "PermissionRequest",
    "PermissionDenied",
    "UserPromptExpansion",
    "Setup",
    "StopFailure",
    "SubagentStart",
    "PostCompact",
    "PreModelSwitch",
    "PostModelSwitch",
    "TeammateIdle",
    "TaskCreated",
    "TaskCompleted",
    "ConfigChange",
    "InstructionsLoaded",
    "CwdChanged",
    "FileChanged",
    "DirectoryAdded",
    "WorktreeRemove",
    "Elicitation",
    "ElicitationResult",
)


def handler(launch: Launch, event: str, seconds: int) -> dict[str, Any]:
    """Exec form, without a shell; settings that are shared find the launcher in the home folder, with one."""
    if launch.native_http and event not in NO_HTTP:
        return {
            "type": "http",
            "url": launch.url + ADDRESS,
            "headers": {
                "Authorization": f"Bearer ${TOKEN_VARIABLE}",
                "X-Eyelet-Context": "$EYELET_CONTEXT",
                "X-Eyelet-Disabled": "$EYELET_DISABLED",
            },
            "allowedEnvVars": [TOKEN_VARIABLE, "EYELET_CONTEXT", "EYELET_DISABLED"],
            "timeout": seconds,
        }
    if launch.portable:
        return {"type": "command", "command": launch.line("claude"), "timeout": seconds}
    return {"type": "command", "command": launch.path, "args": launch.flags("claude"), "timeout": seconds}


AGENT = Agent(
    name="claude",
    title="Claude Code",
    folder=".claude",
    folder_variable="CLAUDE_CONFIG_DIR",
    programs=("claude",),
    files={"user": "settings.json", "project": ".claude/settings.json", "local": ".claude/settings.local.json"},
    events={event: END_SECONDS if event == "SessionEnd" else SECONDS for event in EVENTS},
    never={
        "WorktreeCreate": "a hook replaces what git would do",
        "MessageDisplay": "it holds up what one reads",
        "PostToolBatch": "it repeats what PostToolUse said",
    },
    handler=handler,
)


def version() -> tuple[int, ...]:
    """The version on the path, or () where there is none or it does not say."""
    program = which("claude")
    if not program:
        return ()
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, errors="replace")
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found = re.match(r"\s*(\d+)\.(\d+)\.(\d+)", done.stdout)
    return tuple(map(int, found.groups())) if found else ()


def events_for(number: tuple[int, ...]) -> dict[str, int]:
    """The events that this version may be told of; where it is not known, those of the versions of this year."""
    if not number or number >= TOLERANT:
        return AGENT.events
    return {event: AGENT.events[event] for event in KNOWN_TO_ALL}
