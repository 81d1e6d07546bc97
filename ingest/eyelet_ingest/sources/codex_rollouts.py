"""What Codex keeps of a session on disk → Events: `~/.codex/sessions/YYYY/MM/DD/rollout-…-<thread>.jsonl`.

    {"timestamp": "2026-05-31T16:22:08.652Z", "type": "response_item", "payload": {"type": "function_call", …}}

`type` is session_meta, turn_context, response_item, event_msg, compacted or a newer one (openai/codex:
codex-rs/protocol/src/protocol.rs `RolloutLine`, `SessionMeta`, `EventMsg`, models.rs `ResponseItem`, items.rs, and
codex-rs/rollout/src/policy.rs for what is kept). Files of 2025 begin with {"id", "timestamp", "instructions"}, and
their items stand bare, without a time. A call and its answer have the same `call_id`; only the call names the tool.
Versions of late 2026 also write `item_completed` with the command that was run.

`~/.codex/history.jsonl` keeps the prompts of all sessions, {"session_id" or "conversation_id", "ts", "text"}: they
are `history`.

hook_type is the item's own type, of a line without one that of the line. Session, folder, version and branch are said
once, the model at each turn: what follows has them too. Of copies in a fork `codex_threads.py` says whose they are.
"""

from eyelet_ingest.events import Event
from eyelet_ingest.sources.claude_hooks import LEVELS, UNKNOWN, execution
from eyelet_ingest.sources.codex_hooks import AGENT
from eyelet_ingest.sources.codex_items import call_of, duration_of, outcome_of
from eyelet_ingest.sources.codex_threads import ANEW, Threads
from eyelet_ingest.sources.reader import Reader, Record
from eyelet_ingest.sources.src import src, tool_parts
from eyelet_ingest.sources.text import PATH_MAX_CHARS, optional, plain
from eyelet_ingest.sources.times import of_payload

TOOLS_REMEMBERED = 10_000  # calls of a file whose answer may still come

LINES = frozenset(("session_meta", "turn_context", "response_item", "event_msg", "compacted"))
# Items that stand bare in old files; none is a type of Claude Code's.
ITEMS = frozenset(
    (
        *(
            "message",
            "reasoning",
            "function_call",
            "function_call_output",
            "local_shell_call",
            "local_shell_call_output",
        ),
        *("custom_tool_call", "custom_tool_call_output", "web_search_call", "ghost_snapshot"),
    )
)
_WRAPPED = ("response_item", "event_msg")  # lines whose payload has a type of its own
_OF_PROMPTS = frozenset(("session_id", "conversation_id"))
_DEBUG = frozenset(("token_count", "turn_context", "session_state", "state", "world_state"))
_WARNS = frozenset(("warning", "stream_error", "deprecation_notice", "model_reroute"))
_ASKS = frozenset(("function_call", "custom_tool_call", "local_shell_call", "tool_search_call"))


def recognises(record: Record) -> bool:
    """Whether a record of unknown origin is a line of a rollout."""
    kind = record.get("type")
    if isinstance(kind, str):
        if isinstance(record.get("payload"), dict):
            return kind in LINES
        return kind in ITEMS and "uuid" not in record and "sessionId" not in record
    return record.get("record_type") == "state" or _is_old_head(record) or _is_prompt(record)


class Rollout(Reader):
    """The lines of one file: what the first says holds for all, and an answer's tool is known from its call."""

    def __init__(self) -> None:
        self._tools: dict[str, str] = {}
        self._threads = Threads()
        self._folder: str | None = None
        self._model: str | None = None

    def event(self, record: Record, text: str) -> Event:
        payload = record.get("payload")
        item = payload if isinstance(payload, dict) else record
        line = plain(record.get("type"))
        session = self._follow(line, record, item)
        if _is_prompt(record):
            session, line = plain(record.get("session_id", record.get("conversation_id"))), "history"
        inner = plain(item.get("type")) if line in _WRAPPED else ""
        kind = inner or line or plain(record.get("record_type")) or ("session_meta" if "id" in record else UNKNOWN)
        tool_name, tool_use_id = self._call(kind, item)
        is_copy = self._threads.how == ANEW
        status, code, message = ("ok", None, "") if is_copy else outcome_of(kind, item)
        level = LEVELS.get(status) or ("debug" if kind in _DEBUG else "warn" if kind in _WARNS else "info")
        return Event(
            hook_type=kind,
            session_id=session,
            tool_name=tool_name,
            tool_use_id=None if is_copy else tool_use_id,
            status=status,
            src=src(AGENT, "transcript", kind, *tool_parts(tool_name)),
            loglevel="debug" if is_copy else level,
            error=1 if status == "error" else 0,
            origin="transcript",
            agent=AGENT,
            agent_id=self._threads.now.agent_id,
            role=optional(item.get("role")) or ("assistant" if kind in _ASKS or kind.endswith("_begin") else None),
            model=self._model,
            duration_ms=duration_of(item),
            project_dir=self._folder,
            data=text,
            meta=self._meta(kind, tool_name, tool_use_id, (status, code, message)),
        )

    def _meta(
        self, kind: str, tool_name: str | None, use_id: str | None, how: "tuple[str, str | None, str]"
    ) -> "dict[str, object]":
        meta: dict[str, object] = {}
        threads, thread = self._threads, self._threads.now
        if how[0] != "ok":
            meta["execution"] = execution(*how)
        if thread.branch:
            meta["git"] = {"branch": thread.branch}
        if thread.version:
            meta["agent"] = {"version": thread.version}
        if threads.how == ANEW:
            meta["copied"] = True
        elif kind == "web_search_call" and use_id:  # the search that was made, and that it was: nothing answers it
            meta["calls"] = [{"id": use_id, "tool": tool_name, "phase": "answer", "status": how[0]}]
        return meta

    def _follow(self, line: str, record: Record, item: Record) -> str:
        """The line's session; what it says of those that follow is remembered."""
        threads = self._threads
        time_us = of_payload(record)
        if line == "session_meta" or _is_old_head(record):
            threads.head(item, time_us)
            self._folder = threads.now.folder or self._folder
        else:
            threads.line(time_us)
        if line == "turn_context":
            model = item.get("model")
            self._model = optional(model) if isinstance(model, str) else self._model
            self._folder = optional(item.get("cwd"), PATH_MAX_CHARS) or self._folder
        return threads.now.session

    def _call(self, kind: str, item: Record) -> "tuple[str | None, str | None]":
        tool_name, use_id = call_of(kind, item)
        if use_id and tool_name:
            if len(self._tools) >= TOOLS_REMEMBERED:
                del self._tools[next(iter(self._tools))]
            # A call names its tool as the model knows it; what comes later may only say of what kind it was.
            tool_name = self._tools.setdefault(use_id, tool_name)
        elif use_id:
            tool_name = self._tools.get(use_id)
        return tool_name, use_id


def _is_old_head(record: Record) -> bool:
    return "instructions" in record and "id" in record and "timestamp" in record and "type" not in record


def _is_prompt(record: Record) -> bool:
    """Whether it is a line of `~/.codex/history.jsonl` (codex-rs/core/src/message_history.rs)."""
    return len(record) == 3 and "ts" in record and "text" in record and not _OF_PROMPTS.isdisjoint(record)
