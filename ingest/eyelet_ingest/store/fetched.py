"""Rows of `hooks` as SQLite gives them, and as answers hold them: a dictionary that any of them can be written from."""

from math import inf
from typing import Any

from eyelet_ingest.store import schema
from eyelet_ingest.store.answers import Row, text

_NAMES = ("context_name", *schema.COLUMNS, *schema.DERIVED, "data_chars")
_EMPTY = dict.fromkeys(_NAMES)  # a copy of it is filled a fifth faster than a dictionary that grows
_LENGTH_LEFT_OUT = len(_NAMES) - 2
_UID, _DATA, _ARRIVED, _TIMESTAMP, _ERROR, _DURATION = map(
    schema.COLUMNS.index, ("uid", "data", "arrived", "timestamp", "error", "duration_ms")
)
_NO_TEXT = ("id", "uid", "arrived", "timestamp", "error", "duration_ms")
_INFINITE = frozenset((inf, -inf))  # what JSON cannot hold, and only another program can have left


def read_as(cut_chars: int | None, read: frozenset[str] | None = None) -> str:
    """What a row is read as: every column, the payload cut to `cut_chars` where given, and then its length. Where text
    belongs there is text, though others may have put bytes there: a cast of what is text costs nothing."""
    if read is not None:
        return ", ".join(name if name in read else "null" for name in _NAMES[1:-1])
    columns = ", ".join(name if name in _NO_TEXT else f"cast({name} as text)" for name in _NAMES[1:-1])
    if cut_chars is None:
        return columns
    data = "cast(data as text)"
    return columns.replace(data, f"substr({data}, 1, {int(cut_chars)})") + f", length({data})"


def row_of(context: str, row: tuple[Any, ...]) -> Row:
    made: Row = _EMPTY.copy()
    made.update(zip(_NAMES, (context, *row)))  # noqa: B905  the length is left out where the payload is whole
    if isinstance(uid := row[_UID], bytes):
        made["uid"] = uid.hex()
    duration = row[_DURATION]
    kinds = type(row[_ARRIVED]), type(row[_ERROR]), type(duration)
    if bytes in kinds or duration in _INFINITE or row[_TIMESTAMP] in _INFINITE:
        made.update((name, _for_json(made[name])) for name in ("arrived", "timestamp", "error", "duration_ms"))
    if len(row) == _LENGTH_LEFT_OUT:
        made["data_chars"] = len(row[_DATA] or "")
    return made


def _for_json(value: object) -> object:
    """What another program left where a number belongs."""
    if isinstance(value, bytes):
        return text(value)
    return None if value in _INFINITE else value
