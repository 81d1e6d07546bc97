"""What GitHub Copilot CLI keeps of its sessions → Events.

    ~/.copilot/session-state/<session>/events.jsonl  {"type": "tool.execution_start", "data": {…}, "id", "parentId", …}
    ~/.copilot/session-state/<session>.jsonl         the same, before 0.0.378
    ~/.copilot/history-session-state/session_….json  {"sessionId", "startTime", "chatMessages": […], …}, before 0.0.342

Sources: github/copilot-sdk, docs/features/streaming-events.md (the envelope, and each event's `data`),
docs/features/session-persistence.md (the folder) and nodejs/src/generated/session-events.ts. `context` and
`copilotVersion` of `session.start`, the names of files and the oldest form stand in no documentation; they are as
several public readers of these files have them (samples in the tests).

What each becomes stands in docs/events.md, and a test reads that table.
"""

from collections.abc import Iterator

from eyelet_ingest.events import Event
from eyelet_ingest.sources.claude_hooks import UNKNOWN, execution
from eyelet_ingest.sources.copilot_hooks import AGENT, SHELLS, text_outcome
from eyelet_ingest.sources.failure import api_error_name, code_of, message_of
from eyelet_ingest.sources.reader import Reader, Record
from eyelet_ingest.sources.src import src, tool_parts
from eyelet_ingest.sources.text import PATH_MAX_CHARS, duration_ms, optional, plain
from eyelet_ingest.sources.times import of_payload, payload_time_us

OLD_CONTAINER = "chatMessages"
TOOLS_REMEMBERED = 10_000  # calls of a file whose answer may still come
CALLS_MOST = 100
UUID_CHARS = 36

_LEVELS = {"error": "error", "interrupted": "warn", "denied": "warn"}
_ROLES = {"user.message": "user", "assistant.message": "assistant", "user": "user", "assistant": "assistant"}


def recognises(record: Record) -> bool:
    """An event of a session, or what `apart` makes of a session of before."""
    if "parentId" in record and isinstance(record.get("data"), dict):
        return isinstance(record.get("type"), str)
    return "chatMessage" in record and "sessionId" in record


def apart(value: Record) -> "Iterator[object] | None":
    """Each message of a session in one object, as a record; then what else the object says. None: it is no session."""
    messages = value.get(OLD_CONTAINER)
    return _messages(value, messages) if isinstance(messages, list) and "sessionId" in value else None


class Session(Reader):
    """The events of one file. Its folder and version, and the tool of a call, are said once."""

    def __init__(self) -> None:
        self._tools: dict[str, str] = {}
        self._asked: dict[str, str] = {}  # the calls that leave was asked for, by the request
        self._cwd: str | None = None
        self._branch = self._version = ""

    def time_us(self, record: Record) -> int | None:
        return payload_time_us(record.get("startTime")) if "chatMessage" in record else of_payload(record)

    def uuid(self, record: Record) -> "tuple[str, str] | None":
        found = record.get("id")
        is_one = isinstance(found, str) and len(found) == UUID_CHARS and found.count("-") == 4
        return (AGENT, str(found)) if is_one and "parentId" in record else None

    def event(self, record: Record, text: str) -> Event:
        if "chatMessage" in record:
            return _old_event(record, text)
        kind = plain(record.get("type")) or UNKNOWN
        data = _object(record.get("data"))
        self._note_context(data)
        tool_name, use_id, several = self._call(kind, data)
        status, code, said = _outcome(kind, data, tool_name)
        meta: Record = {} if status in ("ok", "pending") else {"execution": execution(status, code, said)}
        for name, inner, value in (("git", "branch", self._branch), ("agent", "version", self._version)):
            if value:
                meta[name] = {inner: value}
        if several:
            meta["calls"] = several
        return Event(
            hook_type=kind,
            session_id=plain(data.get("sessionId")),
            tool_name=tool_name,
            tool_use_id=use_id,
            status=status,
            src=src(AGENT, "transcript", kind, *tool_parts(tool_name)),
            loglevel=_LEVELS.get(status) or ("debug" if record.get("ephemeral") is True else "info"),
            error=int(status == "error"),
            origin="transcript",
            agent=AGENT,
            agent_id=optional(record.get("agentId")),
            role=_ROLES.get(kind) or (optional(data.get("role")) if kind == "system.message" else None),
            model=_text(data.get("model")) or _text(data.get("selectedModel")) or _text(data.get("currentModel")),
            duration_ms=duration_ms(data.get("durationMs", data.get("duration"))),
            project_dir=self._cwd,
            data=text,
            meta=meta,
        )

    def _note_context(self, data: Record) -> None:
        context = data.get("context")
        for said in (data, context if isinstance(context, dict) else {}):
            self._cwd = optional(said.get("cwd"), PATH_MAX_CHARS) or self._cwd
            self._branch = plain(said.get("branch")) or self._branch
        self._version = plain(data.get("copilotVersion")) or self._version

    def _call(self, kind: str, data: Record) -> "tuple[str | None, str | None, list[Record]]":
        """Tool and identifier of the call that the event is of, the first of several, and what `meta.calls` says."""
        get = data.get
        if kind == "assistant.message":
            return self._requests(get("toolRequests"))
        if kind == "permission.requested":
            asked = _object(get("permissionRequest"))
            use_id = optional(asked.get("toolCallId"))
            _remember(self._asked, plain(get("requestId")), use_id)
            return self._tools.get(use_id or ""), use_id, []
        if kind == "permission.completed":  # what was allowed answers nothing yet
            use_id = self._asked.get(plain(get("requestId"))) if _is_denied(data) else None
            return self._tools.get(use_id or ""), use_id, []
        if not kind.startswith("tool."):
            return None, None, []
        use_id = optional(get("toolCallId"))
        name = optional(get("toolName"))
        if name and use_id:
            _remember(self._tools, use_id, name)
        is_of_call = kind in ("tool.execution_start", "tool.execution_complete", "tool.user_requested")
        return name or self._tools.get(use_id or ""), use_id if is_of_call else None, []

    def _requests(self, requests: object) -> "tuple[str | None, str | None, list[Record]]":
        found: list[Record] = []
        for request in requests if isinstance(requests, list) else ():
            if isinstance(request, dict):
                name, use_id = optional(request.get("name")), optional(request.get("toolCallId"))
                if name and use_id:
                    _remember(self._tools, use_id, name)
                found.append({"id": use_id, "tool": name, "phase": "question", "status": "ok"})
        if not found:
            return None, None, []
        first = found[0]
        return optional(first["tool"]), optional(first["id"]), found[:CALLS_MOST] if len(found) > 1 else []


