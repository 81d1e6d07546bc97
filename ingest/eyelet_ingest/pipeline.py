"""Record → uid → redacted → Event → partition. Recordings on their way in; the live hook has `capture.py`.

Twice is once, because a uid is made from the payload before redaction, and because a record without a time gets the
time it was given when it was first seen. Whatever is killed may be run again: the ledger's part of a batch is
committed before its rows, and rows that are there already are duplicates.

A little over 400 lines: one record's way from text to batch is read here from top to bottom, and what could stand alone
(reading, finding files, the ledger, the quarantine) already does.
"""

import os
import re
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO

from eyelet_ingest import intake, quarantine, reading, recordings, redaction, redaction_gate
from eyelet_ingest.errors import BadInput
from eyelet_ingest.events import Event
from eyelet_ingest.jsontext import canonical
from eyelet_ingest.ledger import CONTENT_MAX_CHARS, Ledger, Quarantined, Seen
from eyelet_ingest.reading import Found
from eyelet_ingest.sources import claude_hooks, claude_transcripts
from eyelet_ingest.sources.src import of_tool
from eyelet_ingest.sources.text import plain
from eyelet_ingest.sources.times import KEYS, of_payload
from eyelet_ingest.store import identity, layout
from eyelet_ingest.store.store import Refused, Store

if TYPE_CHECKING:
    from eyelet_ingest.plugins import Plugins

READ_BYTES = 1 << 18
BATCH_EVENTS = 5_000
BATCH_CHARS = 16 * 2**20
GROUP_RECORDS, GROUP_CHARS = 256, 1 << 16  # looked through for secrets at once
# How far is looked ahead for what a file's first records do not say themselves: a time, a session.
HEAD_RECORDS, HEAD_CHARS = 10_000, 4 * 2**20
KNOWN_BY_RECORDS = 64  # a file is known again by the digest of so many of its first records
FORMAT_RECORDS = 100
TROUBLES_KEPT = 10
SRCS_REMEMBERED = 4_096

DAY_US = 86_400_000_000
EARLIEST_US = 946_684_800_000_000  # 2000-01-01: a recorded time before it comes from a clock that was not set

NEITHER = "neither a hook payload nor a transcript record"
_NOTE = (
    "{} does not begin as it did when it was last read, and no file beside it does: {:,} payloads without a time were "
    "taken for those known from it already"
)

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of every record: read = stored + duplicates + quarantined. `troubles` are the first ten of these.

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


def ingest(
    paths: Iterable[str],
    root: str,
    context: str = layout.DEFAULT_CONTEXT,
    *,
    progress: Callable[[int], None] | None = None,
    stdin: BinaryIO | None = None,
    plugins: "Plugins | None" = None,
) -> Ingested:
    """Store every record of the recordings that `paths` name, each once, in the partitions of the context.

    `progress` is told the bytes read since the last call. BadInput, before anything is read, for a path that
    names nothing; RootError where the root cannot be used. What cannot be stored is quarantined and counted.
    """
    started = time.monotonic()
    files = recordings.find(paths, endings_of(plugins))
    with Store(root) as store, store.bulk(), Ledger(store.root) as ledger:
        store.drain_spool()
        run = _Run(store, ledger, context, progress or (lambda read_bytes: None), plugins)
        for path in files:
            if path == recordings.STDIN:
                run.stream(stdin or sys.stdin.buffer, path)
                continue
            with open(path, "rb", buffering=READ_BYTES) as raw:
                run.stream(raw, path)
        run.flush()
        return run.result(time.monotonic() - started)


class _Head:
    """The first records of a file, held back until they have told what they have to."""

    def __init__(self, found: Iterator[Found], key: bytes, clock: "_Clock") -> None:
        self.records: deque[Found] = deque()
        self.first_time_us: int | None = None
        self.digests: list[bytes] = []  # of the first record, of the first two, …
        self.sessions: list[str] = []  # the first two that differ
        hooks = transcripts = chars = 0
        for record in found:
            self.records.append(record)
            chars += len(record.text)
            value = record.value
            if value is not None:
                if len(self.digests) < KNOWN_BY_RECORDS:
                    before = self.digests[-1] if self.digests else b""
                    digest = blake2b(before, key=key, digest_size=16)
                    digest.update(canonical(value).encode())
                    self.digests.append(digest.digest())
                if len(self.records) <= FORMAT_RECORDS:
                    is_hook = claude_hooks.is_hook(value)
                    hooks += is_hook
                    transcripts += not is_hook and claude_transcripts.is_record(value)
                self._note_session(value)
                if self.first_time_us is None:
                    self.first_time_us = clock.usable(of_payload(value))
            count = len(self.records)
            told = self.first_time_us is not None and self.sessions and count >= FORMAT_RECORDS
            if told or count >= HEAD_RECORDS or chars >= HEAD_CHARS:
                break
        self.is_transcript = transcripts > hooks

    def rest(self) -> Iterator[Found]:
        """The records, each let go: one may be most of the memory."""
        while self.records:
            yield self.records.popleft()

    def _note_session(self, value: "dict[str, object]") -> None:
        session = value.get("session_id") or value.get("sessionId")
        if isinstance(session, str) and len(self.sessions) < 2 and session not in self.sessions:
            self.sessions.append(session)


