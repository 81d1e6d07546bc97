"""The lines of an export: whole rows as JSON, one a line, pure ASCII, each of them enough to store its event.

    {"eyelet_export": 1, "made_at_utc": "2026-03-20T12:00:00Z"}
    {"context_name": "shop", "day": "2026-03-20", "id": 1774015404250000, "uid": "9f…", "arrived": …, "data": "{…}", …}
    {"end": {"events": 1, "complete": true, "unreadable": []}}

`data` and `meta` are texts, byte for byte as they are stored; `uid` is hexadecimal. `given` is there where the
context's name as it was given is not its safe name. Values that JSON has no word for are objects: bytes {"blob": …}
and a uid that is text {"text": …}, what is not finite {"real": "inf"}. Bytes of a text that are no UTF-8 are the
surrogates U+DC80 to U+DCFF. A file without its last line was cut.
"""

import json
import math
import time
from dataclasses import dataclass
from datetime import date
from typing import Any

from eyelet_ingest.errors import BadInput
from eyelet_ingest.store import layout, schema
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.transfer import UID, WholeRow

FORMAT = 1
HEADER = "eyelet_export"
INT64 = range(-(2**63), 2**63)
_SCALARS = (type(None), int, float, str)
_encode = json.JSONEncoder(allow_nan=False).encode


@dataclass(frozen=True, slots=True)
class Found:
    """An event's line: the day it belongs to, the context's name as given, and the row."""

    key: PartitionKey
    given: str
    row: WholeRow


@dataclass(frozen=True, slots=True)
class End:
    """The last line of an export."""

    events: int
    complete: bool


def header() -> bytes:
    return line({HEADER: FORMAT, "made_at_utc": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())})


def line(value: dict[str, object]) -> bytes:
    return _encode(value).encode("ascii") + b"\n"


def of_row(key: PartitionKey, given: str, row: WholeRow) -> bytes:
    """The line of a row of the day `key`."""
    said: dict[str, object] = {"context_name": key.context}
    if given != key.context:
        said["given"] = given
    said["day"] = key.date
    said.update(zip(schema.COLUMNS, row, strict=True))
    try:
        said["uid"] = row[UID].hex()
        return line(said)
    except (AttributeError, TypeError, ValueError):  # bytes, or a number that is not finite
        for name, value in zip(schema.COLUMNS, row, strict=True):
            said[name] = _spelt(name, value)
        return line(said)


def read(text: bytes) -> Found | End | None:
    """What a line holds, None for a header. BadInput, with the reason, for what no export of this format holds."""
    try:
        said = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as bad:
        what = "" if text.endswith(b"\n") else "it was cut: "
        raise BadInput("read", reason=f"{what}not JSON ({bad})") from None
    if not isinstance(said, dict):
        raise BadInput("read", reason="not an object")
    if HEADER in said:
        if type(said[HEADER]) is not int or said[HEADER] > FORMAT:
            raise NewerFormat(
                "read", reason=f"an export of format {said[HEADER]!r}, not {FORMAT}", hint="update eyelet"
            )
        return None
    if isinstance(end := said.get("end"), dict):
        return End(end["events"] if type(end.get("events")) is int else -1, end.get("complete") is True)
    return _found(said)


class NewerFormat(BadInput):
    """A newer version made this export: none of it can be taken."""


def _found(said: dict[str, Any]) -> Found:
    context, day = said.get("context_name"), said.get("day")
    given = said.get("given", context)
    if not (isinstance(context, str) and isinstance(day, str) and isinstance(given, str)):
        raise BadInput(
            "read",
            reason="it names no context_name and day, as an event's line of an export does",
            hint="recordings are for `eyelet ingest`",
        )
    if missing := [name for name in schema.COLUMNS if name not in said]:
        raise BadInput("read", reason=f"it lacks {', '.join(missing)}")
    row = tuple(_meant(name, said[name]) for name in schema.COLUMNS)
    if type(row[0]) is not int:
        raise BadInput("read", reason="its id is no whole number")
    return Found(_key(context, day), given_of(given, context), row)


def given_of(given: str, context: str) -> str:
    """The name under which a safe context was given; its own where `given` is the name of another."""
    return given if layout.safe_context(given) == context else context


def _key(context: str, day: str) -> PartitionKey:
    try:
        then = date.fromisoformat(day)
        key = layout.key_from_parts(context, f"{then.year:04d}", f"{then.timetuple().tm_yday:03d}")
    except ValueError:
        key = None
    if key is None:
        raise BadInput("read", reason=f"{context!a} {day!a} is no day of a context")
    return key


def _spelt(name: str, value: object) -> object:
    if isinstance(value, bytes):
        return value.hex() if name == "uid" else {"blob": value.hex()}
    if isinstance(value, float) and not math.isfinite(value):
        return {"real": repr(value)}
    return {"text": value} if name == "uid" and isinstance(value, str) else value


def _meant(name: str, value: object) -> object:
    try:
        if isinstance(value, dict) and len(value) == 1:
            ((kind, inner),) = value.items()
            if kind == "blob":
                return bytes.fromhex(inner)
            if kind == "real" and not math.isnan(found := float(inner)):
                return found
            if kind == "text" and isinstance(inner, str):
                value = inner
        elif name == "uid" and isinstance(value, str):
            return bytes.fromhex(value)
    except (TypeError, ValueError):
        raise BadInput("read", reason=f"its {name} is not hexadecimal, or no number") from None
    if isinstance(value, bool) or not isinstance(value, _SCALARS) or (isinstance(value, int) and value not in INT64):
        raise BadInput("read", reason=f"its {name} is nothing that a column holds")
    if isinstance(value, str) and not is_text(value):
        raise BadInput("read", reason=f"its {name} holds half of a character")
    return value


def is_text(value: str) -> bool:
    """Whether a column can hold it: surrogates stand for single bytes, or for nothing."""
    try:
        return value.isascii() or bool(value.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        return False


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")
