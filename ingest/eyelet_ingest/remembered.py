"""`ingest.sqlite` as a place of deletion: the quarantine holds text of records, and the ledger names of files.

A quarantined record that is a payload all the same (its day could not take it) is asked what events are asked; of one
that is damaged its text tells, see `Wanted.is_told_in`. The ledger keeps no payload, but the path of a transcript
names its session and project: of what goes the path is put out, and the digests stay by which the file is known again.
"""

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from eyelet_ingest import ledger
from eyelet_ingest.errors import BadInput, EyeletError
from eyelet_ingest.jsontext import parse
from eyelet_ingest.ledger import Ledger, Quarantined
from eyelet_ingest.sources import formats
from eyelet_ingest.store import connect, erasing, layout, writer
from eyelet_ingest.store.answers import Unreadable
from eyelet_ingest.store.deletion import DayDeleted
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.places import matching
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.tombstones import Tombstones
from eyelet_ingest.store.wanted import Wanted

if TYPE_CHECKING:
    from eyelet_ingest.events import Event

NAME = "quarantine"
DEADLINE_MS = 10_000
LONG_CHARS = 16  # an identifier of so many stands in a path by no chance


class Remembered:
    """What imports remember of one root, as a place (`places.Place`). Its counts are records, not events."""

    name = NAME

    def __init__(self, root: str) -> None:
        self.root = root
        self.failed: list[Unreadable] = []

    def planned(self, wanted: Wanted) -> list[DayDeleted]:
        with Ledger(self.root) as opened:
            return _by_day(_going(opened, wanted))

    def done(self, wanted: Wanted) -> list[DayDeleted]:
        path = os.path.join(self.root, ledger.FILE_NAME)
        stones = Tombstones.of(self.root)
        with Ledger(self.root) as opened:
            going, files = _going(opened, wanted), _files(opened, wanted)
            if not going and not files:
                return []
            for uid, entry in going:  # by age, too: their context need have no horizon
                stones.remember(entry.context, [uid])
            stones.begin_erasing(ledger.FILE_NAME)
            opened.forget([uid for uid, _ in going], files)
            with suppress(EyeletError):  # an import is at work: whoever comes next goes on
                opened.erase()
        deadline_ns = time.monotonic_ns() + DEADLINE_MS * 1_000_000
        with connect.FileLock(path + ".lock", deadline_ns):
            if erasing.is_erased(path):
                stones.erased(ledger.FILE_NAME)
        return _by_day(going)


def _going(opened: Ledger, wanted: Wanted) -> list[tuple[bytes, Quarantined]]:
    return [(uid, entry) for uid, entry in opened.entries() if _wants(uid, entry, wanted)]


def _wants(uid: bytes, entry: Quarantined, wanted: Wanted) -> bool:
    event = None if wanted.prompts else event_of(entry)
    if event is None:
        told = f"{entry.content}\n{entry.file}"
        return wanted.is_told_in(told, entry.context, entry.at_us)
    event.uid = uid
    try:
        key = layout.key_for(entry.context, event.time_us)
    except (ValueError, OverflowError, OSError):
        return False
    return bool(matching([(key, entry.context, writer.row_of(event))], wanted))


def event_of(entry: Quarantined) -> "Event | None":
    """The event that a whole payload in quarantine would have been; None where it is damaged."""
    try:
        value = parse(entry.content)
    except BadInput:
        return None
    if not isinstance(value, dict):
        return None
    kind = formats.of(value)
    if kind is None:
        return None
    reader = kind.reader()
    try:
        event = reader.event(value, entry.content)
    except BadInput:
        return None
    event.time_us = reader.time_us(value) or entry.at_us
    return event


def _files(opened: Ledger, wanted: Wanted) -> list[str]:
    """The paths in the ledger that name what goes as a whole: a session's transcript, a folder of a project's."""
    is_whole = wanted.where == Filter(session_id=wanted.where.session_id, contexts=wanted.where.contexts)
    if not is_whole or wanted.prompts or not (wanted.where.session_id or wanted.projects):
        return []
    folders = {"".join(char if char.isascii() and char.isalnum() else "-" for char in one) for one in wanted.projects}
    found = []
    for path in opened.paths():
        parts = path.split("/")
        names = [*parts, *(part.split(".")[0] for part in parts)]
        sessions = wanted.where.session_id
        of_session = any(one in names or (len(one) >= LONG_CHARS and one in path) for one in sessions)
        of_project = any(path.startswith(one + "/") for one in wanted.projects) or not folders.isdisjoint(parts)
        if of_session or of_project:
            found.append(path)
    return found


def _by_day(going: list[tuple[bytes, Quarantined]]) -> list[DayDeleted]:
    counts: dict[PartitionKey, int] = {}
    for _, entry in going:
        with suppress(ValueError, OverflowError, OSError):
            key = layout.key_for(entry.context, entry.at_us)
            counts[key] = counts.get(key, 0) + 1
    return [DayDeleted(key, records, False, NAME) for key, records in sorted(counts.items())]
