"""A Codex hook payload → Event, and what its `notify` program is told. Light: the hook imports it, for these payloads.

    {"session_id", "turn_id", "transcript_path", "cwd", "hook_event_name", "model", "permission_mode", …}
    {"type": "agent-turn-complete", "thread-id", "turn-id", "cwd", "input-messages": […], "last-assistant-message"}

The first is Claude Code's shape with `turn_id` and `model`, and `agent_id`, `agent_type` inside a subagent
(openai/codex: codex-rs/hooks/src/schema.rs and schema/generated, pull request 22882). A command's tool is `Bash` and
its answer a bare text: **it does not say how the command ended**, so PostToolUse is ok unless the text tells otherwise;
the rollout knows. MCP tools answer with the server's own result. The second is the last argument of the program that
`notify` names (codex-rs/hooks/src/legacy_notify.rs).
"""

from eyelet_ingest.events import Event
from eyelet_ingest.sources import claude_hooks
from eyelet_ingest.sources.codex_output import outcome
from eyelet_ingest.sources.src import of_tool, src
from eyelet_ingest.sources.text import PATH_MAX_CHARS, optional, plain

TYPE_CHECKING = False  # importing `typing` would cost the hook more than all of this file
if TYPE_CHECKING:
    from collections.abc import Callable

AGENT = "codex"
NOTIFY = "agent-turn-complete"


def normalise(
    payload: "dict[str, object]", data: str, src_of: "Callable[[str, str, str | None, str | None], str]" = of_tool
) -> Event:
    """The event of a redacted payload and its JSON text. Takes any object: what is missing or of a wrong type is empty.

    The time and the uid are the caller's to set.
    """
    if "hook_event_name" not in payload and "type" in payload:
        return _notified(payload, data)
    event = claude_hooks.normalise(payload, data, src_of, AGENT)
    found = None
    if event.hook_type == "PostToolUse" and event.status == "ok":
        found = outcome(payload.get("tool_response"))
    elif event.hook_type == "Interrupt":
        found = ("interrupted", "interrupted", "")
    if found is not None and found[0] != "ok":
        event.status, event.error = found[0], 1 if found[0] == "error" else 0
        event.loglevel = claude_hooks.LEVELS[found[0]]
        event.meta["execution"] = claude_hooks.execution(*found)
    return event


def _notified(payload: "dict[str, object]", data: str) -> Event:
    get = payload.get
    kind = plain(get("type")) or claude_hooks.UNKNOWN
    return Event(
        hook_type=kind,
        session_id=plain(get("thread-id")),
        src=src(AGENT, "notify", kind),
        origin="hook",
        agent=AGENT,
        project_dir=optional(get("cwd"), PATH_MAX_CHARS),
        data=data,
    )
