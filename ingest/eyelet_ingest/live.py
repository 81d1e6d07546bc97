"""A live payload → Event: what a hook hands over, whether on its own standard input or in a request to the server.

Light: the hook imports it. Where an event was recorded, and by whom, the caller adds.
"""

from eyelet_ingest import intake
from eyelet_ingest.errors import BadInput
from eyelet_ingest.events import Event
from eyelet_ingest.jsontext import parse
from eyelet_ingest.sources import claude_hooks, times
from eyelet_ingest.store import writer

TRUSTED_CLOCK_US = 24 * 3600 * 1_000_000  # a payload's own time counts when it is this near to the receipt


def event_of(raw: bytes, received_ns: int) -> "tuple[Event, dict[str, object]]":
    """What the bytes of a payload say, redacted, and the redacted payload; one that says nothing is kept as it came.

    Never raises. The payload is empty where it is no object. The uid is the caller's to set.
    """
    text, is_utf8 = intake.decode(raw)
    received_us = received_ns // 1_000
    payload: dict[str, object] = {}
    try:
        value, data = intake.clean(text, parse(text))
        payload = value if isinstance(value, dict) else {}
        event = claude_hooks.normalise(payload, data)
        _set_time(event, payload, received_us)
    except BadInput as bad:
        event = _raw_event(raw, bad.reason)
        event.time_us = received_us
    except Exception as bad:  # noqa: BLE001  a payload no rule foresaw is kept, not lost
        event = _raw_event(raw, f"{type(bad).__name__} while it was read")
        event.time_us = received_us
    if not is_utf8:
        event.meta["source"] = {"invalid_utf8": True}
    return event, payload


def _raw_event(raw: bytes, why: str) -> Event:
    try:
        data = writer.raw_payload(intake.clean_damaged(raw), why)
    except Exception as bad:  # noqa: BLE001  what cannot be redacted is not written; that it came is
        data = writer.withheld_payload(len(raw), f"{why}; {type(bad).__name__} while it was redacted")
    return Event(hook_type="unknown", src="claude.unknown", agent="claude", loglevel="warn", data=data)


def _set_time(event: Event, payload: "dict[str, object]", received_us: int) -> None:
    event.time_us = received_us
    for name in times.KEYS:
        if name not in payload:
            continue
        own_us = times.payload_time_us(payload[name])
        if own_us is not None and abs(own_us - received_us) <= TRUSTED_CLOCK_US:
            event.time_us = own_us
        else:
            event.meta["original_timestamp"] = str(payload[name])[:100]
        return
