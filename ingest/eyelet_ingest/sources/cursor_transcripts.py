"""What Cursor keeps of a conversation → Events: `~/.cursor/projects/<project>/agent-transcripts/<id>/<id>.jsonl`.

    {"role": "user" | "assistant", "message": {"content": "text" or [{"type": "text" | "thinking" | "tool_use", …}]}}
    {"type": "turn_ended", "status": "success" | "aborted" | "error", "error": "…"}

There is no time, no identifier of a call, and hardly ever a tool's answer: what became of a call, Cursor's hooks know.
No documentation has the shape; it is as several public readers have it (getagentseal/codeburn,
docs/providers/cursor-agent.md: the folder; jazzyalex/agent-sessions, Resources/Fixtures/stage0/agents/cursor). The
session is the file's name.

What each becomes stands in docs/events.md, and a test reads that table.
"""

from eyelet_ingest.events import Event
from eyelet_ingest.sources.claude_hooks import LEVELS, UNKNOWN, execution
from eyelet_ingest.sources.cursor_hooks import AGENT
from eyelet_ingest.sources.failure import code_of, message_of
from eyelet_ingest.sources.reader import Reader, Record
from eyelet_ingest.sources.src import src, tool_parts
from eyelet_ingest.sources.text import optional, plain

TURN_ENDED = "turn_ended"
CALLS_MOST = 1_000  # of one message that `meta` names
_ROLES = frozenset(("user", "assistant", "system"))


def recognises(record: Record) -> bool:
    """A message, by what it lacks: others' have a type, or say whose they are. Or the end of a turn."""
    if record.get("type") == TURN_ENDED:
        return "status" in record
    message, role = record.get("message"), record.get("role")
    if "type" in record or not isinstance(message, dict) or not isinstance(role, str):
        return False
    return role in _ROLES and "content" in message


class Conversation(Reader):
    """The lines of one file."""

    def event(self, record: Record, text: str) -> Event:
        kind = plain(record.get("type")) or plain(record.get("role")) or UNKNOWN
        message = record.get("message")
        content = message.get("content") if isinstance(message, dict) else None
        calls = _calls(content)
        first = calls[0] if calls else {}
        tool_name = optional(first.get("tool"))
        status, code, said = _outcome(kind, record, content)
        meta: dict[str, object] = {"execution": execution(status, code, said)} if status != "ok" else {}
        if len(calls) > 1:
            meta["calls"] = calls
        role = record.get("role")
        return Event(
            hook_type=kind,
            session_id="",
            tool_name=tool_name,
            tool_use_id=optional(first.get("id")),
            status=status,
            src=src(AGENT, "transcript", kind, *tool_parts(tool_name)),
            loglevel=LEVELS.get(status) or "info",
            error=int(status == "error"),
            origin="transcript",
            agent=AGENT,
            role=optional(role) if isinstance(role, str) else None,
            data=text,
            meta=meta,
        )


def _calls(content: object) -> "list[dict[str, object]]":
    """What `meta.calls` says of each call and each answer in a message."""
    found: list[dict[str, object]] = []
    for block in content[:CALLS_MOST] if isinstance(content, list) else ():
        kind = block.get("type") if isinstance(block, dict) else None
        if kind == "tool_use":
            found.append({"id": optional(block.get("id")), "tool": optional(block.get("name")), "phase": "question"})
            found[-1]["status"] = "ok"
        elif kind == "tool_result":
            found.append({"id": optional(block.get("tool_use_id")), "tool": None, "phase": "answer"})
            found[-1]["status"] = "error" if block.get("is_error") is True else "ok"
    return found


def _outcome(kind: str, record: Record, content: object) -> "tuple[str, str | None, str]":
    """status, error code and error message."""
    if kind == TURN_ENDED:
        how, said = plain(record.get("status")), message_of(record.get("error"))
        if how == "aborted":
            return "interrupted", "interrupted", said
        return ("error", code_of(said), said) if how in ("error", "failed") else ("ok", None, "")
    for block in content if isinstance(content, list) else ():
        if isinstance(block, dict) and block.get("type") == "tool_result" and block.get("is_error") is True:
            said = message_of(block.get("content"))
            return "error", code_of(said), said
    return "ok", None, ""
