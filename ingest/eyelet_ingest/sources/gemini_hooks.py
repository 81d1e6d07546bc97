"""A Gemini CLI hook payload → Event. Light: the hook imports it, for these payloads.

    {"session_id", "transcript_path", "cwd", "hook_event_name", "timestamp", …}
    BeforeTool, AfterTool: "tool_name", "tool_input", "mcp_context"; AfterTool: "tool_response": {"llmContent", "error"}
    BeforeModel, AfterModel, BeforeToolSelection: "llm_request": {"model", …}

Source: google-gemini/gemini-cli, docs/hooks/reference.md and packages/core/src/hooks/types.ts. There is no identifier
of a call. A command's exit code stands in the text that the model is answered, near its end (packages/core/src/tools/
shell.ts), and so does that it was cancelled; other failures are `tool_response.error`, {"message", "type"}.
"""

from eyelet_ingest.events import Event
from eyelet_ingest.sources.claude_hooks import LEVELS, UNKNOWN, execution
from eyelet_ingest.sources.failure import api_error_name, code_of, message_of
from eyelet_ingest.sources.src import command_parts, src, tool_parts
from eyelet_ingest.sources.text import PATH_MAX_CHARS, optional, plain

AGENT = "gemini"
SHELL = "run_shell_command"
TAIL_CHARS = 2_000  # of a command's answer: its exit code stands behind the output
_CANCELLED = "Command was cancelled by user"
_TIMED_OUT = "Command was automatically cancelled"
_NOT_ALLOWED = ("User did not allow tool call", "Tool execution denied by policy", "policy_violation")


def normalise(payload: "dict[str, object]", data: str) -> Event:
    """The event of a redacted payload and its JSON text. Takes any object: what is missing or of a wrong type is empty.

    The time and the uid are the caller's to set.
    """
    get = payload.get
    hook_type = plain(get("hook_event_name")) or UNKNOWN
    tool_name = optional(get("tool_name"))
    status, code, message = "ok", None, ""
    if hook_type == "BeforeTool":
        status = "pending"
    elif hook_type == "AfterTool":
        status, code, message = response_outcome(get("tool_response"), tool_name == SHELL)
    level = LEVELS.get(status)
    request = get("llm_request")
    model = request.get("model") if isinstance(request, dict) else None
    return Event(
        hook_type=hook_type,
        session_id=plain(get("session_id")),
        tool_name=tool_name,
        tool_use_id=optional(get("tool_use_id")),
        status=status,
        src=src(AGENT, hook_type, *_parts(tool_name, payload)),
        loglevel=level or "info",
        error=1 if status == "error" else 0,
        origin="hook",
        agent=AGENT,
        model=optional(model) if isinstance(model, str) else None,
        project_dir=optional(get("cwd"), PATH_MAX_CHARS),
        data=data,
        meta={"execution": execution(status, code, message)} if level else {},
    )


def response_outcome(response: object, is_shell: bool) -> "tuple[str, str | None, str]":
    """status, error code and error message of a tool's answer: an object as a hook is told it, or the text alone."""
    content = response
    if isinstance(response, dict):
        error = response.get("error")
        content = response.get("llmContent")
        if error:
            return _failed(error)
    text = content if isinstance(content, str) else message_of(content) if isinstance(content, (list, dict)) else ""
    return shell_outcome(text) if is_shell else ("ok", None, "")


def shell_outcome(text: str) -> "tuple[str, str | None, str]":
    """How a command ended, from what the model is told of it."""
    if text.startswith(_CANCELLED):
        return "interrupted", "interrupted", message_of(text)
    if text.startswith(_TIMED_OUT):
        return "error", "timeout", message_of(text)
    for line in reversed(text[-TAIL_CHARS:].split("\n")[-12:]):
        name, colon, value = line.partition(": ")
        if colon and name == "Exit Code":
            value = value.strip()
            number = int(value) if value.isascii() and value.lstrip("-").isdigit() and len(value) <= 11 else 0
            if number:
                return "error", f"exit:{number}", message_of(text)
            return "ok", None, ""
    return "ok", None, ""


def denied(message: str) -> bool:
    """Whether a person or a rule did not let a tool run."""
    return any(said in message[:200] for said in _NOT_ALLOWED)


def _failed(error: object) -> "tuple[str, str | None, str]":
    message = message_of(error)
    kind = error.get("type") if isinstance(error, dict) else None
    name = api_error_name(kind) if isinstance(kind, str) else None
    if denied(message) or name == "policy_violation":
        return "denied", None, message
    return "error", name or code_of(message), message


def _parts(tool_name: str | None, payload: "dict[str, object]") -> "list[str]":
    given, context = payload.get("tool_input"), payload.get("mcp_context")
    if tool_name == SHELL:
        command = given.get("command") if isinstance(given, dict) else None
        return [tool_name, *command_parts(command)] if isinstance(command, str) else [tool_name]
    if isinstance(context, dict):
        server, tool = plain(context.get("server_name")), plain(context.get("tool_name"))
        if server and tool:
            return ["mcp", server, tool]
    return tool_parts(tool_name)