def _outcome(kind: str, data: Record, tool_name: str | None) -> "tuple[str, str | None, str]":
    """status, error code and error message."""
    if kind in ("tool.execution_start", "tool.user_requested"):
        return "pending", None, ""
    if kind == "tool.execution_complete":
        return _answer(data, tool_name)
    if kind == "permission.completed":
        return ("denied", None, "") if _is_denied(data) else ("ok", None, "")
    if kind == "abort":
        return "interrupted", "interrupted", message_of(data.get("reason"))
    if kind == "session.error":
        text, number = message_of(data), data.get("statusCode")
        http = f"http:{number}" if type(number) is int and 400 <= number < 600 else None
        return "error", code_of(text) or api_error_name(data.get("errorType")) or http, text
    if kind.endswith(".failed") or data.get("success") is False or data.get("shutdownType") == "error":
        text = message_of(data.get("error")) or message_of(data.get("errorReason"))
        return "error", code_of(text), text
    return "ok", None, ""


def _answer(data: Record, tool_name: str | None) -> "tuple[str, str | None, str]":
    if data.get("success") is False:
        error = data.get("error")
        text = message_of(error) or message_of(data.get("result"))
        named = api_error_name(_object(error).get("code"))
        if named in ("denied", "rejected") or text.startswith("Denied by"):
            return "denied", None, text
        return "error", code_of(text) or named, text
    content = _object(data.get("result")).get("content")
    return text_outcome(content) if isinstance(content, str) and tool_name in SHELLS else ("ok", None, "")


def _is_denied(data: Record) -> bool:
    return plain(_object(data.get("result")).get("kind")).startswith("denied")


def _messages(whole: Record, messages: "list[object]") -> "Iterator[object]":
    named: Record = {name: whole[name] for name in ("sessionId", "startTime") if name in whole}
    for at, message in enumerate(messages):
        yield named | {"position": at, "chatMessage": message}
    rest = {name: value for name, value in whole.items() if name not in (OLD_CONTAINER, *named)}
    if rest:
        yield named | {"chatMessage": None, "rest": rest}


def _old_event(record: Record, text: str) -> Event:
    """A message of a session of before: in the shape of OpenAI's, which says of no tool how it fared."""
    message = _object(record.get("chatMessage"))
    kind = plain(message.get("role")) or ("session" if "rest" in record else UNKNOWN)
    calls = message.get("tool_calls")
    first = _object(calls[0]) if isinstance(calls, list) and calls else {}
    tool_name = optional(_object(first.get("function")).get("name"))
    return Event(
        hook_type=kind,
        session_id=plain(record.get("sessionId")),
        tool_name=tool_name,
        tool_use_id=optional(message.get("tool_call_id")) or optional(first.get("id")),
        src=src(AGENT, "transcript", kind, *tool_parts(tool_name)),
        origin="transcript",
        agent=AGENT,
        role=optional(message.get("role")),
        data=text,
    )


def _remember(known: "dict[str, str]", key: str, value: str | None) -> None:
    if key and value:
        if len(known) >= TOOLS_REMEMBERED:
            del known[next(iter(known))]
        known[key] = value


def _text(value: object) -> str | None:
    return optional(value) if isinstance(value, str) else None


def _object(value: object) -> Record:
    return value if isinstance(value, dict) else {}
