"""Hook payloads that somebody recorded, one JSON object each: of any agent, and of the original Eyelet.

The time of a payload is its own `timestamp`, which hardly any agent writes; who records adds it.
"""

from functools import lru_cache

from eyelet_ingest.errors import BadInput
from eyelet_ingest.events import Event
from eyelet_ingest.jsontext import dumps
from eyelet_ingest.sources import old_eyelet, registry
from eyelet_ingest.sources.reader import Reader, Record
from eyelet_ingest.sources.src import of_tool

SRCS_REMEMBERED = 4_096

INSIDE = ("payload", "data", "input", "hook_input", "hook_data", "input_data", "event")

recognises = registry.is_hook


def is_wrapped(record: Record) -> bool:
    """Whether somebody's log has put a payload that names its event into a record of its own."""
    return "hook_event_name" not in record and _inside(record) is not None


def _inside(record: Record) -> "tuple[str, Record] | None":
    for name in INSIDE:
        found = record.get(name)
        if isinstance(found, dict) and isinstance(found.get("hook_event_name"), str):
            return name, found
    return None


class Hooks(Reader):
    """The payloads of one file."""

    def __init__(self) -> None:
        self.src_of = lru_cache(SRCS_REMEMBERED)(of_tool)  # Pre and Post of one call have the same command

    def event(self, record: Record, text: str) -> Event:
        return registry.normalise(record, text, "", self.src_of)


class Envelopes(Hooks):
    """Those of the original Eyelet, around a payload that is known by itself."""

    def time_us(self, record: Record) -> int | None:
        return old_eyelet.time_us(record)

    def same(self, record: Record) -> Record:
        return old_eyelet.payload_of(record)

    def event(self, record: Record, text: str) -> Event:
        try:
            return old_eyelet.normalise(record, {}, self.src_of)
        except ValueError as bad:  # a number beyond what JSON text can hold again
            raise BadInput("read an envelope", reason=f"it cannot be JSON: {bad}") from bad


class Wrapped(Hooks):
    """Payloads in records of somebody's log, which says the time and more: that stands in `meta.recorded`."""

    def time_us(self, record: Record) -> int | None:
        found = _inside(record)
        own_us = super().time_us(record)
        return super().time_us(found[1]) if own_us is None and found else own_us

    def same(self, record: Record) -> Record:
        found = _inside(record)
        return found[1] if found else record

    def event(self, record: Record, text: str) -> Event:
        name, payload = _inside(record) or ("", record)
        around = {key: value for key, value in record.items() if key != name}
        try:
            event = registry.normalise(payload, dumps(payload), "", self.src_of)
            dumps(around)
        except ValueError as bad:  # a number beyond what JSON text can hold again
            raise BadInput("read a record", reason=f"it cannot be JSON: {bad}") from bad
        if around:
            event.meta["recorded"] = around
        return event
