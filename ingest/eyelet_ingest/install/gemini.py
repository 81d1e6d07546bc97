"""Gemini CLI: `settings.json`. Time-outs in milliseconds.

Source: google-gemini/gemini-cli, docs/hooks/reference.md.
"""

from typing import Any

from eyelet_ingest.install.agent import Agent
from eyelet_ingest.install.launch import Launch

SECONDS = 10
EVENTS = (
    "SessionStart",
    "SessionEnd",
    "BeforeAgent",
    "AfterAgent",
    "BeforeTool",
    "AfterTool",
    "Notification",
    "PreCompress",
)


def handler(launch: Launch, event: str, seconds: int) -> dict[str, Any]:
    """One line of shell, by a name that Gemini's own commands show and can switch off."""
    return {"name": "eyelet", "type": "command", "command": launch.line("gemini"), "timeout": seconds * 1000}


AGENT = Agent(
    name="gemini",
    title="Gemini CLI",
    folder=".gemini",
    folder_variable="",
    programs=("gemini",),
    files={"user": "settings.json", "project": ".gemini/settings.json"},
    events=dict.fromkeys(EVENTS, SECONDS),
    never={
        "BeforeModel": "it holds the whole conversation, at every request",
        "AfterModel": "it comes with every piece of an answer",
        "BeforeToolSelection": "it holds the whole conversation, at every request",
    },
    handler=handler,
)
