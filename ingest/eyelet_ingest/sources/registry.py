"""Whose hook a payload is: the one place that knows every agent's source of hooks. Light: the hook imports it.

A source of hooks is a plain module with `AGENT` and `normalise(payload, text, src_of) -> Event`. Only Claude Code's is
loaded at once: a payload of another agent pays for its own. `formats.py` is the same for recordings.

What the installed entry says (`--agent`) counts, but for agents that run another's hooks: their payloads say so.
"""

from eyelet_ingest.sources import claude_hooks
from eyelet_ingest.sources.src import of_tool

TYPE_CHECKING = False  # importing `typing` would cost the hook more than all of this file
if TYPE_CHECKING:
    from collections.abc import Callable

    from eyelet_ingest.events import Event

AGENTS = ("claude", "codex", "gemini", "copilot", "cursor")

_CAMEL = frozenset(("sessionId", "toolName", "errorContext", "prompt", "initialPrompt"))
_GEMINI_EVENTS = (
    *("BeforeAgent", "AfterAgent", "BeforeTool", "AfterTool", "BeforeModel", "AfterModel"),
    *("BeforeToolSelection", "PreCompress"),
)


def agent_of(payload: "dict[str, object]", said: str = "") -> str:
    """One of AGENTS: whom the payload is of. `said` is what the entry in the agent's settings says, "" for nothing."""
    if "cursor_version" in payload:  # it runs Claude Code's hooks, too
        return "cursor"
    if "tool_result" in payload or "toolName" in payload:  # so does this one, in a project
        return "copilot"
    if said == "claude" and "timestamp" in payload and _is_copilots(payload):  # Claude Code's have none
        return "copilot"
    if said in AGENTS:
        return said
    return _by_shape(payload)


def is_hook(record: "dict[str, object]") -> bool:
    """Whether a record of unknown origin is a hook's payload."""
    return claude_hooks.is_hook(record) or record.get("type") == "agent-turn-complete" or _is_camel(record)


def normalise(
    payload: "dict[str, object]",
    data: str,
    said: str = "",
    src_of: "Callable[[str, str, str | None, str | None], str]" = of_tool,
) -> "Event":
    """The event of a redacted payload and its JSON text, by the source of its agent. Takes any object.

    The time and the uid are the caller's to set.
    """
    # A branch for each agent but Claude, its import spelt out, as `bundle.py` reads what a hook may load.
    agent = agent_of(payload, said)
    if agent == "codex":
        from eyelet_ingest.sources import codex_hooks

        return codex_hooks.normalise(payload, data, src_of)
    if agent == "gemini":
        from eyelet_ingest.sources import gemini_hooks

        return gemini_hooks.normalise(payload, data)
    if agent == "cursor":
        from eyelet_ingest.sources import cursor_hooks

        return cursor_hooks.normalise(payload, data)
    if agent == "copilot":
        from eyelet_ingest.sources import copilot_hooks

        return copilot_hooks.normalise(payload, data)
    return claude_hooks.normalise(payload, data, src_of)


def _by_shape(payload: "dict[str, object]") -> str:
    """The agent of a payload of which nobody said it."""
    get = payload.get
    place = get("transcript_path")
    path = place if isinstance(place, str) else ""
    if "conversation_id" in payload and ("generation_id" in payload or "workspace_roots" in payload):
        return "cursor"  # before its payloads said the version
    if "turn_id" in payload or get("type") == "agent-turn-complete" or "/rollout-" in path:
        return "codex"
    if get("hook_event_name") in _GEMINI_EVENTS or "/.gemini/" in path:
        return "gemini"
    if "/.copilot/" in path or get("hook_event_name") == "ErrorOccurred" or _is_camel(payload):
        return "copilot"
    return "claude"


def _is_copilots(payload: "dict[str, object]") -> bool:
    """Whether a payload that says its time, as Copilot's do, says besides what Claude Code's would not."""
    place = payload.get("transcript_path", "/.copilot/")  # most of Copilot's have none, all of Claude Code's do
    return (isinstance(place, str) and "/.copilot/" in place) or "stop_reason" in payload


def _is_camel(record: "dict[str, object]") -> bool:
    """Whether it is a payload of Copilot's in camelCase, which does not name its event: transcripts have a `type`."""
    if "hook_event_name" in record:
        return "sessionId" in record and "notification_type" in record
    if "type" in record or "uuid" in record or "cwd" not in record or not isinstance(record.get("timestamp"), int):
        return False
    if not _CAMEL.isdisjoint(record):
        return True
    # Before payloads had a `sessionId`, some had one field beside the two that all have.
    error = record.get("error")
    return len(record) == 3 and (
        record.get("reason") in ("complete", "error", "abort", "timeout", "user_exit")
        or record.get("source") in ("new", "resume", "startup")
        or (isinstance(error, dict) and "message" in error)
    )
