"""What the original Eyelet recorded → Event: an envelope around a payload, in a JSON file or a row of `eyelet.db`.

    {"timestamp": "2025-07-28T13:33:00.236408", "timestamp_unix": 1753727580.236408, "hook_type", "tool_name",
     "session_id", "transcript_path", "cwd", "environment": {…}, "input_data": {the payload}, "metadata": {…},
     "execution": {"status", "duration_ms", "output_data", "error_message"}, "completed_at"}

(bdmorin/eyelet, src/eyelet/domain/hooks.py and services/hook_logger.py, sqlite_logger.py.) `timestamp` is local time
without a zone, so `timestamp_unix` counts. `data` becomes the payload as a hook of today would have left it, everything
else stands in `meta`. `execution` is how Eyelet's own handler fared: only its failures say anything of the event.
"""

from collections.abc import Callable, Mapping

from eyelet_ingest.events import Event
from eyelet_ingest.jsontext import dumps
from eyelet_ingest.sources import claude_hooks
from eyelet_ingest.sources.failure import code_of, message_of
from eyelet_ingest.sources.src import of_tool
from eyelet_ingest.sources.text import PATH_MAX_CHARS, duration_ms, optional, plain
from eyelet_ingest.sources.times import payload_time_us

NOT_KNOWN = "unknown"  # what Eyelet wrote where it knew nothing
ENVIRONMENT = ("CLAUDE", "EYELET")  # variables that are kept; Eyelet took ANTHROPIC's too, its keys among them

_STATUSES = {
    **dict.fromkeys(("ok", "success", "completed"), "ok"),
    **dict.fromkeys(("error", "failed", "failure", "timeout"), "error"),
    **dict.fromkeys(("denied", "blocked"), "denied"),
    **dict.fromkeys(("interrupted", "cancelled"), "interrupted"),
    **dict.fromkeys(("pending", "running"), "pending"),
}


def is_envelope(record: "Mapping[str, object]") -> bool:
    """Whether a record is one of the original Eyelet's."""
    return (
        isinstance(record.get("input_data"), dict)
        and isinstance(record.get("hook_type"), str)
        and "hook_event_name" not in record
        and ("timestamp_unix" in record or "timestamp" in record)
    )


def payload_of(record: "dict[str, object]") -> "dict[str, object]":
    """The hook's own payload, whose identity is the event's; the record itself where it is no envelope."""
    found = record.get("input_data")
    return found if isinstance(found, dict) and is_envelope(record) else record


def trimmed(record: "dict[str, object]") -> "dict[str, object]":
    """The envelope without the variables of other programs: the same object where it has none."""
    environment = record.get("environment")
    variables = environment.get("env_vars") if isinstance(environment, dict) else None
    if not isinstance(variables, dict) or all(name.startswith(ENVIRONMENT) for name in variables):
        return record
    kept = {name: value for name, value in variables.items() if name.startswith(ENVIRONMENT)}
    return {**record, "environment": {**_object(environment), "env_vars": kept}}


def time_us(record: "Mapping[str, object]") -> int | None:
    """The envelope's time in microseconds, None where it has none."""
    found = payload_time_us(record.get("timestamp_unix"))
    return payload_time_us(record.get("timestamp")) if found is None else found


def normalise(
    record: "dict[str, object]",
    columns: "Mapping[str, object]",
    src_of: "Callable[[str, str, str | None, str | None], str]" = of_tool,
) -> Event:
    """The event of a redacted envelope; `columns` are those of its row, in a database. What is empty in one is taken
    from the other. ValueError where a number is beyond what JSON text can hold again.

    The time and the uid are the caller's to set.
    """
    payload = payload_of(record)
    around = {name: value for name, value in record.items() if name != "input_data"} if payload is not record else {}
    facts = _facts(payload, around, columns)
    event = claude_hooks.normalise(facts | payload, dumps(payload), src_of)
    if event.duration_ms is None:
        event.duration_ms = duration_ms(columns.get("duration_ms"))
    metadata = _object(around.get("metadata", record.get("metadata")))
    event.hostname = _known(columns.get("hostname")) or _known(metadata.get("hostname"))
    event.ip_address = _known(columns.get("ip_address")) or _known(metadata.get("ip_address"))
    _set_outcome(event, payload, _object(around.get("execution", record.get("execution"))), columns.get("status"))
    branch = _branch(metadata) or _branch(record)
    if branch:
        event.meta["git"] = {**_object(metadata.get("git")), "branch": branch}
    if around:
        event.meta["eyelet"] = _kept(around)
        dumps(event.meta)  # who stores it cannot ask any more
    return event


def _facts(
    payload: "Mapping[str, object]", around: "Mapping[str, object]", columns: "Mapping[str, object]"
) -> "dict[str, object]":
    """What a payload names itself, from the row or the envelope, for one that does not."""
    facts: dict[str, object] = {}
    for name, others in (
        ("hook_event_name", ("hook_type",)),
        ("session_id", ("session_id",)),
        ("tool_name", ("tool_name",)),
        ("cwd", ("project_dir", "cwd")),
    ):
        if not plain(payload.get(name)):
            found = (_known(source.get(other), PATH_MAX_CHARS) for other in others for source in (columns, around))
            value = next(filter(None, found), None)
            if value:
                facts[name] = value
    return facts


def _set_outcome(
    event: Event, payload: "Mapping[str, object]", execution: "Mapping[str, object]", row_status: object
) -> None:
    """Status and failure, where the row or the envelope knows more than the payload."""
    message = message_of(execution.get("error_message")) or message_of(execution.get("error"))
    said = _STATUSES.get((plain(row_status) or "").lower()) or _STATUSES.get(plain(execution.get("status")).lower())
    if message and said in (None, "ok", "pending"):
        said = "error"
    has_payload = "hook_event_name" in payload
    if said is None or event.status not in ("ok", "pending") or (has_payload and said in ("ok", "pending")):
        return
    event.status, event.error = said, int(said == "error")
    event.loglevel = {"error": "error", "ok": "info", "pending": "info"}.get(said, "warn")
    if said not in ("ok", "pending"):
        code = optional(execution.get("error_code")) or code_of(message)
        event.meta["execution"] = claude_hooks.execution(said, code, message)


def _kept(around: "Mapping[str, object]") -> "dict[str, object]":
    """The envelope as it stays in `meta.eyelet`: what it says, and nothing of other programs' environment."""
    return {name: value for name, value in trimmed(dict(around)).items() if value not in (None, "", {})}


def _branch(metadata: "Mapping[str, object]") -> str | None:
    git = _object(metadata.get("git"))
    return _known(metadata.get("git_branch")) or _known(git.get("branch")) or _known(metadata.get("branch"))


def _object(value: object) -> "dict[str, object]":
    return value if isinstance(value, dict) else {}


def _known(value: object, most: int = 200) -> str | None:
    text = optional(value, most)
    return None if text == NOT_KNOWN else text
