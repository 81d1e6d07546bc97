"""What a session does now, or waits for, as far as its latest events tell; and what it was begun for. Pure.

Takes rows as `store.sessions` gives them: newest first, `data` perhaps cut. What is told is recorded text.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eyelet_ingest import speech
from eyelet_ingest.synopsis import LENGTH, synopsis

Row = Mapping[str, object]

WORKING, WAITING, IDLE, SILENT, ENDED = "working", "waiting", "idle", "silent", "ended"
STATES = (WAITING, WORKING, IDLE, SILENT, ENDED)  # those first that may need somebody

SILENT_US = 15 * 60_000_000  # nothing was heard for so long: it was stopped, or thinks very long
RUNNING_US = 3_600_000_000  # the same while a call runs

# Events as each agent names them, in lower case (docs/events.md).
_ENDS = frozenset(("sessionend", "session.shutdown", "session_shutdown", "shutdown_complete"))
_RESTS = frozenset(
    (
        *("stop", "stopfailure", "afteragent", "agentstop", "agent-turn-complete", "task_complete", "turn_aborted"),
        *("session.idle", "turn_complete", "turn.completed", "abort", "teammateidle", "errorocurred", "session.error"),
    )
)
_QUESTIONS = frozenset(("askuserquestion", "exitplanmode", "request_user_input", "ask_user", "question"))
# What notifications say that ask something of a person, and those that only tell of an end.
_ASKING = ("permission", "elicitation", "approval", "needs your")
_RESTING = ("idle", "waiting for your input")
# What is written beside the work: it tells nothing of whether the work goes on.
_BESIDE = frozenset(
    (
        *("progress", "attachment", "system", "summary", "queue-operation", "file-history-snapshot", "last-prompt"),
        *("token_count", "turn_context", "session_meta", "messagedisplay", "configchange", "instructionsloaded"),
        *("filechanged", "setup", "history", "ai-title", "custom-title", "session", "usage", "assistant.usage"),
    )
)


@dataclass(frozen=True, slots=True)
class State:
    """`name` is one of STATES; `what` one line of what it is about, since `since_us`; `row` the event that says so."""

    name: str
    what: str
    since_us: int
    row: Row | None = None


def state_of(latest: Sequence[Row], last_us: int, now_us: int) -> State:
    """The state of a session with these latest events, newest first, the last of which was at `last_us`."""
    for at, row in enumerate(latest):
        kind = _kind(row)
        if kind in _BESIDE or row.get("origin") == "otlp":
            continue
        since_us = _time(row)
        if kind in _ENDS:
            return State(ENDED, synopsis(row), since_us, row)
        if kind in _RESTS and not row.get("agent_id"):
            return State(IDLE, synopsis(row), since_us, row)
        if kind == "notification" and not any(word in _words(row) for word in _ASKING):
            if any(word in _words(row) for word in _RESTING):
                last = _rest_before(latest[at:]) or row
                return State(IDLE, synopsis(last), _time(last), last)
            continue
        asked = _asked(latest[at:])
        if asked is not None:
            return State(WAITING, synopsis(asked), _time(asked), asked)
        return _working(row, now_us)
    return State(SILENT, "", last_us)


def failure_of(latest: Sequence[Row]) -> Row | None:
    """The newest of these events that failed."""
    return next((row for row in latest if row.get("error") == 1), None)


def prompt_of(prompts: Sequence[Row]) -> str:
    """What a session was begun for: the first of these events that a person wrote, in one line; "" where none was."""
    return next(filter(None, map(_prompt, prompts)), "")


def _prompt(row: Row) -> str:
    data = row.get("data")
    try:
        payload = json.loads(data) if isinstance(data, str) else None
    except (ValueError, RecursionError):
        payload = None  # cut: its beginning is read all the same
    if payload is None:
        text = synopsis(row)
        return "" if text == row.get("hook_type") or text.startswith("<") else text
    origin, kind, role = (str(row.get(name) or "") for name in ("origin", "hook_type", "role"))
    said = (
        " ".join(one.text[: LENGTH * 10].split())
        for one in speech.told(origin, kind, role, payload)
        if one.kind == speech.PROMPT
    )
    return next((line[:LENGTH] for line in said if line and not line.startswith("<")), "")


def _rest_before(latest: Sequence[Row]) -> Row | None:
    """The end of the turn that a notification tells of: it says what was answered."""
    return next((row for row in latest if _kind(row) in _RESTS and not row.get("agent_id")), None)


def _working(row: Row, now_us: int) -> State:
    runs = row.get("status") == "pending"
    silent = now_us - _time(row) > (RUNNING_US if runs else SILENT_US)
    return State(SILENT if silent else WORKING, synopsis(row), _time(row), row)


def _asked(latest: Sequence[Row]) -> Row | None:
    """The event that asks a person something, and after which its agent did nothing."""
    went_on: set[object] = set()
    for row in latest:
        kind, agent = _kind(row), row.get("agent_id")
        if kind in _BESIDE or row.get("origin") == "otlp" or agent in went_on:
            continue
        if kind == "notification":
            continue  # it tells of the request before it
        asks = ("permission" in kind and "request" in kind) or kind == "elicitation"
        if asks or (row.get("status") == "pending" and str(row.get("tool_name")).lower() in _QUESTIONS):
            return row
        went_on.add(agent)
    return next((row for row in latest[:1] if _kind(row) == "notification"), None)


def _kind(row: Row) -> str:
    return str(row.get("hook_type") or "").lower()


def _words(row: Row) -> str:
    """What a notification says, its type and its text, in lower case; of one that is cut nothing."""
    data = row.get("data")
    try:
        said = json.loads(data) if isinstance(data, str) else None
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        return ""
    return f"{said.get('notification_type') or ''} {said.get('message') or ''}".lower()


def _time(row: Row) -> int:
    return int(str(row.get("id")))
