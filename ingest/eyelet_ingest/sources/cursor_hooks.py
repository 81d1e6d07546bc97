"""A Cursor hook payload → Event. Light: the hook imports it, for payloads of Cursor.

    {"conversation_id", "generation_id", "model", "hook_event_name", "cursor_version", "workspace_roots": ["/…"], …}

Sources: cursor.com/docs/hooks ("Input (all hooks)", and each event's own fields) and
cursor.com/docs/reference/third-party-hooks. The tokens of `stop` (`input_tokens`, `output_tokens`, `cache_read_tokens`,
`cache_write_tokens`) are not in that reference; versions since 3.10 send them, and they stay in the payload. Names of
events are Cursor's own, in camelCase; where it runs Claude Code's hooks they may be Claude's, and mean the same.

What an event's status is and how its src is made stands in docs/events.md, and a test reads that table.
"""

from eyelet_ingest.events import Event
from eyelet_ingest.sources.claude_hooks import UNKNOWN, execution, response_outcome
from eyelet_ingest.sources.embedded import command_of, opened
from eyelet_ingest.sources.failure import code_of, message_of
from eyelet_ingest.sources.src import command_parts, src, tool_parts
from eyelet_ingest.sources.text import PATH_MAX_CHARS, duration_ms, optional, plain

AGENT = "cursor"
MARK = "cursor_version"  # in every payload of Cursor's since its second version, and in none of others'

_LEVELS = {"error": "error", "interrupted": "warn", "denied": "warn"}
_ASKED = frozenset(("preToolUse", "beforeShellExecution", "beforeMCPExecution"))
_ANSWERED = {"postToolUse": "tool_output", "afterMCPExecution": "result_json"}
_ENDED = {"stop": "status", "subagentStop": "status", "sessionEnd": "reason"}
_SHELLS = frozenset(("Shell", "Bash"))
SHELL = "Shell"  # the tool of events that are only about commands, and name none


def normalise(payload: "dict[str, object]", data: str) -> Event:
    """The event of a redacted payload and its JSON text. Takes any object: what is missing or of a wrong type is empty.

    The time and the uid are the caller's to set.
    """
    get = payload.get
    hook_type = plain(get("hook_event_name")) or UNKNOWN
    event = hook_type[:1].lower() + hook_type[1:]
    tool_name = optional(get("tool_name"))
    if tool_name is None and event in ("beforeShellExecution", "afterShellExecution"):
        tool_name = SHELL
    status, code, message = _outcome(event, payload)
    level = _LEVELS.get(status)
    meta: dict[str, object] = {}
    if level is not None:
        meta["execution"] = execution(status, code, message)
    for name, inner, value in (("agent", "version", get(MARK)), ("git", "branch", get("git_branch"))):
        if said := plain(value):
            meta[name] = {inner: said}
    took = duration_ms(get("duration"))
    return Event(
        hook_type=hook_type,
        session_id=plain(get("conversation_id")) or plain(get("session_id")),
        tool_name=tool_name,
        tool_use_id=optional(get("tool_use_id")),
        status=status,
        src=src(AGENT, hook_type, *_tool_parts(event, tool_name, payload)),
        loglevel=level or "info",
        error=1 if status == "error" else 0,
        origin="hook",
        agent=AGENT,
        agent_id=optional(get("subagent_id")),
        model=_text(get("model_id")) or _text(get("model")) or _text(get("subagent_model")),
        duration_ms=duration_ms(get("duration_ms")) if took is None else took,
        project_dir=_project(payload),
        data=data,
        meta=meta,
    )


def _tool_parts(event: str, tool_name: str | None, payload: "dict[str, object]") -> "list[str]":
    if tool_name in _SHELLS:
        command = payload.get("command")
        if not isinstance(command, str):
            command = command_of(payload.get("tool_input"))
        return [tool_name, *command_parts(command)] if command else [tool_name]
    if tool_name and tool_name.startswith("MCP:"):
        return ["mcp", tool_name[4:]]
    if tool_name and event in ("beforeMCPExecution", "afterMCPExecution"):
        return ["mcp", tool_name]
    return tool_parts(tool_name)


def _outcome(event: str, payload: "dict[str, object]") -> "tuple[str, str | None, str]":
    """status, error code and error message, as known at the moment of this event."""
    get = payload.get
    if event in _ASKED:
        return "pending", None, ""
    if event in _ANSWERED:
        answer = get(_ANSWERED[event])
        return response_outcome(opened(get("tool_response") if answer is None else answer))
    if event == "postToolUseFailure":
        return _failure(payload)
    if event in _ENDED:
        return _end(get(_ENDED[event]), payload)
    return "ok", None, ""


def _failure(payload: "dict[str, object]") -> "tuple[str, str | None, str]":
    get = payload.get
    message = message_of(get("error_message")) or message_of(get("error"))
    kind = get("failure_type")
    if get("is_interrupt") is True:
        return "interrupted", "interrupted", message
    if kind == "permission_denied":
        return "denied", None, message
    return "error", "timeout" if kind == "timeout" else code_of(message), message


def _end(how: object, payload: "dict[str, object]") -> "tuple[str, str | None, str]":
    """Of what has ended: a turn, a subagent, a session."""
    if how == "error":
        message = message_of(payload.get("error_message")) or message_of(payload.get("summary"))
        return "error", code_of(message), message
    return ("interrupted", "interrupted", "") if how == "aborted" else ("ok", None, "")


def _text(value: object) -> str | None:
    return optional(value) if isinstance(value, str) else None


def _project(payload: "dict[str, object]") -> str | None:
    """The first folder of the workspace, as `CURSOR_PROJECT_DIR` names it; else where the tool runs."""
    roots = payload.get("workspace_roots")
    first = roots[0] if isinstance(roots, list) and roots else None
    return (optional(first, PATH_MAX_CHARS) if isinstance(first, str) else None) or optional(
        payload.get("cwd"), PATH_MAX_CHARS
    )
