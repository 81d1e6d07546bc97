"""What Gemini CLI keeps of a session on disk → Events: `~/.gemini/tmp/<project>/chats/session-….json` and `.jsonl`.

    {"sessionId", "projectHash", "startTime", "lastUpdated", "messages": [message, …]}      one object, written anew
    {"sessionId", "projectHash", "startTime", …} ⏎ message ⏎ {"$set": {…}} ⏎ {"$rewindTo": id} ⏎ …     since 2026
    message: {"id", "timestamp", "type": "user" | "gemini" | "info" | "warning" | "error", "content",
              "model", "tokens": {"input", "output", "cached", "thoughts", "tool", "total"},
              "toolCalls": [{"id", "name", "args", "result", "status", "timestamp"}]}

(google-gemini/gemini-cli, packages/core/src/services/chatRecordingTypes.ts and chatRecordingService.ts; the statuses of
calls: packages/core/src/scheduler/types.ts.) **A message is one event, known by its `id`, in its last form**: it is
written before its tokens and the answers of its tools are known, and again (in a .jsonl on a line of its own) when they
are. So the last one of a session that goes on waits for the next import where something of it is still missing. A line
that only says `lastUpdated` says nothing. Masked copies of old messages, which a long session writes, are no news.
Beside the chats, `logs.json` has what was typed: {"sessionId", "messageId", "type", "message", "timestamp"}
(packages/core/src/core/logger.ts).
"""

from collections.abc import Iterable, Iterator

from eyelet_ingest.events import Event
from eyelet_ingest.reading import Found
from eyelet_ingest.sources.claude_hooks import LEVELS, UNKNOWN, execution
from eyelet_ingest.sources.failure import code_of, message_of
from eyelet_ingest.sources.gemini_hooks import AGENT, SHELL, denied, shell_outcome
from eyelet_ingest.sources.reader import Reader, Record, part_of
from eyelet_ingest.sources.src import src, tool_parts
from eyelet_ingest.sources.text import optional, plain
from eyelet_ingest.sources.times import of_payload, payload_time_us

CALLS_MOST = 1_000  # of one message that `meta` names
UUID_CHARS = 16  # an identifier of at least so many is nobody else's; a shorter one is its session's only
TYPES = frozenset(("user", "gemini", "info", "warning", "error"))
_ROLES = {"user": "user", "gemini": "assistant"}
_DONE = frozenset(("success", "completed", "error", "failed", "cancelled"))
_OK = ("ok", None, "")


def recognises(record: Record) -> bool:
    """Whether a record of unknown origin is a line, or the whole, of a chat."""
    if is_head(record) or _is_log(record):
        return True
    if is_message(record):
        return len(plain(record["id"])) >= UUID_CHARS or record["type"] in _ROLES
    return isinstance(record.get("$set"), dict) or "$rewindTo" in record


def is_head(record: Record) -> bool:
    return "projectHash" in record and "sessionId" in record


def is_message(record: Record) -> bool:
    """Whether a record of a chat is a message; what is none of a chat may look so, too."""
    kind = record.get("type")
    name = record.get("id")
    is_ours = isinstance(kind, str) and kind in TYPES and isinstance(name, str) and name != ""
    return is_ours and "content" in record and "timestamp" in record and "uuid" not in record


def _is_log(record: Record) -> bool:
    """Whether it is an entry of `~/.gemini/tmp/<project>/logs.json`: what a person typed, in any session."""
    return isinstance(record.get("message"), str) and type(record.get("messageId")) is int and "sessionId" in record


def settled(found: Iterable[Found], is_growing: bool) -> Iterator[Found]:
    """The records of a chat as they are in the end: of a message's forms the last one, and of a whole session its
    messages. Where the file `is_growing`, a last message that lacks something is left for later.

    Records of anything else pass as they are.
    """
    held: Found | None = None
    for one in found:
        for part in _parts(one):
            value = part.value
            if value is None or not is_message(value):
                if held is not None and not (value is not None and "$set" in value):
                    yield held
                    held = None
                if value is not None and _says_nothing(value):
                    continue
                yield part
                continue
            if held is not None and held.value is not None and held.value.get("id") != value.get("id"):
                yield held
            held = part
    if held is not None and not (is_growing and held.value is not None and _lacks(held.value)):
        yield held


