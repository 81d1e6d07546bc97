"""Records of a Claude Code transcript → Events. The format is internal and drifts: any object is taken.

hook_type is the record's own type; what its status and src are stands in docs/events.md, and a test reads that table.
"""

import re

from eyelet_ingest.events import Event
from eyelet_ingest.sources.claude_hooks import AGENT, UNKNOWN, execution
from eyelet_ingest.sources.failure import INTERRUPTED, REJECTED, api_error_name, code_of, message_of
from eyelet_ingest.sources.reader import Reader, Record
from eyelet_ingest.sources.src import src, tool_parts
from eyelet_ingest.sources.text import PATH_MAX_CHARS, duration_ms, optional, plain

SYNTHETIC_MODEL = "<synthetic>"
CALLS_MOST = 1_000  # of one record that `meta` names
TOOLS_REMEMBERED = 10_000  # tool calls of a file whose answer may still come; an answer follows its call closely

# Fields of which a transcript's record has at least one.
MARKS = frozenset(
    ("uuid", "parentUuid", "logicalParentUuid", "sessionId", "leafUuid", "messageId", "isSidechain", "isSnapshotUpdate")
)
# Types that may come without any of them.
TYPES = frozenset(
    (
        *(
            "user",
            "assistant",
            "system",
            "attachment",
            "progress",
            "summary",
            "file-history-snapshot",
            "queue-operation",
        ),
        *("pr-link", "permission-mode", "last-prompt", "mode", "ai-title", "custom-title", "cost-state"),
    )
)
_NOTES = frozenset(("progress", "attachment"))  # what they tell of a call is no part of it
# What became of a hook, as an attachment says it.
_HOOKS = {
    "hook_non_blocking_error": "error",
    "hook_error_during_execution": "error",
    "hook_blocking_error": "denied",
    "hook_cancelled": "interrupted",
}
# Values of `toolDenialKind` that deny nothing; others are user-rejected, permission-rule, automode-blocked.
_STOPPED_KINDS = ("interrupted", "cancelled")
# What an answer begins with where a rule, a hook or the automatic mode denied the call, in versions without that field.
_DENIED = ("Permission for this action has been denied", "Hook PreToolUse:")
_BY_RULE = re.compile(r"Permission to use \S{1,200} has been denied|PreToolUse:\S{1,200} hook (?:blocking )?error")
_LEVELS = {"error": "error", "interrupted": "warn", "denied": "warn"}
_SYSTEM_LEVELS = {"error": "error", "warning": "warn", "warn": "warn", "debug": "debug"}


def is_record(record: "dict[str, object]") -> bool:
    """Whether a record of unknown origin belongs to a transcript."""
    if not MARKS.isdisjoint(record):
        return True
    kind = record.get("type")
    return isinstance(kind, str) and kind in TYPES and "payload" not in record


def record_uuid(record: "dict[str, object]") -> str | None:
    """The record's own identity, which a fork's copy of it keeps, or None."""
    uuid = record.get("uuid")
    return uuid if isinstance(uuid, str) and 0 < len(uuid) <= 200 else None


class Transcript(Reader):
    """The records of one file, in their order: an answer's tool is known from the call that came before it."""

    def __init__(self) -> None:
        self._tools: dict[str, str] = {}

    def uuid(self, record: Record) -> "tuple[str, str] | None":
        uuid = record_uuid(record)
        return None if uuid is None else (AGENT, uuid)

    def event(self, record: Record, text: str) -> Event:
        get = record.get
        kind = plain(get("type")) or UNKNOWN
        message = get("message")
        parts = message if isinstance(message, dict) else {}
        tool_name, tool_use_id, several = self._calls(parts.get("content"), get("toolDenialKind"))
        if kind in _NOTES:
            tool_use_id = self._noted(record)
        status, code, said = _outcome(kind, record, parts)
        model = parts.get("model")
        version, branch = plain(get("version")), plain(get("gitBranch"))
        meta: dict[str, object] = {}
        if status != "ok":
            meta["execution"] = execution(status, code, said)
        if branch:
            meta["git"] = {"branch": branch}
        if version:
            meta["agent"] = {"version": version}
        if several:
            meta["calls"] = several
        return Event(
            hook_type=kind,
            session_id=plain(get("sessionId")),
            tool_name=tool_name,
            tool_use_id=tool_use_id,
            status=status,
            src=src(AGENT, "transcript", kind, *tool_parts(tool_name)),
            loglevel=_level(kind, status, record),
            error=1 if status == "error" else 0,
            origin="transcript",
            agent=AGENT,
            agent_id=optional(get("agentId")) or _progress_agent(record),
            role=optional(parts.get("role")),
            model=optional(model) if isinstance(model, str) and model != SYNTHETIC_MODEL else None,
            duration_ms=_duration_ms(record),
            project_dir=optional(get("cwd"), PATH_MAX_CHARS),
            data=text,
            meta=meta,
        )

    def _calls(self, content: object, denial: object) -> "tuple[str | None, str | None, list[dict[str, object]]]":
        """Name and id of the first tool call of a message, or of the call that its first answer belongs to; and what
        `meta.calls` says of each where there are several."""
        found: list[dict[str, object]] = []
        for block in content if isinstance(content, list) else ():
            kind = block.get("type") if isinstance(block, dict) else None
            if kind == "tool_use":
                name, use_id = optional(block.get("name")), optional(block.get("id"))
                if name and use_id:
                    self._remember(use_id, name)
                one: dict[str, object] = {"id": use_id, "tool": name, "phase": "question", "status": "ok"}
            elif kind == "tool_result":
                use_id = optional(block.get("tool_use_id"))
                one = {"id": use_id, "tool": self._tools.get(use_id) if use_id else None, "phase": "answer"}
                one["status"], code, _ = _content_outcome([block], None, denial)
                if code:
                    one["error_code"] = code
            else:
                continue
            found.append(one)
        if not found:
            return None, None, []
        tool_name, tool_use_id = (optional(found[0][name]) for name in ("tool", "id"))
        return tool_name, tool_use_id, found[:CALLS_MOST] if len(found) > 1 else []

    def _noted(self, record: Record) -> str | None:
        """The call that progress or a hook's end is told of: one of this file's."""
        attached = record.get("attachment")
        for said in (
            record.get("toolUseID"),
            record.get("parentToolUseID"),
            attached.get("toolUseID") if isinstance(attached, dict) else None,
        ):
            if isinstance(said, str) and said in self._tools:
                return said
        return None

    def _remember(self, use_id: str, name: str) -> None:
        if len(self._tools) >= TOOLS_REMEMBERED:
            del self._tools[next(iter(self._tools))]
        self._tools[use_id] = name


