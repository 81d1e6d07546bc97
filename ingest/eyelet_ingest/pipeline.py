"""Record → uid → redacted → Event → partition. Recordings on their way in; the live hook has `capture.py`.

Twice is once, because a uid is made from the payload before redaction, and because a record without a time gets the
time it was given when it was first seen. Whatever is killed may be run again: the ledger's part of a batch is
committed before its rows, and rows that are there already are duplicates.

One record's way from text to batch is read here from top to bottom; what could stand alone (reading, finding files, the
batch, the ledger, the quarantine) does.
"""

import os
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO

from eyelet_ingest import intake, quarantine, reading, recordings, redaction_gate, redactors, rotation
from eyelet_ingest.batch import Batch
from eyelet_ingest.databases import Database
from eyelet_ingest.errors import BadInput
from eyelet_ingest.events import Event
from eyelet_ingest.head import Head
from eyelet_ingest.jsontext import canonical
from eyelet_ingest.ledger import Ledger, Quarantined
from eyelet_ingest.metering import Meter
from eyelet_ingest.reading import Found
from eyelet_ingest.recorded_file import RecordedFile, Theirs
from eyelet_ingest.redaction import Redactor
from eyelet_ingest.sources import formats, log, mapped
from eyelet_ingest.sources.reader import Reader
from eyelet_ingest.sources.text import plain
from eyelet_ingest.sources.times import KEYS
from eyelet_ingest.store import foreign, identity, layout
from eyelet_ingest.store.store import Store

if TYPE_CHECKING:
    from eyelet_ingest.plugins import Plugins

READ_BYTES = 1 << 18
GROUP_RECORDS, GROUP_CHARS = 256, 1 << 16  # looked through for secrets at once
STILL_US = 3600 * 1_000_000  # a file that was not written to for so long is as it will be

