"""One recording while it is read: of which kind it is, what reads it, what its records have in common.

What a later record does not say itself (a time, a session) it takes from the earlier ones of its file.
"""

import os
import re
from typing import TYPE_CHECKING

from eyelet_ingest import quarantine, recordings
from eyelet_ingest.events import Event
from eyelet_ingest.head import Head
from eyelet_ingest.ledger import Seen
from eyelet_ingest.redaction import Redactor
from eyelet_ingest.sources import formats
from eyelet_ingest.sources.reader import Reader, Record
from eyelet_ingest.sources.text import plain

if TYPE_CHECKING:
    from eyelet_ingest.hookspecs import Source
    from eyelet_ingest.plugins import Plugins

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class RecordedFile:
    """One recording while it is read: what its later records take from its earlier ones."""

    __slots__ = (
        *("_readers", "fallback", "format", "known_bad", "last_time_us", "many_sessions", "path", "records"),
        *("safe_context", "seen", "session"),
    )

    def __init__(
        self, seen: Seen, head: Head, fallback: "tuple[int, str]", redactor: Redactor, safe_context: str
    ) -> None:
        self.seen = seen
        self.safe_context = safe_context
        self.path = seen.path
        self.format = head.format
        self._readers: dict[str, Reader] = {}
        self.last_time_us = head.first_time_us
        self.fallback = fallback  # the time where no record has one, and what it was taken from
        # A log of hooks mixes sessions, and then nothing tells whose a record without one is.
        self.many_sessions = (head.format is None or head.format.is_hooks) and len(head.sessions) > 1
        self.session = plain(redactor.text(head.sessions[0])) if head.sessions else _session_of(seen.path)
        self.records = 0
        self.known_bad = quarantine.KnownBad()  # of earlier runs

    def reader(self, of: formats.Format) -> Reader:
        """What reads this file's records of a format."""
        found = self._readers.get(of.name)
        if found is None:
            found = self._readers[of.name] = of.reader()
        return found


class Theirs(Reader):
    """A record that a plugin takes for one of its own."""

    def __init__(self, plugins: "Plugins", name: str, source: "Source") -> None:
        self.plugins, self.source = plugins, (name, source)

    def time_us(self, record: Record) -> int | None:
        said_us = self.plugins.time_of(*self.source, record)
        return said_us if said_us is not None else super().time_us(record)

    def event(self, record: Record, text: str) -> Event:
        return self.plugins.event_of(*self.source, record, text)


def _session_of(path: str) -> str:
    """The session that a recording's place names: `<session>.jsonl`, `<session>/subagents/agent-….jsonl`, Codex's
    `rollout-<time>-<session>.jsonl`, or Copilot's `<session>/events.jsonl`."""
    folder = os.path.dirname(path)
    name = recordings.stem(path)
    names = [name[-36:] if name.startswith("rollout-") else name]
    if os.path.basename(folder) == "subagents":
        names.append(os.path.basename(os.path.dirname(folder)))
    if names == ["events"]:
        names = [os.path.basename(folder)]
    return next((name for name in names if _UUID.fullmatch(name)), "")
