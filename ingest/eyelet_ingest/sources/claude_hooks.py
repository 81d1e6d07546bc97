"""A Claude Code hook payload → Event. Light: the hook imports it on every tool call.

What an event's status is and how its src is made stands in docs/events.md, and a test reads that table.
"""

from eyelet_ingest.events import Event
from eyelet_ingest.sources.failure import api_error_name, code_of, exit_code_of, message_of
from eyelet_ingest.sources.src import of_tool
from eyelet_ingest.sources.text import PATH_MAX_CHARS, duration_ms, optional, plain

TYPE_CHECKING = False  # importing `typing` would cost the hook more than all of this file
if TYPE_CHECKING:
    from collections.abc import Callable

AGENT = "claude"
UNKNOWN = "unknown"

LEVELS = {"error": "error", "interrupted": "warn", "denied": "warn"}
# Fields that only one event has, for payloads of the first versions, which do not name it; in the order to ask in.
_TOLD_BY = (
    ("tool_response", "PostToolUse"),
    ("tool_input", "PreToolUse"),
    ("stop_hook_active", "Stop"),
    ("prompt", "UserPromptSubmit"),
)
_EXIT_CODES = ("exit_code", "exitCode", "returncode", "return_code", "returnCode")


def is_hook(record: "dict[str, object]") -> bool:
    """Whether a record of unknown origin is a hook payload: `hook_event_name` decides, else what all of them have."""
    if "hook_event_name" in record:
        return True
    return "session_id" in record and ("tool_name" in record or "transcript_path" in record or "cwd" in record)


def normalise(
    payload: "dict[str, object]",
    data: str,
    src_of: "Callable[[str, str, str | None, str | None], str]" = of_tool,
    agent: str = AGENT,
) -> Event:
    """The event of a redacted payload and its JSON text. Takes any object: what is missing or of a wrong type is empty.

    The time and the uid are the caller's to set. `src_of` stands for `src.of_tool`, for callers who remember answers;
    `agent` is another one whose payloads have this shape.
    """
    get = payload.get
    tool_input = get("tool_input")
    command = tool_input.get("command") if isinstance(tool_input, dict) else None
    hook_type = plain(get("hook_event_name")) or _event_of(payload)
    tool_name = optional(get("tool_name"))
    status, code, message = _outcome(hook_type, payload)
    level = LEVELS.get(status)
    meta: dict[str, object] | None = None
    if level is not None:
        meta = {"execution": execution(status, code, message)}
    return Event(
        hook_type=hook_type,
        session_id=plain(get("session_id")),
        tool_name=tool_name,
        tool_use_id=optional(get("tool_use_id")),
        status=status,
        src=src_of(agent, hook_type, tool_name, command if isinstance(command, str) else None),
        loglevel=level or "info",
        error=1 if status == "error" else 0,
        origin="hook",
        agent=agent,
        agent_id=optional(get("agent_id")),
        model=_model(get("model")),
        duration_ms=duration_ms(get("duration_ms")),
        project_dir=optional(get("cwd"), PATH_MAX_CHARS),
        data=data,
        meta=meta,
    )


def _event_of(payload: "dict[str, object]") -> str:
    """The event of a payload that does not name it; `unknown` where nothing tells."""
    for field, event in _TOLD_BY:
        if field in payload:
            return event
    return UNKNOWN


def execution(status: str, code: str | None, message: str) -> "dict[str, object]":
    """What `meta.execution` says of an event that failed."""
    found: dict[str, object] = {"status": status}
    if message:
        found["error_message"] = message
    if code:
        found["error_code"] = code
    return found


def _outcome(hook_type: str, payload: "dict[str, object]") -> "tuple[str, str | None, str]":
    """status, error code and error message, as known at the moment of this event."""
    if hook_type == "PreToolUse":
        return "pending", None, ""
    if hook_type == "PostToolUse":
        return response_outcome(payload.get("tool_response"))
    if hook_type == "PostToolUseFailure":
        message = message_of(payload.get("error"))
        if payload.get("is_interrupt") is True:
            return "interrupted", "interrupted", message
        return "error", code_of(message), message
    if hook_type == "PermissionDenied":
        return "denied", None, message_of(payload.get("reason"))
    if hook_type == "StopFailure":
        error = payload.get("error")
        message = message_of(payload.get("error_details")) or message_of(error)
        return "error", api_error_name(error) or api_error_name(payload.get("error_details")), message
    return "ok", None, ""


def response_outcome(response: object) -> "tuple[str, str | None, str]":
    """status, error code and error message of a tool's response: an object, a text or a list of content blocks."""
    if isinstance(response, dict):
        return _object_outcome(response)
    if isinstance(response, str):
        exit_code = exit_code_of(response)
        if exit_code:
            message = message_of(response)
            return "error", code_of(message), message
        return "ok", None, ""
    if isinstance(response, list):
        for block in response:
            if isinstance(block, dict) and (block.get("is_error") is True or block.get("isError") is True):
                message = message_of(block)
                return "error", code_of(message), message
    return "ok", None, ""


def _object_outcome(response: "dict[str, object]") -> "tuple[str, str | None, str]":
    get = response.get
    if get("interrupted") is True or get("wasInterrupted") is True:
        return "interrupted", "interrupted", message_of(get("stderr"))
    exit_code: int | None = None
    for name in _EXIT_CODES:
        number = get(name)
        if isinstance(number, int) and not isinstance(number, bool) and -(2**31) <= number < 2**32:
            exit_code = number
            break
    if not exit_code and get("is_error") is not True and get("isError") is not True and get("success") is not False:
        return "ok", None, ""
    message = message_of(response)
    if exit_code:
        return "error", f"exit:{exit_code}", message
    return "error", code_of(message), message


def _model(value: object) -> str | None:
    if isinstance(value, dict):
        value = value.get("id")
    return optional(value) if isinstance(value, str) else None
