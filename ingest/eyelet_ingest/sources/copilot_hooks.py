"""A GitHub Copilot CLI hook payload → Event. Light: the hook imports it, for payloads of Copilot.

    {"sessionId", "timestamp": 1767225600000, "cwd", "toolName", "toolArgs", "toolResult": {"resultType", …}}
    {"hook_event_name", "session_id", "timestamp": "…Z", "cwd", "tool_name", "tool_input", "tool_result": {…}}

Source: github/docs, content/copilot/reference/hooks-reference.md: the first form where settings spell the event in
camelCase, the second for PascalCase; and hooks-configuration.md, which was before it: `toolArgs` is JSON in a text, and
there is no `sessionId`. A payload in camelCase does not name its event: what it holds tells which it is. What a shell
answers ends with `<exited with exit code N>` (microsoft/vscode-copilot-chat, tests of processToolExecutionComplete).

What an event's status is and how its src is made stands in docs/events.md, and a test reads that table.
"""

from eyelet_ingest.events import Event
from eyelet_ingest.sources.claude_hooks import UNKNOWN, execution, response_outcome
from eyelet_ingest.sources.embedded import command_of
from eyelet_ingest.sources.failure import api_error_name, code_of, message_of
from eyelet_ingest.sources.src import command_parts, src, tool_parts
from eyelet_ingest.sources.text import PATH_MAX_CHARS, optional, plain

AGENT = "copilot"
SHELLS = frozenset(("bash", "Bash", "powershell", "shell"))

_LEVELS = {"error": "error", "interrupted": "warn", "denied": "warn"}
_EXITED = "<exited with exit code "
_EXITED_WITHIN_CHARS = 200  # of a text's end
# Fields that only one event has in camelCase, in the order in which they are asked; of a tool's events `_tool_event`.
_TOLD_BY = (
    ("errorContext", "errorOccurred"),
    ("transformedPrompt", "userPromptTransformed"),
    ("prompt", "userPromptSubmitted"),
    ("customInstructions", "preCompact"),
    ("trigger", "preCompact"),
    ("stopReason", "agentStop"),
    ("agentName", "subagentStart"),
    ("notification_type", "notification"),
    ("reason", "sessionEnd"),
    ("source", "sessionStart"),
    ("error", "errorOccurred"),
)
_FAILED = {"failure": "error", "error": "error", "timeout": "error", "denied": "denied", "rejected": "denied"}


def event_name(payload: "dict[str, object]") -> str:
    """Which event a payload is of, as the settings spell it; `unknown` where nothing tells."""
    said = plain(payload.get("hook_event_name"))
    if said:
        return said
    if "toolName" in payload:
        return _tool_event(payload)
    for field, event in _TOLD_BY:
        if field in payload:
            return "subagentStop" if event == "agentStop" and "agentName" in payload else event
    return UNKNOWN


def normalise(payload: "dict[str, object]", data: str) -> Event:
    """The event of a redacted payload and its JSON text. Takes any object: what is missing or of a wrong type is empty.

    The time and the uid are the caller's to set.
    """
    get = payload.get
    hook_type = event_name(payload)
    tool_name = optional(get("toolName")) or optional(get("tool_name"))
    status, code, message = _outcome(hook_type.lower(), payload)
    level = _LEVELS.get(status)
    return Event(
        hook_type=hook_type,
        session_id=plain(get("sessionId")) or plain(get("session_id")),
        tool_name=tool_name,
        tool_use_id=optional(get("toolCallId")) or optional(get("tool_use_id")),
        status=status,
        src=src(AGENT, hook_type, *of_tool(tool_name, get("toolArgs", get("tool_input")))),
        loglevel=level or "info",
        error=1 if status == "error" else 0,
        origin="hook",
        agent=AGENT,
        agent_id=optional(get("agentId")) or optional(get("agent_id")),
        project_dir=optional(get("cwd"), PATH_MAX_CHARS),
        data=data,
        meta=None if level is None else {"execution": execution(status, code, message)},
    )


def of_tool(tool_name: str | None, arguments: object) -> "list[str]":
    """What `src` says of a tool: of a shell its program and subcommand."""
    command = command_of(arguments) if tool_name in SHELLS else None
    return [tool_name, *command_parts(command)] if tool_name and command else tool_parts(tool_name)


def text_outcome(text: str) -> "tuple[str, str | None, str]":
    """status, error code and error message of what a tool answered: a shell says at the end how its command ended."""
    end = text[-_EXITED_WITHIN_CHARS:].rstrip()
    _, exited, number = end.rpartition(_EXITED)
    number = number.rstrip(">")
    if exited and end.endswith(">") and number.isascii() and number.isdigit() and number.strip("0"):
        return "error", f"exit:{number[:10]}", message_of(text)
    return "ok", None, ""


def _tool_event(payload: "dict[str, object]") -> str:
    if "toolResult" in payload:
        return "postToolUseFailure" if _result_type(payload.get("toolResult")) == "failure" else "postToolUse"
    if "error" in payload:
        return "postToolUseFailure"
    return "permissionRequest" if "toolInput" in payload and "toolArgs" not in payload else "preToolUse"


def _result_type(result: object) -> str:
    if not isinstance(result, dict):
        return ""
    return plain(result.get("resultType")) or plain(result.get("result_type"))


def _outcome(event: str, payload: "dict[str, object]") -> "tuple[str, str | None, str]":
    """status, error code and error message, as known at the moment of this event (in lower case)."""
    get = payload.get
    if event == "pretooluse":
        return "pending", None, ""
    if event in ("posttooluse", "posttoolusefailure"):
        return _answer(event, payload)
    if event == "erroroccurred":
        error = get("error")
        message = message_of(error)
        named = error.get("name") if isinstance(error, dict) else None
        return "error", code_of(message) or api_error_name(named), message
    if event == "sessionend":
        reason = plain(get("reason"))
        if reason in ("error", "timeout"):
            return "error", "timeout" if reason == "timeout" else None, ""
        return ("interrupted", "interrupted", "") if reason == "abort" else ("ok", None, "")
    return "ok", None, ""


def _answer(event: str, payload: "dict[str, object]") -> "tuple[str, str | None, str]":
    get = payload.get
    result = get("toolResult", get("tool_result"))
    text = ""
    if isinstance(result, dict):
        told = result.get("textResultForLlm", result.get("text_result_for_llm"))
        text = told if isinstance(told, str) else ""
    kind = _result_type(result)
    if event == "posttoolusefailure" or kind in _FAILED:
        status = _FAILED.get(kind, "error")
        message = message_of(get("error")) or message_of(text)
        if status == "denied":
            return "denied", None, message
        return "error", "timeout" if kind == "timeout" else code_of(message) or text_outcome(text)[1], message
    if text:
        return text_outcome(text)
    return response_outcome(get("tool_response") if result is None else result)
