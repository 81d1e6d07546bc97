"""A row of a log in one table, `logs(logid, context_name, epoch, src, loglevel, error, content)` → Event.

`data` is the whole row; content that is JSON is kept as JSON. What a row says in a way that is not known here (a level,
an error) is no reason to lose it: it is kept in `data`, and counts as what it most likely is.
"""

from collections.abc import Mapping
from contextlib import suppress

from eyelet_ingest.errors import BadInput
from eyelet_ingest.events import Event
from eyelet_ingest.jsontext import parse
from eyelet_ingest.sources import log
from eyelet_ingest.sources.text import plain
from eyelet_ingest.sources.times import payload_time_us

_NO_ERROR = ("", "0", "false", "no", "none", "null")
_JUST_ERROR = ("1", "true", "yes")


def record_of(row: "Mapping[str, object]") -> "dict[str, object]":
    """The row as a JSON object: bytes as text, content as JSON where it is an object or a list."""
    record: dict[str, object] = {}
    for name, value in row.items():
        record[name] = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    content = record.get("content")
    if isinstance(content, str) and content.lstrip()[:1] in ("{", "["):
        with suppress(BadInput):  # it may only look like JSON
            record["content"] = parse(content)
    return record


def context_of(record: "Mapping[str, object]") -> str:
    """The given name of the row's context, "" where it names none."""
    return plain(record.get("context_name"), 1_000)


def time_us(record: "Mapping[str, object]") -> int | None:
    """`epoch` in microseconds, its unit told by its size; None where it is no time."""
    return payload_time_us(record.get("epoch"))


def normalise(record: "Mapping[str, object]", data: str) -> Event:
    """The event of a redacted row and its JSON text. The time and the uid are the caller's to set."""
    failed, told = _error(record.get("error"))
    return log.event_of(
        data,
        src=plain(record.get("src"), 1_000),
        level=record.get("loglevel"),
        failed=failed,
        told=told or (plain(record.get("content"), 2_000) if failed else ""),
    )


def _error(value: object) -> "tuple[bool | None, str]":
    """Whether the row is a failure, None where it does not say; and what it says of it."""
    if value is None:
        return None, ""
    text = plain(value, 2_000).strip()
    if text.lower() in _NO_ERROR:
        return False, ""
    if text.lower() in _JUST_ERROR or isinstance(value, int | float):
        return True, ""
    return True, text
