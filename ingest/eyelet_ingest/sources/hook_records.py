"""Hook payloads that somebody recorded, one JSON object each: of any agent, and of the original Eyelet.

The time of a payload is its own `timestamp`, which hardly any agent writes; who records adds it.
"""

from functools import lru_cache

from eyelet_ingest.errors import BadInput
from eyelet_ingest.events import Event
from eyelet_ingest.sources import old_eyelet, registry
from eyelet_ingest.sources.reader import Reader, Record
from eyelet_ingest.sources.src import of_tool

SRCS_REMEMBERED = 4_096

recognises = registry.is_hook


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
