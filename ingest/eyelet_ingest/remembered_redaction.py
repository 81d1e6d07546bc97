"""`ingest.sqlite` as a place of redaction: what the quarantine holds of records, and the ledger's names of files.

A quarantined record stays, cleaned, and its file brings it back no more, as that has it as it was. (`eyelet ingest
--force` does.)
"""

import os
import time
from collections.abc import Iterator
from contextlib import suppress

from eyelet_ingest import ledger
from eyelet_ingest.errors import EyeletError
from eyelet_ingest.ledger import Ledger, Quarantined
from eyelet_ingest.remembered import event_of
from eyelet_ingest.store import connect, erasing, layout, writer
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.places import matching
from eyelet_ingest.store.redacted import DayRedacted
from eyelet_ingest.store.redacted_places import Days
from eyelet_ingest.store.redacting import Work

NAME = "quarantine"
DEADLINE_MS = 10_000
COLUMNS = ("file", "reason", "content")


class Remembered:
    """What imports remember of one root, as a place (`redacting.Place`). Its counts are records, and paths of files."""

    name = NAME

    def redact(self, work: Work) -> Iterator[DayRedacted]:
        days = Days(self.name)
        with Ledger(work.root) as opened:
            entries, paths = _changes(work, opened, days)
            if work.go and (entries or paths):
                self._write(work, opened, entries, paths, days)
        if work.go and (entries or paths):
            _say_erased(work)
        yield from days.all()

    def _write(
        self, work: Work, opened: Ledger, entries: "list[tuple[bytes, Quarantined]]", paths: dict[str, str], days: Days
    ) -> None:
        assert work.receipt is not None
        for uid, entry in entries:
            work.stones.remember_redacted(entry.context, [uid])
        work.stones.begin_erasing(ledger.FILE_NAME)
        days.announce(work)
        opened.rewrite(entries, paths)
        work.receipt.done()
        with suppress(EyeletError):  # an import is at work: whoever comes next goes on
            opened.erase()


def _changes(work: Work, opened: Ledger, days: Days) -> "tuple[list[tuple[bytes, Quarantined]], dict[str, str]]":
    """The entries that change, as they are to be, and the paths that change, each with what it becomes."""
    entries = []
    for uid, entry in opened.entries():
        if not _is_wanted(work, uid, entry):
            continue
        one = work.clean(COLUMNS, (entry.file, entry.reason, entry.content))
        if one.values:
            said = {"context": entry.context, "line": entry.line, "chars": entry.chars, "at_us": entry.at_us}
            texts = {name: str(one.values.get(name, getattr(entry, name))) for name in COLUMNS}
            entries.append((uid, Quarantined(**said, **texts)))  # type: ignore[arg-type]
            days.of(_key(entry)).add(one)
    paths = {}
    if not work.wanted.chooses:  # a path belongs to no time
        for path in opened.paths():
            one = work.clean(("path",), (path,))
            if one.values:
                paths[path] = str(one.values["path"])
                days.counted(layout.key_for(layout.DEFAULT_CONTEXT, time.time_ns() // 1_000), "path")
    return entries, paths


def _is_wanted(work: Work, uid: bytes, entry: Quarantined) -> bool:
    event = None if work.wanted.prompts else event_of(entry)
    if event is None:
        return work.wanted.is_told_in(f"{entry.content}\n{entry.file}", entry.context, entry.at_us)
    event.uid = uid
    try:
        key = layout.key_for(entry.context, event.time_us)
    except (ValueError, OverflowError, OSError):
        return False
    return bool(matching([(key, entry.context, writer.row_of(event))], work.wanted))


def _key(entry: Quarantined) -> PartitionKey:
    try:
        return layout.key_for(entry.context, entry.at_us)
    except (ValueError, OverflowError, OSError):
        return layout.key_for(entry.context, 0)


def _say_erased(work: Work) -> None:
    path = os.path.join(work.root, ledger.FILE_NAME)
    with connect.FileLock(path + ".lock", time.monotonic_ns() + DEADLINE_MS * 1_000_000):
        if erasing.is_erased(path):
            work.stones.erased(ledger.FILE_NAME)