def _outcome(kind: str, record: "dict[str, object]", message: "dict[str, object]") -> "tuple[str, str | None, str]":
    """status, error code and error message of a record."""
    if record.get("isApiErrorMessage") is True:
        text = message_of(message.get("content"))
        return "error", api_error_name(record.get("error")) or code_of(text) or "api_error", text
    if kind == "system":
        if record.get("level") != "error":
            return "ok", None, ""
        text = message_of(record.get("content")) or message_of(record.get("error"))
        return "error", api_error_name(record.get("error")) or code_of(text), text
    if kind == "attachment":
        return _hook_outcome(record.get("attachment"))
    if kind != "user":
        return "ok", None, ""
    return _content_outcome(message.get("content"), record.get("toolUseResult"), record.get("toolDenialKind"))


def _hook_outcome(attached: object) -> "tuple[str, str | None, str]":
    """Of what an attachment says of a hook that ran."""
    status = _HOOKS.get(plain(attached.get("type"))) if isinstance(attached, dict) else None
    if status is None or not isinstance(attached, dict):
        return "ok", None, ""
    said = attached.get("blockingError")
    text = message_of(said.get("blockingError") if isinstance(said, dict) else said) or message_of(attached)
    exit_code = attached.get("exitCode")
    if status == "error" and isinstance(exit_code, int) and exit_code and not isinstance(exit_code, bool):
        return status, f"exit:{str(exit_code)[:11]}" if exit_code.bit_length() < 64 else None, text
    return status, "interrupted" if status == "interrupted" else code_of(text) if status == "error" else None, text


def _content_outcome(content: object, result: object, denial: object) -> "tuple[str, str | None, str]":
    """Of what a `user` record holds: a tool's answer, or the note that the user has stopped it. `denial` is what the
    record says of why a call did not run, as versions since 2.1.205 do (the record says it, not the answer)."""
    if isinstance(content, str):
        return _stopped(content) or ("ok", None, "")
    for block in content if isinstance(content, list) else ():
        if not isinstance(block, dict):
            continue
        if block.get("type") == "tool_result" and _has_failed(block, result, denial):
            text = message_of(block.get("content"))
            return _refused(text, denial) or _stopped(text) or ("error", code_of(text), text)
        if block.get("type") == "text" and (stopped := _stopped(block.get("text"))):
            return stopped
    if isinstance(result, dict) and (result.get("interrupted") is True or result.get("wasInterrupted") is True):
        return "interrupted", "interrupted", message_of(result.get("stderr"))
    return "ok", None, ""


def _has_failed(block: Record, result: object, denial: object) -> bool:
    """Whether an answer is none: it says so itself, or where it says nothing, what stands beside it."""
    if "is_error" in block:
        return block["is_error"] is True
    return (isinstance(result, str) and result.startswith("Error: ")) or (isinstance(denial, str) and denial != "")


def _refused(text: str, denial: object) -> "tuple[str, str | None, str] | None":
    """Of a call that somebody or a rule did not let run; None where nothing tells of that."""
    if isinstance(denial, str) and denial:
        return ("interrupted", "interrupted", text) if denial in _STOPPED_KINDS else ("denied", None, text)
    return ("denied", None, text) if text.startswith(_DENIED) or _BY_RULE.match(text) else None


def _stopped(text: object) -> "tuple[str, str | None, str] | None":
    if not isinstance(text, str):
        return None
    if text.startswith(INTERRUPTED):
        return "interrupted", "interrupted", message_of(text)
    if text.startswith(REJECTED):
        return "denied", None, message_of(text)
    return None


def _progress_agent(record: Record) -> str | None:
    data = record.get("data")
    return optional(data.get("agentId")) if isinstance(data, dict) else None


def _level(kind: str, status: str, record: "dict[str, object]") -> str:
    if status != "ok":
        return _LEVELS[status]
    if kind == "progress":
        return "debug"
    level = record.get("level")
    return _SYSTEM_LEVELS.get(level, "info") if kind == "system" and isinstance(level, str) else "info"


def _duration_ms(record: "dict[str, object]") -> float | None:
    for holder, name in (
        (record, "durationMs"),
        (record.get("toolUseResult"), "durationMs"),
        (record.get("toolUseResult"), "totalDurationMs"),
        (record.get("attachment"), "durationMs"),
    ):
        if isinstance(holder, dict) and (found := duration_ms(holder.get(name))) is not None:
            return found
    return None