class Chat(Reader):
    """The records of one file. Its head, or a change of it, says which session the messages are of."""

    def __init__(self) -> None:
        self._session = ""
        self._is_sub = False
        self._of = ""  # the session before it is redacted: messages are known by it

    def time_us(self, record: Record) -> int | None:
        if is_message(record) or _is_log(record):
            return of_payload(record)
        change = record.get("$set")
        said = change if isinstance(change, dict) else record
        found = payload_time_us(said.get("startTime"))
        return payload_time_us(said.get("lastUpdated")) if found is None else found

    def uuid(self, record: Record) -> "tuple[str, str] | None":
        name = record.get("id") if is_message(record) else None
        if isinstance(name, str) and len(name) <= 200:
            if len(name) >= UUID_CHARS:
                return AGENT, name
            return (AGENT, f"{self._of} {name}") if self._of else None
        change = record.get("$set")
        self._of = plain((change if isinstance(change, dict) else record).get("sessionId")) or self._of
        if is_head(record):
            return AGENT, f"{plain(record.get('sessionId'))} {plain(record.get('startTime'))}"
        return None

    def event(self, record: Record, text: str) -> Event:
        get = record.get
        change = get("$set")
        self._note_session(change if isinstance(change, dict) else record)
        kind, calls = _kind(record), _calls(record)
        status, code, message = _outcome(kind, record, calls)
        tool_name = optional(calls[0]["tool"]) if calls else None
        meta: dict[str, object] = {"execution": execution(status, code, message)} if status != "ok" else {}
        if calls:
            meta["calls"] = [{name: value for name, value in one.items() if name != "said"} for one in calls]
        model = get("model")
        return Event(
            hook_type=kind,
            session_id=self._session,
            tool_name=tool_name,
            tool_use_id=optional(calls[0]["id"]) if calls else None,
            status=status,
            src=src(AGENT, "transcript", kind, *tool_parts(tool_name)),
            loglevel=LEVELS.get(status) or ("warn" if kind == "warning" else "debug" if kind == "set" else "info"),
            error=1 if status == "error" else 0,
            origin="transcript",
            agent=AGENT,
            agent_id=self._session if self._is_sub else None,
            role=_ROLES.get(kind),
            model=optional(model) if isinstance(model, str) else None,
            data=text,
            meta=meta,
        )

    def _note_session(self, said: Record) -> None:
        session = plain(said.get("sessionId"))
        if session:
            self._session = session
        if "kind" in said:
            self._is_sub = said["kind"] == "subagent"


def _parts(one: Found) -> Iterator[Found]:
    """A whole session, or a change that brings its messages: the rest of it, then each message. Else the record."""
    value = one.value
    change = value.get("$set") if value is not None else None
    whole = change if isinstance(change, dict) else value
    if value is None or whole is None or not isinstance(whole.get("messages"), list) or not recognises(value):
        yield one
        return
    rest: Record = {name: inner for name, inner in whole.items() if name != "messages"}
    yield part_of(one, {"$set": rest} if whole is change else rest)
    messages = whole["messages"]
    for message in messages if isinstance(messages, list) else ():
        yield part_of(one, message)


def _says_nothing(record: Record) -> bool:
    change = record.get("$set")
    return isinstance(change, dict) and set(change) <= {"lastUpdated"} and len(record) == 1


def _lacks(message: Record) -> bool:
    """Whether tokens or an answer of a tool are still to come."""
    if message.get("type") != "gemini":
        return False
    calls = message.get("toolCalls")
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, dict) and plain(call.get("status")) not in _DONE:
            return True
    return not message.get("tokens")


def _kind(record: Record) -> str:
    if "$set" in record:
        return "set"
    if "$rewindTo" in record:
        return "rewind"
    kind = plain(record.get("type"))
    return kind or ("session" if is_head(record) else UNKNOWN)


def _calls(record: Record) -> "list[dict[str, object]]":
    """What `meta.calls` says of the calls of a message, each with what it `said`."""
    found: list[dict[str, object]] = []
    calls = record.get("toolCalls")
    for call in calls[:CALLS_MOST] if isinstance(calls, list) else ():
        if not isinstance(call, dict):
            continue
        status, code, message = _of_call(call)
        phase = "question" if status == "pending" else "answer"
        one: dict[str, object] = {
            "id": optional(call.get("id")),
            "tool": optional(call.get("name")),
            "phase": phase,
            "status": status,
            "said": message,
        }
        if code:
            one["error_code"] = code
        found.append(one)
    return found


def _of_call(call: Record) -> "tuple[str, str | None, str]":
    status = plain(call.get("status"))
    said = _answer(call.get("result"))
    if status in ("success", "completed"):
        return shell_outcome(said) if call.get("name") == SHELL else _OK
    if status in ("error", "failed"):
        message = message_of(said) or message_of(call.get("resultDisplay"))
        return ("denied", None, message) if denied(message) else ("error", code_of(message), message)
    if status == "cancelled":
        message = message_of(said)
        return ("denied", None, message) if denied(message) else ("interrupted", "interrupted", message)
    return "pending", None, ""


def _answer(result: object) -> str:
    """The text of what a tool answered: [{"functionResponse": {"response": {"output" or "error": text}}}]."""
    for part in result[:20] if isinstance(result, list) else (result,):
        if isinstance(part, str):
            return part
        answered = part.get("functionResponse") if isinstance(part, dict) else None
        response = answered.get("response") if isinstance(answered, dict) else None
        said = response if isinstance(response, dict) else {}
        for text in (said.get("output"), said.get("error")):
            if isinstance(text, str) and text:
                return text
    return ""


def _outcome(kind: str, record: Record, calls: "list[dict[str, object]]") -> "tuple[str, str | None, str]":
    """Of a message with calls, that of the first which did not end well."""
    if kind == "error":
        message = message_of(record.get("content"))
        return "error", code_of(message), message
    for call in calls:
        if call["status"] != "ok":
            return plain(call["status"]), optional(call.get("error_code")), plain(call["said"], 500)
    return _OK