class _Clock:
    """Which recorded times are believed: from 2000 to the end of tomorrow, UTC."""

    __slots__ = ("end_us", "now_us")

    def __init__(self) -> None:
        self.now_us = time.time_ns() // 1_000
        self.end_us = (self.now_us // DAY_US + 2) * DAY_US

    def usable(self, time_us: int | None) -> int | None:
        return time_us if time_us is not None and EARLIEST_US <= time_us < self.end_us else None


class _File:
    """One recording while it is read: what its later records take from its earlier ones."""

    __slots__ = (
        *("fallback", "is_transcript", "known_bad", "last_time_us", "many_sessions", "path", "records"),
        *("seen", "session", "transcript"),
    )

    def __init__(self, seen: Seen, head: _Head, fallback: "tuple[int, str]") -> None:
        self.seen = seen
        self.path = seen.path
        self.is_transcript = head.is_transcript
        self.transcript = claude_transcripts.Transcript()
        self.last_time_us = head.first_time_us
        self.fallback = fallback  # the time where no record has one, and what it was taken from
        # A log of hooks mixes sessions, and then nothing tells whose a record without one is.
        self.many_sessions = not head.is_transcript and len(head.sessions) > 1
        self.session = plain(redacted(head.sessions[0])) if head.sessions else _session_of(seen.path)
        self.records = 0
        self.known_bad = quarantine.KnownBad()  # of earlier runs


class _Run:
    """One import: the batch that is being filled, and the count of what became of every record."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        context: str,
        progress: Callable[[int], None],
        plugins: "Plugins | None" = None,
    ) -> None:
        self.plugins = plugins
        self.sources = bool(plugins and plugins.sources)
        self.store, self.ledger, self.context, self.progress = store, ledger, context, progress
        self.safe_context = layout.safe_context(context)
        self.key = identity.load_key(store.root)
        self.uids = identity.Uids(self.key)
        self.clock = _Clock()
        self.src_of = lru_cache(SRCS_REMEMBERED)(of_tool)  # Pre and Post of one call have the same command
        self.read = self.stored = self.duplicates = self.quarantined = 0
        self.partitions: set[layout.PartitionKey] = set()
        self.troubles: list[Quarantined] = []
        self.events: list[Event] = []
        self.chars = 0
        self.timeless: list[Event] = []  # those of the batch whose time the ledger decides
        self.bad: list[tuple[bytes, Quarantined]] = []
        self.read_whole: list[_File] = []  # read to the end, and not settled before their last batch is stored
        self.begun_anew: dict[str, int] = {}  # path of a replaced file → its timeless payloads taken for known ones

    def result(self, seconds: float) -> Ingested:
        counts = (self.read, self.stored, self.duplicates, self.quarantined, len(self.partitions))
        notes = tuple(_NOTE.format(path, known) for path, known in self.begun_anew.items() if known)
        return Ingested(*counts, round(seconds, 3), tuple(self.troubles), notes, frozenset(self.partitions))

    def stream(self, raw: BinaryIO, path: str) -> None:
        """Take every record of one open file or pipe."""
        stream = reading.open_stream(raw)  # held on to: it would close `raw` with itself
        found = reading.records(stream)
        head = _Head(found, self.key, self.clock)
        if not head.records:
            return
        is_file = path != recordings.STDIN
        shown = shown_path(path)
        there = os.fstat(raw.fileno()) if is_file else None
        mtime_us = self.clock.usable(there.st_mtime_ns // 1_000) if there else None
        fallback = (self.clock.now_us, "receipt") if mtime_us is None else (mtime_us, "file")
        seen, is_new_content = self._recognise(path, shown, head)
        file = _File(seen, head, fallback)
        if there and head.digests:
            self.ledger.saw(seen, head.digests[0], there.st_size, fallback[0])
        if is_file and not is_new_content:
            file.known_bad = quarantine.KnownBad(self.ledger.quarantined_lines(self.safe_context, shown))
        occurrences = self.ledger.occurrences()
        before, told_bytes = self.read, 0
        for group in _groups(chain(head.rest(), found)):
            suspects = redaction_gate.suspects([record.text for record in group])
            for at in range(len(group)):
                self.read += 1
                self._take(group.popleft(), at in suspects, file, occurrences.next)
                if len(self.events) >= BATCH_EVENTS or len(self.bad) >= BATCH_EVENTS or self.chars >= BATCH_CHARS:
                    self.flush()
            told_bytes = self._tell(raw, told_bytes)
        occurrences.close()
        self._tell(raw, told_bytes)
        if is_file:
            file.records = self.read - before
            self.read_whole.append(file)

    def flush(self) -> None:
        """Store the batch. The times the ledger gives are committed before any row."""
        if self.timeless:
            wanted = [(event.uid, event.time_us) for event in self.timeless]
            times_us, known = self.ledger.times(self.safe_context, wanted)
            for event in self.timeless:
                event.time_us = times_us[event.uid]
                if self.begun_anew and event.uid in known:
                    self._note_known(event)
        if self.events:
            appended = self.store.append(self.events, self.context)
            self.stored += appended.stored
            self.duplicates += appended.duplicates
            self.partitions |= appended.partitions
            for refused in appended.refused:
                self._refuse(refused)
        if self.bad:
            self.ledger.quarantine(self.bad)
        for file in self.read_whole:
            self._settle(file)
        self.events, self.timeless, self.bad, self.read_whole, self.chars = [], [], [], [], 0

    def _recognise(self, path: str, shown: str, head: _Head) -> tuple[Seen, bool]:
        """Which content the file holds, as far as payloads without a time are concerned, and whether it is a new one.

        The same beginning is the same content, wherever it lies. A path whose content was replaced, while a sibling
        has what it held before, was rotated: equal payloads in it are new events.
        """
        digests = head.digests
        digest = digests[-1] if digests else b""
        same = self.ledger.same_content(digests, shown)
        if same is not None:
            return Seen(shown, same.generation, len(digests), digest), False
        before = self.ledger.at_path(shown) if path != recordings.STDIN and digests else None
        if before is None:
            return Seen(shown, b"", len(digests), digest), False
        for sibling in recordings.siblings(path):
            if self._begins_like(sibling, before):
                parts = before.generation + before.head_digest
                generation = blake2b(parts, key=self.key, digest_size=8).digest()
                return Seen(shown, generation, len(digests), digest), True
        self.begun_anew[shown] = 0
        return Seen(shown, before.generation, len(digests), digest), False

    def _note_known(self, event: Event) -> None:
        source = event.meta["source"]
        if isinstance(source, dict) and source["file"] in self.begun_anew:
            self.begun_anew[source["file"]] += 1

    def _begins_like(self, path: str, before: Seen) -> bool:
        try:
            with open(path, "rb") as raw:
                digests = _Head(reading.records(reading.open_stream(raw)), self.key, self.clock).digests
        except OSError:
            return False
        return len(digests) >= before.head_records and digests[before.head_records - 1] == before.head_digest

    def _take(self, found: Found, is_suspect: bool, file: _File, occurrence_of: Callable[[int], int]) -> None:
        value = found.value
        if value is None:
            self._quarantine(found, found.reason, file)
            return
        is_hook = "hook_event_name" in value or claude_hooks.is_hook(value)
        theirs = self.plugins.source_of(value) if self.sources and self.plugins else None
        if not (theirs or is_hook or claude_transcripts.is_record(value) or (file.is_transcript and value)):
            self._quarantine(found, NEITHER, file)
            return
        own_us = of_payload(value)
        if theirs and self.plugins:
            is_hook, said_us = False, self.plugins.time_of(*theirs, value)
            own_us = said_us if said_us is not None else own_us
        uuid = None if is_hook or theirs else claude_transcripts.record_uuid(value)
        if uuid is not None:
            uid = identity.record_uid(self.key, claude_hooks.AGENT, uuid)
        else:
            uid = self._uid(value, own_us, file.seen.generation, occurrence_of)
        clean, text = intake.cleaned(found.text, value, is_suspect)
        failed: list[str] = []
        if self.plugins is not None:
            clean, text, failed = self.plugins.redacted(clean, text)
        payload = clean if isinstance(clean, dict) else {}
        if theirs and self.plugins:
            try:
                event = self.plugins.event_of(*theirs, payload, text)
            except BadInput as bad:
                self._quarantine(found, str(bad), file)
                return
        elif is_hook:
            event = claude_hooks.normalise(payload, text, self.src_of)
        else:
            event = file.transcript.normalise(payload, text)
        event.uid = uid
        self._set_time(event, own_us, payload, file)
        self._set_session(event, file, is_hook)
        source: dict[str, object] = {"file": file.path, "line": found.line}
        if not found.is_utf8:
            source["invalid_utf8"] = True
        event.meta["source"] = source
        if failed:
            event.meta["redaction_failed"] = failed
        if self.plugins is not None:
            self.plugins.enrich(event, payload)
        file.known_bad.taken(found.line)
        self.events.append(event)
        self.chars += len(text)

    def _uid(
        self, value: "dict[str, object]", own_us: int | None, generation: bytes, occurrence_of: Callable[[int], int]
    ) -> bytes:
        payload = canonical(value).encode()
        if own_us is not None:
            return self.uids.timed(payload, own_us)
        nth = occurrence_of(hash(payload))
        return identity.timeless_uid(self.key, payload, nth, generation)

    def _set_time(self, event: Event, own_us: int | None, payload: "dict[str, object]", file: _File) -> None:
        if own_us is not None and EARLIEST_US <= own_us < self.clock.end_us:
            event.time_us = file.last_time_us = own_us
            return
        if own_us is not None:
            event.time_us, origin = self.clock.now_us, "receipt"
            event.meta["timestamp_suspect"] = True
        elif file.last_time_us is not None:
            event.time_us, origin = file.last_time_us, "neighbour"
        else:
            event.time_us, origin = file.fallback
        event.meta["timestamp_from"] = origin
        original = _original_time(payload)
        if original:
            event.meta["original_timestamp"] = original
        self.timeless.append(event)

    def _set_session(self, event: Event, file: _File, is_hook: bool) -> None:
        session = event.session_id
        if not session:
            if not file.many_sessions:
                event.session_id = file.session
        elif session != file.session:
            file.many_sessions = file.many_sessions or (is_hook and bool(file.session))
            file.session = session

    def _quarantine(self, found: Found, reason: str, file: _File) -> None:
        content = quarantine.content(found)
        self._keep(file.path, found.line, redacted(reason), found.text, content)
        self.chars += len(content)

    def _refuse(self, refused: Refused) -> None:
        """Keep what a partition could not take; a later run over the same file stores it, once the partition can."""
        for event in refused.events:
            source = event.meta["source"]
            if isinstance(source, dict):
                self._keep(source["file"], source["line"], redacted(str(refused.error)), event.data, event.data)

    def _keep(self, file: str, line: int, reason: str, text: str, content: str) -> None:
        parts = (self.safe_context, file, str(line), text)
        uid = blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), key=self.key, digest_size=16).digest()
        cut = content[:CONTENT_MAX_CHARS]
        entry = Quarantined(self.safe_context, file, line, reason, cut, len(text), self.clock.now_us)
        self.quarantined += 1
        self.bad.append((uid, entry))
        if len(self.troubles) < TROUBLES_KEPT:
            self.troubles.append(entry)

    def _settle(self, file: _File) -> None:
        """The file was read to its end and stored: what was quarantined where a good record stands now may go."""
        self.ledger.read_whole(file.seen, file.records)
        if file.known_bad.mended:
            self.ledger.release(self.safe_context, file.path, file.known_bad.mended, self.clock.now_us)

    def _tell(self, raw: BinaryIO, told_bytes: int) -> int:
        if not raw.seekable():
            return 0
        now_bytes = raw.tell()
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


def redacted(text: str) -> str:
    """Text that is stored beside payloads: a path, a reason, what was not JSON."""
    return redaction.redact_text(text) if redaction.may_hold_secret(text) else text


def shown_path(path: str) -> str:
    """The path as it is stored and shown: UTF-8 whatever the file's name and the locale are, and redacted."""
    return redacted(os.fsencode(path).decode("utf-8", "replace"))


def _original_time(payload: "dict[str, object]") -> str:
    """What the payload's own time field says, "" where it has none: the first that is written."""
    return next(filter(None, (plain(payload[name], 100) for name in KEYS if name in payload)), "")


def _session_of(path: str) -> str:
    """The session that a transcript's place names: `<session>.jsonl`, or `<session>/subagents/agent-….jsonl`."""
    folder = os.path.dirname(path)
    names = [recordings.stem(path)]
    if os.path.basename(folder) == "subagents":
        names.append(os.path.basename(os.path.dirname(folder)))
    return next((name for name in names if _UUID.fullmatch(name)), "")
