"""Codex CLI: `hooks.json`. Time-outs in seconds; two events take 3 at most.

Sources: openai/codex, codex-rs/config/src/hook_config.rs and codex-rs/hooks; developers.openai.com/codex/hooks.
"""

from typing import Any

from eyelet_ingest.install.agent import Agent
from eyelet_ingest.install.launch import Launch

SECONDS = 10
END_SECONDS = 3  # the most it grants these two; without a word of ours it is 1
EVENTS = (
    "SessionStart",
    "UserPromptSubmit",
    "PreToolUse",
    "PermissionRequest",
    "PostToolUse",
    "PreCompact",
    "PostCompact",
    "SubagentStart",
    "SubagentStop",
    "Stop",
)


def handler(launch: Launch, event: str, seconds: int) -> dict[str, Any]:
    """One line for the user's shell; the file takes no names it does not know."""
    return {"type": "command", "command": launch.line("codex"), "timeout": seconds}


AGENT = Agent(
    name="codex",
    title="Codex CLI",
    folder=".codex",
    folder_variable="CODEX_HOME",
    programs=("codex",),
    files={"user": "hooks.json", "project": ".codex/hooks.json"},
    events={**dict.fromkeys(EVENTS, SECONDS), "SessionEnd": END_SECONDS, "Interrupt": END_SECONDS},
    never={},
    handler=handler,
    hint="Codex runs new hooks once you have trusted them: start it and type /hooks.",
)
