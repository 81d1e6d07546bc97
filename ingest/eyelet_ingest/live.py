"""A live payload → Event: what a hook hands over, whether on its own standard input or in a request to the server.

Light: the hook imports it. Where an event was recorded, and by whom, the caller adds.
"""

from eyelet_ingest import intake
from eyelet_ingest.errors import BadInput
from eyelet_ingest.events import Event
from eyelet_ingest.jsontext import parse
from eyelet_ingest.sources import registry
from eyelet_ingest.store import rows

TYPE_CHECKING = False  # importing typing costs the hook more than its insert
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from eyelet_ingest.plugged import Plugged
    from eyelet_ingest.redaction import Redactor

MAY_REPEAT_CHARS = 1_024  # a shorter payload cannot hold a long text twice
TIME_KEYS = ("timestamp", "time", "ts", "@timestamp")  # those of `times`, and a test says so
TRUSTED_CLOCK_US = 24 * 3600 * 1_000_000  # a payload's own time counts when it is this near to the receipt


def event_of(
    raw: bytes,
    received_ns: int,
    redactor: "Redactor",
    settings: "dict[str, Any] | None" = None,
    plugins: "Plugged | None" = None,
    agent: str = "",
    normalise: "Callable[[dict[str, object], str, str], Event]" = registry.normalise,
) -> "tuple[Event, dict[str, object]]":
    """What the bytes of a payload say, redacted, and the redacted payload; one that says nothing is kept as it came.

    Never raises. The payload is empty where it is no object. The uid is the caller's to set. `settings` as
    `surroundings.DEFAULTS` has them say how long a payload may be; without, all of it is kept.
    `redactor` is that of the root it goes to. `plugins` redact too; the hook has those of `hot.py`. `agent`: whom the
    installed entry says it is of. `normalise` makes the event, for what is no hook's payload.
    """
    text, is_utf8 = intake.decode(raw)
    received_us = received_ns // 1_000
    payload: dict[str, object] = {}
    try:
        value, data = intake.clean(text, parse(text), redactor)
        failed: list[str] = []
        if plugins is not None:
            value, data, failed = plugins.redacted(value, data)
        payload = value if isinstance(value, dict) else {}
        event = normalise(payload, data, agent)
        _set_time(event, payload, received_us)
        if settings is not None:
            _limit(event, value, settings)
        if failed:
            event.meta["redaction_failed"] = failed
    except BadInput as bad:
        event = _raw_event(raw, bad.reason, redactor, settings, plugins, agent)
        event.time_us = received_us
    except Exception as bad:  # noqa: BLE001  a payload no rule foresaw is kept, not lost
        event = _raw_event(raw, f"{type(bad).__name__} while it was read", redactor, settings, plugins, agent)
        event.time_us = received_us
    if not is_utf8:
        event.meta["source"] = {"invalid_utf8": True}
    return event, payload


def _limit(event: Event, value: object, settings: "dict[str, Any]") -> None:
    """Keep what is repeated once, and cut what is too long."""
    most_bytes = settings["payload_kib"] * 1024
    is_long = bool(most_bytes) and len(event.data) * 4 > most_bytes  # a character has four bytes at most
    may_repeat = not settings["repeated"] and len(event.data) >= MAY_REPEAT_CHARS and _has_long_texts(value)
    if not (is_long or may_repeat):
        return
    from eyelet_ingest import limits

    if may_repeat:
        event.data, repeated = limits.without_repeats(event.data, value)
        if repeated:
            event.meta["repeated"] = repeated
    if is_long:
        event.data, said = limits.cut(event.data, most_bytes)
        if said:
            event.meta["cut"] = said


def _has_long_texts(value: object) -> bool:
    """Whether two texts inside are so long that one may be left out."""
    found, stack = 0, [value]
    while stack:
        one = stack.pop()
        if isinstance(one, str):
            found += len(one) >= MAY_REPEAT_CHARS // 2
            if found > 1:
                return True
        elif isinstance(one, dict):
            stack.extend(one.values())
        elif isinstance(one, list):
            stack.extend(one)
    return False


def _raw_event(
    raw: bytes,
    why: str,
    redactor: "Redactor",
    settings: "dict[str, Any] | None",
    plugins: "Plugged | None",
    agent: str,
) -> Event:
    try:
        safe = intake.clean_damaged(raw, redactor)
        if plugins is not None and plugins.redacts:
            safe = plugins.redacted_text(safe.decode("utf-8", "replace"))[0].encode("utf-8", "replace")
        most_bytes = settings["payload_kib"] * 768 if settings is not None else 0  # base64 makes four bytes of three
        if most_bytes and len(safe) > most_bytes:
            why = f"{why}; cut: {most_bytes} of {len(safe)} bytes"
            safe = safe[:most_bytes]
        data = rows.raw_payload(safe, why)
    except Exception as bad:  # noqa: BLE001  what cannot be redacted is not written; that it came is
        data = rows.withheld_payload(len(raw), f"{why}; {type(bad).__name__} while it was redacted")
    agent = agent if agent in registry.AGENTS else registry.AGENTS[0]
    return Event(hook_type="unknown", src=f"{agent}.unknown", agent=agent, loglevel="warn", data=data)


def _set_time(event: Event, payload: "dict[str, object]", received_us: int) -> None:
    event.time_us = received_us
    for name in TIME_KEYS:
        if name not in payload:
            continue
        from eyelet_ingest.sources import times  # hardly any agent says one

        own_us = times.payload_time_us(payload[name])
        if own_us is not None and abs(own_us - received_us) <= TRUSTED_CLOCK_US:
            event.time_us = own_us
        else:
            event.meta["original_timestamp"] = str(payload[name])[:100]
        return
