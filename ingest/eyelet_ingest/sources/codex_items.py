"""The items of a Codex rollout: which call they belong to, how it went, how long it took.

Their names are those of `ResponseItem` and `EventMsg` in openai/codex, codex-rs/protocol/src; `item_completed` holds
an item of items.rs (`CommandExecution`, `McpToolCall`, `FileChange`, …), whose names are also written in camelCase.
"""

from eyelet_ingest.sources import codex_output
from eyelet_ingest.sources.failure import api_error_name, code_of, message_of
from eyelet_ingest.sources.text import duration_ms, optional, plain

Item = dict[str, object]
Outcome = tuple[str, str | None, str]

OK: Outcome = ("ok", None, "")
_ANSWERS = frozenset(("function_call_output", "custom_tool_call_output", "local_shell_call_output"))
# Tools that an item is about without naming them.
_TOOLS = {
    "local_shell_call": "local_shell",
    "web_search_call": "web_search",
    "web_search_begin": "web_search",
    "web_search_end": "web_search",
    "tool_search_call": "tool_search",
    "image_generation_call": "image_generation",
    "image_generation_end": "image_generation",
    "view_image_tool_call": "view_image",
    "exec_command_begin": "exec_command",
    "exec_command_end": "exec_command",
    "patch_apply_begin": "apply_patch",
    "patch_apply_end": "apply_patch",
}
_COMPLETED = {
    "commandexecution": "exec_command",
    "filechange": "apply_patch",
    "websearch": "web_search",
    "imagegeneration": "image_generation",
    "imageview": "view_image",
}
_STATUSES = {"failed": "error", "error": "error", "declined": "denied", "incomplete": "error"}


def call_of(kind: str, item: Item) -> "tuple[str | None, str | None]":
    """Name and identifier of the tool's call that the item is, or belongs to."""
    if kind == "item_completed" or kind == "item_started":
        return _completed(item.get("item"))
    get = item.get
    use_id = optional(get("call_id")) or optional(get("callId"))
    if use_id is None and kind in _TOOLS:
        use_id = optional(get("id"))
    invocation = get("invocation")
    if isinstance(invocation, dict):
        return _mcp(invocation), use_id
    name = get("name") if kind.endswith("_call") else get("tool") if kind.startswith("dynamic_tool_call") else None
    if isinstance(name, str) and name:
        return _spelt(get("namespace"), name), use_id
    return _TOOLS.get(kind), use_id


def outcome_of(kind: str, item: Item) -> Outcome:
    """status, error code and error message."""
    get = item.get
    if kind in _ANSWERS:
        return codex_output.outcome(get("output"))
    if kind in ("exec_command_end", "patch_apply_end", "web_search_call", "dynamic_tool_call_response"):
        return _ended(item)
    if kind == "mcp_tool_call_end":
        return _mcp_result(get("result"))
    if kind == "item_completed":
        inner = get("item")
        return _ended(inner) if isinstance(inner, dict) else OK
    if kind == "error":
        error = get("error")  # of versions before `codex_error_info`
        message = message_of(get("message")) or message_of(error)
        named = error.get("kind") if isinstance(error, dict) else None
        return "error", _error_name(get("codex_error_info")) or _error_name(named) or code_of(message), message
    if kind == "turn_aborted":
        reason = plain(get("reason"))
        return ("interrupted", "interrupted", reason) if reason in ("", "interrupted") else OK
    if kind in ("sub_agent_run_end", "undo_completed") and get("success") is False:
        return "error", None, message_of(get("message"))
    return OK


def duration_of(item: Item) -> float | None:
    """How long it took in milliseconds, from a number, {"secs", "nanos"}, or an answer that says it."""
    inner = item.get("item")
    for holder in (item, inner) if isinstance(inner, dict) else (item,):
        for name in ("duration_ms", "durationMs"):
            if (found := duration_ms(holder.get(name))) is not None:
                return found
        took = holder.get("duration")
        if isinstance(took, dict):
            seconds, nanos = duration_ms(took.get("secs")), duration_ms(took.get("nanos"))
            if seconds is not None:
                return duration_ms(seconds * 1_000 + (nanos or 0) / 1_000_000)
    return codex_output.duration_ms(item["output"]) if "output" in item else None


def _completed(item: object) -> "tuple[str | None, str | None]":
    if not isinstance(item, dict):
        return None, None
    kind = plain(item.get("type")).replace("_", "").lower()
    use_id = optional(item.get("call_id")) or optional(item.get("id"))
    if kind == "mcptoolcall":
        return _mcp(item), use_id
    if kind == "dynamictoolcall":
        return optional(item.get("tool")), use_id
    tool_name = _COMPLETED.get(kind)
    return (tool_name, use_id) if tool_name else (None, None)


def _mcp(said: Item) -> str | None:
    server, tool = plain(said.get("server")), plain(said.get("tool"))
    return optional(f"mcp__{server}__{tool}") if server and tool else optional(tool or server)


def _spelt(namespace: object, name: str) -> str | None:
    """A tool's whole name: of one of a server with that before it, as older versions write it."""
    before = namespace if isinstance(namespace, str) else ""
    if before.startswith("mcp__") and not name.startswith("mcp__"):
        return optional(f"{before.rstrip('_')}__{name}")
    return optional(name)


def _ended(item: Item) -> Outcome:
    """Of what says itself how it ended: by a status, an exit code, whether it succeeded, or its result."""
    get = item.get
    said = plain(get("status")).lower()
    message = next(filter(None, (message_of(get(name)) for name in _TOLD)), "")
    if said == "declined":
        return "denied", None, message
    code = get("exit_code", get("exitCode"))
    if isinstance(code, int) and not isinstance(code, bool) and code and -(2**31) <= code < 2**32:
        if "rejected by user" in message[:100]:
            return "denied", None, message
        return "error", f"exit:{code}", message
    if said in _STATUSES or get("success") is False:
        return "error", code_of(message), message
    return _mcp_result(get("result")) if isinstance(get("result"), dict) else OK


_TOLD = ("stderr", "error", "aggregated_output", "aggregatedOutput", "formatted_output", "message")


def _mcp_result(result: object) -> Outcome:
    """{"Ok": {"content", "isError"}}, {"Err": "…"}, or the result itself."""
    if not isinstance(result, dict):
        return OK
    if "Err" in result:
        message = message_of(result["Err"])
        return "error", code_of(message), message
    inner = result.get("Ok", result)
    if isinstance(inner, dict) and (inner.get("isError") is True or inner.get("is_error") is True):
        message = message_of(inner)
        return "error", code_of(message), message
    return OK


def _error_name(info: object) -> str | None:
    """`usage_limit_exceeded`, or of {"response_stream_disconnected": {…}} the name."""
    if isinstance(info, dict) and len(info) == 1:
        info = next(iter(info))
    return api_error_name(info) if isinstance(info, str) else None
