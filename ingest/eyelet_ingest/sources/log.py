"""A log event of any program → Event: `src`, `loglevel`, `error`, a time and a text, and whatever else it says.

The fields stand in docs/api.md. What is known must be of its kind, so that a mistake is told and not stored; what is
not known stays in the payload.
"""

from typing import Any

from eyelet_ingest.errors import BadInput
from eyelet_ingest.events import Event
from eyelet_ingest.sources.claude_hooks import execution
from eyelet_ingest.sources.failure import code_of, message_of
from eyelet_ingest.sources.src import src
from eyelet_ingest.sources.text import PATH_MAX_CHARS, SHORT_MAX_CHARS, duration_ms, optional, plain
from eyelet_ingest.sources.times import KEYS, payload_time_us

TYPE = "log"
TIMES = (*KEYS, "epoch")
NAMES = ("uid", "id")
CONTENT = ("content", "message", "msg", "text", "data")
STATUSES = ("ok", "error", "interrupted", "denied", "pending")

_LEVELS = {
    **dict.fromkeys(("trace", "debug", "verbose"), "debug"),
    **dict.fromkeys(("info", "information", "notice", ""), "info"),
    **dict.fromkeys(("warn", "warning"), "warn"),
    **dict.fromkeys(("error", "err", "fatal", "critical", "crit", "alert", "emergency", "emerg", "panic"), "error"),
}
# Numbers: those of syslog (0 emergency to 7 debug), and those of bunyan and pino (10 trace to 60 fatal).
_NUMBERS = {
    **dict.fromkeys((0, 1, 2, 3, 50, 60), "error"),
    **dict.fromkeys((4, 40), "warn"),
    **dict.fromkeys((5, 6, 30), "info"),
    **dict.fromkeys((7, 10, 20), "debug"),
}
UNKNOWN_LEVEL = "original_level"  # in `meta`: a level that is none of ours, as it was given


def normalise(payload: "dict[str, object]", data: str) -> Event:
    """The event of a redacted payload and its JSON text; BadInput, which names the field, for one that is not its kind.

    The time and the uid are the caller's to set.
    """
    level = _level(payload)
    failed, told = _error(payload, level)
    status = _status(payload, failed)
    meta: dict[str, object] = {}
    if failed:
        message = told or plain(content(payload), 2_000)
        meta["execution"] = execution(status, code_of(message), message_of(message))
    branch = _short(payload, "git_branch")
    if branch:
        meta["git"] = {"branch": branch}
    return Event(
        hook_type=_short(payload, "hook_type") or TYPE,
        session_id=_short(payload, "session_id") or "",
        tool_name=_short(payload, "tool_name"),
        tool_use_id=_short(payload, "tool_use_id"),
        status=status,
        src=dotted(_short(payload, "src", 1_000) or ""),
        loglevel=level or ("error" if failed else "info"),
        error=int(failed),
        origin="log",
        agent=_short(payload, "agent"),
        agent_id=_short(payload, "agent_id"),
        role=_short(payload, "role"),
        model=_short(payload, "model"),
        duration_ms=_duration_ms(payload),
        project_dir=_short(payload, "project_dir", PATH_MAX_CHARS),
        hostname=_short(payload, "hostname"),
        ip_address=_short(payload, "ip_address"),
        data=data,
        meta=meta,
    )


def event_of(data: str, *, src: str, level: object, failed: bool | None = None, told: str = "", **fields: Any) -> Event:
    """The event of a record that others wrote, `data` its JSON text: what is not known here is kept, never refused.

    `failed` is None where the record does not say; then the level does. `fields` are those of Event.
    """
    known = level_of(level)
    is_error = known == "error" if failed is None else failed
    meta: dict[str, object] = {}
    if known is None and plain(level, 60):
        meta[UNKNOWN_LEVEL] = plain(level, 60)
    if is_error:
        meta["execution"] = execution("error", code_of(told), message_of(told))
    event = Event(
        hook_type=fields.pop("hook_type", None) or TYPE,
        status="error" if is_error else "ok",
        src=dotted(src),
        loglevel=known or ("error" if is_error else "info"),
        error=int(is_error),
        origin="log",
        data=data,
        **fields,
    )
    event.meta = meta
    return event


def level_of(value: object) -> str | None:
    """The one of debug, info, warn and error that a name or a number of other programs means; None for no such."""
    text = plain(value, 60).strip().lower()
    if isinstance(value, bool) or not text:
        return None
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else None
    return _LEVELS.get(text) if number is None else _NUMBERS.get(number)


def dotted(given: str) -> str:
    """A src as somebody gave it, as it is stored."""
    return src(*given.split("."))


def content(payload: "dict[str, object]") -> object:
    """What the event says: the first of CONTENT that it has, None where it has none."""
    return next((payload[name] for name in CONTENT if payload.get(name) is not None), None)


def time_us(payload: "dict[str, object]") -> int | None:
    """The event's own time, None where it has none; BadInput for one that spells no time."""
    for name in TIMES:
        if payload.get(name) is not None:
            found = payload_time_us(payload[name])
            if found is None:
                raise _wrong(name, payload[name], "is no time: write ISO 8601 or an epoch")
            return found
    return None


def name_of(payload: "dict[str, object]") -> str:
    """The name that the caller gave the event, so that sending it again is sending the same; "" where it has none."""
    for name in NAMES:
        value = payload.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and plain(value):
            return plain(value)
    return ""


def _level(payload: "dict[str, object]") -> str | None:
    name = "loglevel" if payload.get("loglevel") is not None else "level"
    value = payload.get(name)
    if value is None:
        return None
    level = _LEVELS.get(value.strip().lower()) if isinstance(value, str) else None
    if level is None:
        raise _wrong(name, value, "is none of debug, info, warn, error")
    return level


def _error(payload: "dict[str, object]", level: str | None) -> "tuple[bool, str]":
    """Whether the event is a failure, and what it says of it."""
    value = payload.get("error")
    if value is None:
        return level == "error" or payload.get("status") == "error", ""
    if isinstance(value, bool) or value in (0, 1):
        return bool(value), ""
    if isinstance(value, str | dict):
        return bool(value), message_of(value)
    raise _wrong("error", value, "is neither true nor false nor what went wrong")


def _status(payload: "dict[str, object]", failed: bool) -> str:
    value = payload.get("status")
    if isinstance(value, str) and value in STATUSES:
        return value
    if value is not None:
        raise _wrong("status", value, f"is none of {', '.join(STATUSES)}")
    return "error" if failed else "ok"


def _short(payload: "dict[str, object]", name: str, most: int = SHORT_MAX_CHARS) -> str | None:
    value = payload.get(name)
    if isinstance(value, dict | list | bool):
        raise _wrong(name, value, "is no text")
    return optional(value, most)


def _duration_ms(payload: "dict[str, object]") -> float | None:
    value = payload.get("duration_ms")
    found = duration_ms(value)
    if value is not None and found is None:
        raise _wrong("duration_ms", value, "is no number of milliseconds")
    return found


def _wrong(name: str, value: object, reason: str) -> BadInput:
    shown = plain(value, 60)
    return BadInput(f"{name}: {shown!r} {reason}" if shown else f"{name}: {reason}")
