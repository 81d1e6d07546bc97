"""What every format of recordings gives the import: records → what they are known by → Events."""

from abc import ABC, abstractmethod

from eyelet_ingest.events import Event
from eyelet_ingest.jsontext import dumps
from eyelet_ingest.reading import Found
from eyelet_ingest.sources.times import of_payload

Record = dict[str, object]


class Reader(ABC):
    """Reads the records of one file, in their order: what a later one does not say may stand in an earlier one.

    All that is asked of a record before it is redacted is asked of any object, and never raises.
    """

    def time_us(self, record: Record) -> int | None:
        """The record's own time in microseconds, None where it has none, or none that can be read."""
        return of_payload(record)

    def uuid(self, record: Record) -> "tuple[str, str] | None":
        """The agent, and the identifier by which the record is known wherever it is copied; None where it has none."""
        return None

    def same(self, record: Record) -> Record:
        """What two copies of the record have in common, where it has no identifier: by default all of it."""
        return record

    @abstractmethod
    def event(self, record: Record, text: str) -> Event:
        """The event of a redacted record and its JSON text. The time, the uid and the session of a record that says
        none are the caller's to set. BadInput for what cannot be an event."""


def part_of(whole: Found, part: object) -> Found:
    """A part of a record as a record; it has no line of its own."""
    try:
        text = dumps(part)
    except ValueError:  # a number beyond what Python spells
        return Found(whole.line, "", None, "a number in it is too long", whole.is_utf8)
    if isinstance(part, dict):
        return Found(whole.line, text, part, "", whole.is_utf8)
    return Found(whole.line, text, None, "a part of it is no object", whole.is_utf8, is_element=True)
