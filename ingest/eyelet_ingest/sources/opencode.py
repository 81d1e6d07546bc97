"""What OpenCode keeps of its sessions → Events: each message, and each part of one (text, tool call, step, …), is one.

Rows of `message` and `part` in `opencode.db`, whose `data` is JSON without the identifiers that stand in columns:

    session(id, parent_id, directory, version, …)   message(id, session_id, time_created, time_updated, data)
    part(id, message_id, session_id, time_created, time_updated, data)

since its second form session_message(id, session_id, type, …, data), a message with all its parts in one row, and the
files that it had before, `storage/message/<session>/<message>.json` and `storage/part/<message>/<part>.json`. A
record is the same from both: `{"id", "sessionID", "messageID", …data}`, as OpenCode itself puts it together.

Sources: anomalyco/opencode (before: sst/opencode), packages/opencode/src: session/session.sql.ts (the tables),
session/message-v2.ts (what `data` holds: roles, parts, the states of a tool, errors), storage/json-migration.ts (the
folder; a part that was brought over has the time of that as its `time_created`), id/id.ts (the time in an identifier);
packages/core/src/session: sql.ts and message.ts (the second form).

What each becomes stands in docs/events.md, and a test reads that table.
"""

from collections.abc import Mapping

from eyelet_ingest.events import Event
from eyelet_ingest.sources.claude_hooks import UNKNOWN, execution
from eyelet_ingest.sources.failure import api_error_name, code_of, message_of
from eyelet_ingest.sources.reader import Reader, Record
from eyelet_ingest.sources.src import src, tool_parts
from eyelet_ingest.sources.text import PATH_MAX_CHARS, duration_ms, optional, plain
from eyelet_ingest.sources.times import payload_time_us

AGENT = "opencode"
UNFINISHED_US = 3_600 * 1_000_000  # what was not touched for so long is not being written any more
DAY_US = 86_400 * 1_000_000

_COLUMNS = {"id": "id", "sessionID": "session_id", "messageID": "message_id", "type": "type"}
_LEVELS = {"error": "error", "interrupted": "warn", "denied": "warn"}
_ROLES = ("user", "assistant", "system")
CALLS_MOST = 100  # of one message
_QUIET = frozenset(("step-start", "step-finish", "snapshot", "patch"))
_REJECTED = "The user rejected permission"  # permission/index.ts: RejectedError
_ABORTED = ("Tool execution aborted", "Aborted")  # session/processor.ts
_ERA_MS = 2**36  # an identifier has the lower 48 bits of 4,096 times the milliseconds
_ID_CHARS = 26
_HEX = frozenset("0123456789abcdef")


def is_part(record: Record) -> bool:
    return "messageID" in record and "type" in record and "sessionID" in record


def is_message(record: Record) -> bool:
    """A message, by what no other agent's record has together."""
    identifier = record.get("id")
    named = isinstance(identifier, str) and identifier.startswith("msg_")
    return "role" in record and "sessionID" in record and isinstance(record.get("time"), dict) and named


def recognises(record: Record) -> bool:
    return is_part(record) or is_message(record)


def of_row(row: "Mapping[str, object]", data: Record) -> Record:
    """The record of a row: what stands in columns, then all that `data` says."""
    named: Record = {name: _as_text(row[column]) for name, column in _COLUMNS.items() if column in row}
    return named | {name: value for name, value in data.items() if name not in named}


def name_of(record: Record) -> str | None:
    """By what the record is known wherever it lies, None where it has no identifier. A row is written again while its
    tool runs or its text grows: finished it is another record than unfinished."""
    identifier = plain(record.get("id"))
    if not identifier:
        return None
    return identifier if is_finished(record) else f"{identifier}:unfinished"


def is_finished(record: Record) -> bool:
    """Whether nothing more is to come: a tool has answered, a text has ended, an answer is complete or has failed."""
    if not is_part(record):
        is_answer = "assistant" in (record.get("role"), record.get("type"))
        return not is_answer or "completed" in _time(record) or bool(record.get("error"))
    if record.get("type") == "tool":
        return _object(record.get("state")).get("status") not in ("pending", "running")
    return "start" not in _time(record) or "end" in _time(record)


def is_awaited(record: Record, updated_us: int | None, now_us: int) -> bool:
    """Whether it is being written just now, so that the next import will find all of it. A tool's call is not waited
    for: that it was asked for is an event of its own."""
    if is_finished(record) or record.get("type") == "tool" or updated_us is None:
        return False
    return 0 <= now_us - updated_us < UNFINISHED_US


def time_us(record: Record, about_us: "tuple[int | None, ...]" = ()) -> int | None:
    """When it began, in microseconds; None where nothing says. `about_us` are times near which it must be, so that the
    time in its identifier, which begins anew every 795 days, may be believed; one that is said by nobody is not."""
    own = _object(_object(record.get("state")).get("time")) if record.get("type") == "tool" else {}
    for holder, name in ((_time(record), "created"), (_time(record), "start"), (own, "start")):
        found = payload_time_us(holder.get(name))
        if found is not None:
            return found
    for near in about_us:
        found = None if near is None else _id_time_us(record, near)
        if found is not None and near is not None and abs(found - near) < DAY_US:
            return found
    return None