NEITHER = "neither a hook payload nor a transcript record"
_NOTE = (
    "{} does not begin as it did when it was last read, and no file beside it does: {:,} payloads without a time were "
    "taken for those known from it already"
)


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of every record: read = stored + duplicates + quarantined + deleted. `troubles` are the first ten
    that were quarantined; `deleted` were deleted or retired earlier, and stayed away.

    `notes` are sentences that a person should read, `days` the partitions that hold what was stored.
    """

    read: int
    stored: int
    duplicates: int
    quarantined: int
    partitions: int
    seconds: float
    troubles: tuple[Quarantined, ...]
    notes: tuple[str, ...] = ()
    days: frozenset[layout.PartitionKey] = frozenset()
    deleted: int = 0


def ingest(
    paths: Iterable[str],
    root: str,
    context: str = layout.DEFAULT_CONTEXT,
    *,
    progress: Callable[[int], None] | None = None,
    stdin: BinaryIO | None = None,
    force: bool = False,
    mapping: mapped.Mapping | None = None,
    plugins: "Plugins | None" = None,
) -> Ingested:
    """Store every record of the recordings and old databases that `paths` name, each once, in the partitions of the
    context. With a `mapping`, which says where its fields stand, every JSON object is a log event.

    `progress` is told the bytes read since the last call. BadInput, before anything is read, for a path that
    names nothing; RootError where the root cannot be used. What cannot be stored is quarantined and counted. What was
    deleted or retired earlier stays away, unless `force`.
    """
    started = time.monotonic()
    files = recordings.find(paths, endings_of(plugins))
    with run(root, context, progress=progress, force=force, mapping=mapping, plugins=plugins) as importing:
        for path in files:
            if path == recordings.STDIN:
                importing.stream(stdin or sys.stdin.buffer, path)
            else:
                importing.path(path)
        importing.flush()
        return importing.result(time.monotonic() - started)


@contextmanager
def run(
    root: str,
    context: str,
    *,
    progress: Callable[[int], None] | None = None,
    force: bool = False,
    mapping: mapped.Mapping | None = None,
    plugins: "Plugins | None" = None,
) -> "Iterator[Run]":
    """An import that takes one recording after another; arguments and errors as those of `ingest`. What it took is
    stored when it was flushed."""
    with Store(root) as store, store.bulk(), Ledger(store.root) as ledger:
        store.drain_spool()
        yield Run(Batch(store, ledger, force), context, progress or (lambda read_bytes: None), mapping, plugins)
        Meter(store, "", "command").leave(make=True)


class Run:
    """One import: the batch that is being filled, and the count of what became of every record.

    With `context_of`, which is told the folder that a recording's session is of, each goes into the context that this
    gives, and nowhere where it gives none. With `is_patient` what stands damaged at the end of a recording that is
    being written is left for later, and the recording noted in `awaited`.
    """

    def __init__(
        self,
        batch: Batch,
        context: str,
        progress: Callable[[int], None],
        mapping: mapped.Mapping | None = None,
        plugins: "Plugins | None" = None,
    ) -> None:
        self.batch, self.ledger, self.mapping = batch, batch.ledger, mapping
        self.plugins = plugins
        self.sources = bool(plugins and plugins.sources)
        self.levels: Counter[str] = Counter()  # those of logs that are none of ours
        self.notes: list[str] = []
        self.context, self.progress = context, progress
        redactors.check_context(context, batch.redactor)
        self.safe_context = layout.safe_context(context)
        self.key, self.clock, self.redactor = self.batch.key, self.batch.clock, self.batch.redactor
        self.uids = identity.Uids(self.key)
        self.read = 0
        self.read_whole: list[RecordedFile] = []  # read to the end, and not settled before their last batch is stored
        self.begun_anew: dict[str, int] = {}  # path of a replaced file → its timeless payloads taken for known ones
        self.context_of: Callable[[str], str | None] | None = None
        self.is_patient = False
        self.awaited: set[str] = set()

    def result(self, seconds: float) -> Ingested:
        done = self.batch.tally
        counts = (self.read, done.stored, done.duplicates, done.quarantined, len(done.partitions))
        rotated = [_NOTE.format(path, known) for path, known in self.begun_anew.items() if known]
        notes = (*rotated, *self.notes, *mapped.levels_note(self.levels))
        return Ingested(
            *counts, round(seconds, 3), tuple(done.troubles), notes, frozenset(done.partitions), done.deleted
        )

    def path(self, path: str) -> None:
        """Take every record of the recording or database that lies there. BadInput, OSError where it cannot be read."""
        if foreign.is_database(path) or foreign.is_unreadable_database(path) or os.path.isdir(path):
            self.database(path)
            return
        with open(path, "rb", buffering=READ_BYTES) as raw:
            self.stream(raw, path)

    def database(self, path: str) -> None:
        """Take every row of somebody's database, or of a folder that is like one."""
        shown = shown_path(path, self.redactor)
        old = Database(self.batch, path, shown, self.context, self.progress, self.context_of)
        old.take_all(self.flush)
        self.read += old.read
        self.notes += old.notes
        self.levels += old.levels

    def stream(self, raw: BinaryIO, path: str) -> None:
        """Take every record of one open file or pipe."""
        stream = reading.open_stream(raw)  # held on to: it would close `raw` with itself
        there = os.fstat(raw.fileno()) if path != recordings.STDIN else None
        self.take(reading.records(stream), path, there, raw.tell if raw.seekable() else None)

    def take(
        self,
        found: Iterator[Found],
        path: str,
        there: "os.stat_result | None" = None,
        tell: "Callable[[], int] | None" = None,
    ) -> None:
        """Take every record of what lies at `path`; `there`: of a file; `tell`: how many bytes of it were read."""
        age_us = self.clock.now_us - there.st_mtime_ns // 1_000 if there else STILL_US
        is_growing = age_us < STILL_US
        found = formats.each(self._patiently(found, path) if self.is_patient and is_growing else found, is_growing)
        head = Head(found, self.key, self.clock)
        if not head.records or not self._turn_to(head.folder):
            return
        is_file = there is not None
        shown = shown_path(path, self.redactor)
        mtime_us = self.clock.usable(there.st_mtime_ns // 1_000) if there else None
        fallback = (self.clock.now_us, "receipt") if mtime_us is None else (mtime_us, "file")
        seen, is_new_content = rotation.recognise(self.ledger, self.key, self.clock, path, shown, head, self.begun_anew)
        file = RecordedFile(seen, head, fallback, self.redactor, self.safe_context)
        if there and head.digests:
            self.ledger.saw(seen, head.digests[0], there.st_size, fallback[0])
        if is_file and not is_new_content:
            file.known_bad = quarantine.KnownBad(self.ledger.quarantined_lines(self.safe_context, shown))
        occurrences = self.ledger.occurrences()
        before, told_bytes = self.read, 0
        for group in _groups(chain(head.rest(), found)):
            suspects = redaction_gate.suspects([record.text for record in group], self.redactor)
            for at in range(len(group)):
                self.read += 1
                self._take(group.popleft(), at in suspects, file, occurrences.next)
                if self.batch.is_full():
                    self.flush()
            told_bytes = self._tell(tell, told_bytes)
        occurrences.close()
        self._tell(tell, told_bytes)
        if is_file:
            file.records = self.read - before
            self.read_whole.append(file)

    def _turn_to(self, folder: str) -> bool:
        """Go over to the context of what is of this folder; whether it is to be recorded at all."""
        given = self.context_of(folder) if self.context_of else self.context
        if given is None:
            return False
        self.context, self.safe_context = given, layout.safe_context(given)
        return True

    def _patiently(self, found: Iterator[Found], path: str) -> Iterator[Found]:
        """The records, without a damaged one at the end: it is being written."""
        held: Found | None = None
        for record in found:
            if held is not None:
                yield held
                held = None
            if record.value is None:
                held = record
            else:
                yield record
        if held is not None:
            self.awaited.add(path)

    def flush(self) -> None:
        """Store the batch."""
        for event in self.batch.flush():
            self._note_known(event)
        for file in self.read_whole:
            self._settle(file)
        self.read_whole = []

    def _note_known(self, event: Event) -> None:
        source = event.meta["source"]
        if isinstance(source, dict) and source["file"] in self.begun_anew:
            self.begun_anew[source["file"]] += 1

    def _take(self, found: Found, is_suspect: bool, file: RecordedFile, occurrence_of: Callable[[int], int]) -> None:
        value = found.value
        if value is None:
            self._quarantine(found, found.reason, file)
            return
        theirs = self.plugins.source_of(value) if self.sources and self.plugins else None
        as_log = None if theirs else self.mapping or mapped.well_known(value)
        if as_log is not None:
            self._take_log(found, value, is_suspect, as_log, file, occurrence_of)
            return
        kind = None if theirs else formats.of(value, file.format)
        if theirs and self.plugins:
            reader: Reader = Theirs(self.plugins, *theirs)
        elif kind is not None:
            reader = file.reader(kind)
        else:
            self._quarantine(found, NEITHER, file)
            return
        own_us = reader.time_us(value)
        uuid = reader.uuid(value)
        if uuid is not None:
            uid = identity.record_uid(self.key, *uuid)
        else:
            uid = self._uid(reader.same(value), own_us, file.seen.generation, occurrence_of)
        payload, text, failed = self._cleaned(found, value, is_suspect)
        try:
            event = reader.event(payload, text)
        except BadInput as bad:
            self._quarantine(found, bad.reason or str(bad), file)
            return
        event.uid = uid
        is_timeless = self._set_time(event, own_us, _original_time(payload), file)
        self._set_session(event, file, kind is not None and kind.is_hooks)
        self._enrich(event, payload, failed)
        self._add(found, event, self.context, is_timeless, file)

    def _take_log(
        self,
        found: Found,
        value: "dict[str, object]",
        is_suspect: bool,
        shape: mapped.Mapping,
        file: RecordedFile,
        occurrence_of: Callable[[int], int],
    ) -> None:
        """A record of a log, whose shape says where its fields stand."""
        if not shape.fits(value):
            self._quarantine(found, shape.lacking(), file)
            return
        own_us = shape.time_us(value)
        payload, text, failed = self._cleaned(found, value, is_suspect)
        event = shape.normalise(payload, text)
        event.uid = self._uid(value, own_us, file.seen.generation, occurrence_of)
        level = event.meta.get(log.UNKNOWN_LEVEL)
        if level is not None:
            mapped.count(self.levels, level)
        is_timeless = self._set_time(event, own_us, shape.original_time(payload), file)
        self._enrich(event, payload, failed)
        self._add(found, event, shape.context_of(payload) or self.context, is_timeless, file)

    def _cleaned(
        self, found: Found, value: "dict[str, object]", is_suspect: bool
    ) -> "tuple[dict[str, object], str, list[str]]":
        """The record without secrets, its text, and the plugins that failed to look for some."""
        clean, text = intake.cleaned(found.text, value, self.redactor, is_suspect)
        failed: list[str] = []
        if self.plugins is not None:
            clean, text, failed = self.plugins.redacted(clean, text)
        return (clean if isinstance(clean, dict) else {}), text, failed

    def _enrich(self, event: Event, payload: "dict[str, object]", failed: list[str]) -> None:
        if failed:
            event.meta["redaction_failed"] = failed
        if self.plugins is not None:
            self.plugins.enrich(event, payload, self.redactor)

    def _add(self, found: Found, event: Event, context: str, is_timeless: bool, file: RecordedFile) -> None:
        source: dict[str, object] = {"file": file.path, "line": found.line}
        if not found.is_utf8:
            source["invalid_utf8"] = True
        event.meta["source"] = source
        file.known_bad.taken(found.line)
        self.batch.add(context, event, is_timeless=is_timeless)

    def _uid(
        self, value: "dict[str, object]", own_us: int | None, generation: bytes, occurrence_of: Callable[[int], int]
    ) -> bytes:
        payload = canonical(value).encode()
        if own_us is not None:
            return self.uids.timed(payload, own_us)
        nth = occurrence_of(hash(payload))
        return identity.timeless_uid(self.key, payload, nth, generation)

    def _set_time(self, event: Event, own_us: int | None, original: str, file: RecordedFile) -> bool:
        """Whether the ledger decides the event's time, as it has none of its own that is believed."""
        if own_us is not None and self.clock.believes(own_us):
            event.time_us = file.last_time_us = own_us
            return False
        if own_us is not None:
            event.time_us, origin = self.clock.now_us, "receipt"
            event.meta["timestamp_suspect"] = True
        elif file.last_time_us is not None:
            event.time_us, origin = file.last_time_us, "neighbour"
        else:
            event.time_us, origin = file.fallback
        event.meta["timestamp_from"] = origin
        if original:
            event.meta["original_timestamp"] = original
        return True

    def _set_session(self, event: Event, file: RecordedFile, is_hook: bool) -> None:
        session = event.session_id
        if not session:
            if not file.many_sessions:
                event.session_id = file.session
        elif session != file.session:
            file.many_sessions = file.many_sessions or (is_hook and bool(file.session))
            file.session = session

    def _quarantine(self, found: Found, reason: str, file: RecordedFile) -> None:
        content = quarantine.content(found, self.redactor)
        self.batch.quarantine(self.context, file.path, found.line, reason, found.text, content)

    def _settle(self, file: RecordedFile) -> None:
        """The file was read to its end and stored: what was quarantined where a good record stands now may go."""
        self.ledger.read_whole(file.seen, file.records)
        if file.known_bad.mended:
            self.ledger.release(file.safe_context, file.path, file.known_bad.mended, self.clock.now_us)

    def _tell(self, tell: "Callable[[], int] | None", told_bytes: int) -> int:
        if tell is None:
            return 0
        now_bytes = tell()
        if now_bytes > told_bytes:
            self.progress(now_bytes - told_bytes)
        return max(now_bytes, told_bytes)


def _groups(found: Iterable[Found]) -> "Iterator[deque[Found]]":
    """The records, as many at a time as are looked through for secrets at once.

    Who asks may empty a group, and so let each record go before the next.
    """
    group: deque[Found] = deque()
    chars = 0
    for record in found:
        group.append(record)
        chars += len(record.text)
        del record  # it may be most of the memory
        if chars >= GROUP_CHARS or len(group) >= GROUP_RECORDS:
            yield group
            group, chars = deque(), 0
    if group:
        yield group


def endings_of(plugins: "Plugins | None") -> tuple[str, ...]:
    """The endings of files that plugins understand besides ours."""
    return tuple(ending for source in plugins.sources for ending in source.endings) if plugins else ()


def shown_path(path: str, redactor: Redactor) -> str:
    """The path as it is stored and shown: UTF-8 whatever the file's name and the locale are, and redacted."""
    return redactor.text(os.fsencode(path).decode("utf-8", "replace"))


def _original_time(payload: "dict[str, object]") -> str:
    """What the payload's own time field says, "" where it has none: the first that is written."""
    return next(filter(None, (plain(payload[name], 100) for name in KEYS if name in payload)), "")
