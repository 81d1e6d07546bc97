"""An event as a row on its way: the tuple that a partition takes and a spool file holds. Plain code for the hook.

A row is uid, time_us, then the values of `schema.COLUMNS` from `session_id` on; id, arrived and timestamp are given by
`writer.py`, where the taken ones are known. A capture that only spools loads this, and none of SQLite.
"""

from eyelet_ingest.events import Event
from eyelet_ingest.jsontext import dumps
from eyelet_ingest.store import layout

TYPE_CHECKING = False  # importing typing costs the hook more than its insert
if TYPE_CHECKING:
    from typing import Any

    Row = tuple[Any, ...]  # uid: bytes, time_us: int, then a value for each of writer.ROW_COLUMNS


def row_of(event: Event) -> "Row":
    """The event as the tuple a partition takes; `meta` becomes JSON text here."""
    return (
        event.uid,
        event.time_us,
        event.session_id,
        event.hook_type,
        event.tool_name,
        event.tool_use_id,
        event.status,
        event.src,
        event.loglevel,
        event.error,
        event.origin,
        event.agent,
        event.agent_id,
        event.role,
        event.model,
        event.duration_ms,
        event.project_dir,
        event.hostname,
        event.ip_address,
        event.data,
        dumps(event.meta) if event.meta else "{}",
    )


def key_of(context: str, event: Event, received_us: int) -> layout.PartitionKey:
    """The partition of an event of the safe context name.

    A time that no partition has (outside 1970–2254) becomes that of the receipt; where the receiving clock itself is
    out of its mind, the nearest there is. The event is marked, and keeps what it said in `meta`.
    """
    try:
        return layout.key_for(context, event.time_us)
    except (ValueError, OverflowError, OSError):
        event.meta.setdefault("original_timestamp", str(event.time_us / 1e6))
        event.meta["timestamp_suspect"] = True
    first_us = layout.PartitionKey(context, layout.FIRST_YEAR, 1).bounds_us[0]
    end_us = layout.PartitionKey(context, layout.LAST_YEAR + 1, 1).bounds_us[0]
    event.time_us = min(max(received_us, first_us), end_us - 1)
    return layout.key_for(context, event.time_us)


def raw_payload(payload: bytes, why: str) -> str:
    """What is no JSON, as JSON: `{"_why": reason, "_raw": base64}`. The caller has redacted `payload`.

    The reason stands first, where a list that cuts payloads still shows it.
    """
    from binascii import b2a_base64

    return dumps({"_why": why, "_raw": b2a_base64(payload, newline=False).decode()})


def withheld_payload(size_bytes: int, why: str) -> str:
    """In place of a payload that nothing could redact: how much came, and why it is not here."""
    return dumps({"_why": why, "_withheld_bytes": size_bytes})