def normalise(record: Record, data: str, message: "Record | None" = None, session: "Record | None" = None) -> Event:
    """The event of a redacted message or part, and its JSON text. `message` is a part's message, `session` the row of
    the session; what they say and the record does not, counts. The time and the uid are the caller's to set."""
    get = record.get
    whole, of = message or {}, session or {}
    is_whole = "role" not in record and "messageID" not in record  # the second form
    kind = plain(get("role") if "role" in record and not is_part(record) else get("type")) or UNKNOWN
    is_tool = kind == "tool"
    calls = _calls(get("content")) if is_whole else []
    first = calls[0] if calls else {}
    tool_name = optional(get("tool")) if is_tool else optional(first.get("tool"))
    status, code, text = _outcome(kind, record)
    path = _object(whole.get("path") or get("path"))
    return Event(
        hook_type=kind,
        session_id=plain(get("sessionID")),
        tool_name=tool_name,
        tool_use_id=optional(get("callID")) if is_tool else optional(first.get("id")),
        status=status,
        src=src(AGENT, "transcript", kind, *tool_parts(tool_name)),
        loglevel=_LEVELS.get(status) or ("debug" if kind in _QUIET else "info"),
        error=int(status == "error"),
        origin="transcript",
        agent=AGENT,
        agent_id=optional(get("sessionID")) if optional(of.get("parent_id")) else None,
        # The row of a call is its answer as well: it has no role, as nobody said it.
        role=None if is_tool else optional(kind if is_whole and kind in _ROLES else whole.get("role") or get("role")),
        model=_model(record) or _model(whole),
        duration_ms=_duration_ms(record),
        project_dir=optional(path.get("cwd"), PATH_MAX_CHARS) or optional(of.get("directory"), PATH_MAX_CHARS),
        data=data,
        meta=_meta((status, code, text), plain(of.get("version")), calls),
    )


class Loose(Reader):
    """Messages and parts that lie in files of their own, without what stands beside them."""

    def time_us(self, record: Record) -> int | None:
        return time_us(record)

    def uuid(self, record: Record) -> "tuple[str, str] | None":
        name = name_of(record)
        return (AGENT, name) if name else None

    def event(self, record: Record, text: str) -> Event:
        return normalise(record, text)


def _outcome(kind: str, record: Record) -> "tuple[str, str | None, str]":
    """status, error code and error message."""
    if kind == "tool":
        return _tool_outcome(_object(record.get("state")))
    error = record.get("error")
    if not isinstance(error, dict) or kind not in ("assistant", "retry"):
        return "ok", None, ""
    inner = _object(error.get("data"))
    text = message_of(inner) or message_of(error)
    name = plain(error.get("name"))
    if name == "MessageAbortedError":
        return "interrupted", "interrupted", text
    number = inner.get("statusCode")
    http = f"http:{number}" if type(number) is int and 400 <= number < 600 else None
    return "error", code_of(text) or http or api_error_name(name), text


def _meta(outcome: "tuple[str, str | None, str]", version: str, calls: "list[Record]") -> Record:
    meta: Record = {} if outcome[0] in ("ok", "pending") else {"execution": execution(*outcome)}
    if version:
        meta["agent"] = {"version": version}
    return meta | ({"calls": calls} if calls else {})


def _calls(content: object) -> "list[Record]":
    """What `meta.calls` says of each call of a message that has all its parts in it."""
    found: list[Record] = []
    for one in content if isinstance(content, list) else ():
        if not isinstance(one, dict) or one.get("type") != "tool":
            continue
        status, code, _ = _tool_outcome(_object(one.get("state")))
        call: Record = {"id": optional(one.get("id")), "tool": optional(one.get("name")), "status": status}
        call["phase"] = "question" if status == "pending" else "answer"
        found.append(call | ({"error_code": code} if code else {}))
    return found[:CALLS_MOST]


def _tool_outcome(state: Record) -> "tuple[str, str | None, str]":
    status = state.get("status")
    if status in ("pending", "running"):
        return "pending", None, ""
    metadata = _object(state.get("metadata"))
    if status == "error":
        text = message_of(state.get("error"))
        if text.startswith(_REJECTED):
            return "denied", None, text
        if metadata.get("interrupted") is True or text.startswith(_ABORTED):
            return "interrupted", "interrupted", text
        return "error", code_of(text), text
    number = metadata.get("exit")  # of the tool `bash`
    if type(number) is int and number and -(2**31) <= number < 2**32:
        return "error", f"exit:{number}", message_of(state.get("output"))
    return "ok", None, ""


def _duration_ms(record: Record) -> float | None:
    times = _time(record) if record.get("type") != "tool" else _object(_object(record.get("state")).get("time"))
    begun, ended = times.get("start", times.get("created")), times.get("end", times.get("completed"))
    if isinstance(begun, bool) or isinstance(ended, bool):
        return None
    if not isinstance(begun, int | float) or not isinstance(ended, int | float):
        return None
    return duration_ms(ended - begun) if abs(begun) < 1e15 and abs(ended) < 1e15 else None


def _model(record: Record) -> str | None:
    """An assistant names its model, a user the one that was asked."""
    model = _object(record.get("model"))
    found = record.get("modelID", model.get("modelID", model.get("id")))
    return optional(found) if isinstance(found, str) else None


def _id_time_us(record: Record, near_us: int) -> int | None:
    """The time in an identifier such as `prt_<12 hexadecimal digits><14 others>`, in the era nearest to `near_us`."""
    text = plain(record.get("id")).partition("_")[2]
    if len(text) != _ID_CHARS or not _HEX.issuperset(text[:12]) or not text.isascii() or not text.isalnum():
        return None
    within_ms = int(text[:12], 16) >> 12
    near_ms = near_us // 1_000
    eras = round((near_ms - within_ms) / _ERA_MS)
    return (within_ms + eras * _ERA_MS) * 1_000


def _as_text(value: object) -> str:
    """A column that is an identifier: SQLite holds whatever is put there."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else plain(value)


def _time(record: Record) -> Record:
    return _object(record.get("time"))


def _object(value: object) -> Record:
    return value if isinstance(value, dict) else {}
