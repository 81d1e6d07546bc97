"""Databases of others → batch: `eyelet.db` of the original Eyelet, logs in one table, OpenCode's sessions. Streamed,
never changed.

Twice is once: a row of Eyelet is known by its payload and time, as is the JSON file of the same event; a row of a log
by all that it says, equal rows of one file being counted; and a row of OpenCode's by its identifier. So a database that
has grown adds only what is new.
"""

import os
from collections import Counter
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from eyelet_ingest import intake, quarantine, redaction_gate
from eyelet_ingest.batch import Batch
from eyelet_ingest.errors import BadInput
from eyelet_ingest.events import Event
from eyelet_ingest.jsontext import canonical, dumps, parse, parse_numbers_as_text
from eyelet_ingest.opencode_folder import FILE, Folder, is_storage
from eyelet_ingest.reading import Found
from eyelet_ingest.sources import hero_proc, log, mapped, old_eyelet, opencode
from eyelet_ingest.sources.text import plain
from eyelet_ingest.sources.times import payload_time_us
from eyelet_ingest.store import identity, layout
from eyelet_ingest.store.foreign import EYELET, HERO_PROC, NAMES, OPENCODE, Damaged, Foreign, OldRow

COLUMNS_REMEMBERED = 4_096
BESIDE_REMEMBERED = 1_024
TABLES_OF = {OPENCODE: ("message", "part", "session_message")}

_DAMAGED = "the file is damaged behind this row ({}): the rows before it were read"
_AWAITED = "{}: {:,} messages or parts are being written just now; the next import takes them"
_RECOVER = "{}: {} behind row {:,} of {}; save the rest with `sqlite3 OLD .recover | sqlite3 NEW`, and import that too"


class Database:
    """One old database on its way into a batch; `context` is for rows that name none, unless `context_of` says of their
    session's folder which: None for nothing to be recorded of it."""

    def __init__(
        self,
        batch: Batch,
        path: str,
        shown: str,
        context: str,
        progress: Callable[[int], None],
        context_of: "Callable[[str], str | None] | None" = None,
    ) -> None:
        self.context_of = context_of or (lambda folder: context)
        self.batch, self.path, self.shown, self.context, self.progress = batch, path, shown, context, progress
        self.key, self.clock, self.redactor = batch.key, batch.clock, batch.redactor
        self.uids = identity.Uids(self.key)
        self.last_time_us: int | None = None
        self.read = 0
        self.notes: list[str] = []
        self.levels: Counter[str] = Counter()  # those that are none of ours
        self.awaited = 0  # of what is being written just now
        self._table = ""
        self._clean = lru_cache(COLUMNS_REMEMBERED)(self._clean_column)  # most rows have the same host, folder and tool
        self._known_bad: dict[str, quarantine.KnownBad] = {}  # of earlier imports, by safe context

    def take_all(self, flush: Callable[[], None]) -> None:
        """Every row, oldest first, `flush` called whenever the batch is full. BadInput where nothing can be read."""
        occurrences = self.batch.ledger.occurrences()
        with Folder(self.path) if is_storage(self.path) else Foreign(self.path) as old:
            self._beside = Beside(old, self._clean)
            for table in TABLES_OF.get(old.kind, (old.table,)):
                if table == old.table or old.turn_to(table):
                    self._take_table(old, occurrences.next, flush)
        occurrences.close()
        flush()
        self._release()
        if self.awaited:
            self.notes.append(_AWAITED.format(self.shown, self.awaited))

    def _take_table(self, old: "Foreign | Folder", nth: Callable[[int], int], flush: Callable[[], None]) -> None:
        self._table = old.table
        takers = {EYELET: self._take_hook, HERO_PROC: self._take_log, OPENCODE: self._take_opencode}
        take = takers[old.kind]
        told_bytes, size_bytes = 0, 0 if isinstance(old, Folder) else os.path.getsize(self.path)
        span = max(old.last_rowid - old.first_rowid + 1, 1)
        last = old.first_rowid
        try:
            for page in old.pages():
                for row, record, text, is_suspect in self._parsed(page, old):
                    take(row, record, text, is_suspect, nth)
                    if self.batch.is_full():
                        flush()
                if self.batch.is_full():  # of what cannot be stored
                    flush()
                last = page[-1].rowid
                done_bytes = min(size_bytes, size_bytes * (last - old.first_rowid + 1) // span)
                self.progress(max(done_bytes - told_bytes, 0))
                told_bytes = max(done_bytes, told_bytes)
        except Damaged as bad:
            self._note_damage(last, bad)

    def _parsed(
        self, page: list[OldRow], old: "Foreign | Folder"
    ) -> "list[tuple[OldRow, dict[str, object], str, bool]]":
        """The rows that can be taken: each with its record, the text of it, and whether that may hold a secret."""
        found: list[tuple[OldRow, dict[str, object], str]] = []
        for row in page:
            self.read += 1
            try:
                if row.reason:
                    raise BadInput("", reason=row.reason)
                if old.kind == EYELET:
                    text = _json_text(row.values.get("data"), old)
                    value = parse(text)
                    found.append((row, *_trimmed(value if isinstance(value, dict) else {}, text)))
                elif old.kind == OPENCODE:
                    data = parse(_json_text(row.values.get("data"), old))
                    if not isinstance(data, dict):
                        raise BadInput("", reason="its data is no object")
                    record = opencode.of_row(row.values, data)
                    found.append((row, record, _dumped(record)))
                else:
                    record = hero_proc.record_of(row.values)
                    text = _dumped(record)
                    found.append((row, record, text))
            except BadInput as bad:
                self._quarantine(row, bad.reason)
        suspects = redaction_gate.suspects([text for _, _, text in found], self.redactor)
        return [(*one, at in suspects) for at, one in enumerate(found)]

    def _take_hook(
        self, row: OldRow, record: "dict[str, object]", text: str, is_suspect: bool, nth: Callable[[int], int]
    ) -> None:
        payload = old_eyelet.payload_of(record)
        columns = row.values
        own_us = payload_time_us(columns.get("timestamp"))
        own_us = old_eyelet.time_us(record) if own_us is None else own_us
        same: object = payload
        if payload is record and "hook_event_name" not in record:  # then the row's columns are part of what it says
            same = [plain(columns.get(name)) for name in ("hook_type", "session_id", "tool_name")] + [record or text]
        clean, clean_text = intake.cleaned(text, record, self.redactor, is_suspect)
        kept = clean if isinstance(clean, dict) else {}
        safe_columns = {name: self._clean(value) for name, value in columns.items() if name != "data"}
        try:
            event = old_eyelet.normalise(kept, safe_columns)
        except ValueError:  # a number beyond what Python holds: as text it is whole
            whole = self.redactor.value(parse_numbers_as_text(clean_text))
            event = old_eyelet.normalise(whole if isinstance(whole, dict) else {}, safe_columns)
        if not record:
            event.data = clean_text  # JSON, but no object
        elif old_eyelet.payload_of(kept) is kept:
            event.data = clean_text
        self._add(self.context, event, row, canonical(same).encode(), own_us, columns.get("timestamp"), nth)

    def _take_log(
        self, row: OldRow, record: "dict[str, object]", text: str, is_suspect: bool, nth: Callable[[int], int]
    ) -> None:
        own_us = hero_proc.time_us(record)
        clean, clean_text = intake.cleaned(text, record, self.redactor, is_suspect)
        kept = clean if isinstance(clean, dict) else {}
        event = hero_proc.normalise(kept, clean_text)
        context = hero_proc.context_of(kept) or self.context
        self._add(context, event, row, canonical(record).encode(), own_us, record.get("epoch"), nth)

    def _take_opencode(
        self, row: OldRow, record: "dict[str, object]", text: str, is_suspect: bool, nth: Callable[[int], int]
    ) -> None:
        """A message, or a part of one: known by its identifier wherever it lies, and taken when it is finished."""
        if self._table == "session_message" and self._beside.is_brought_over(row.values):
            self.read -= 1
            return
        created_us, updated_us = (payload_time_us(row.values.get(f"time_{name}")) for name in ("created", "updated"))
        if opencode.is_awaited(record, updated_us, self.clock.now_us):
            self.read -= 1
            self.awaited += 1
            return
        message, session = self._beside.message_of(record), self._beside.session_of(record)
        message_us = opencode.time_us(message)
        own_us = opencode.time_us(record, (created_us, message_us))
        for other_us in (created_us, message_us, updated_us):
            own_us = other_us if own_us is None else own_us
        clean, clean_text = intake.cleaned(text, record, self.redactor, is_suspect)
        event = opencode.normalise(clean if isinstance(clean, dict) else {}, clean_text, message, session)
        folder = session.get("directory")
        context = self.context_of(folder if isinstance(folder, str) else event.project_dir or "")
        if context is None:
            self.read -= 1
            return
        name = opencode.name_of(record)
        uid = identity.record_uid(self.key, opencode.AGENT, name) if name else None
        self._add(context, event, row, canonical(record).encode(), own_us, row.values.get("time_created"), nth, uid)

    def _add(
        self,
        context: str,
        event: Event,
        row: OldRow,
        same: bytes,
        own_us: int | None,
        original: object,
        nth: Callable[[int], int],
        uid: bytes | None = None,
    ) -> None:
        """One event for the batch. `same` is what it is known by, with its time; not one with a `uid` of its own."""
        is_timeless = self.clock.usable(own_us) is None
        if own_us is not None and not is_timeless:
            event.time_us = self.last_time_us = own_us
        else:
            self._guess_time(event, own_us, original)
        before = 0 if uid else nth(hash((same, own_us)))
        if uid is not None:
            event.uid = uid
        elif own_us is not None and not before:
            event.uid = self.uids.timed(same, own_us)
        else:
            event.uid = identity.timeless_uid(self.key, same + b"%d" % (own_us or 0), before)
        level = event.meta.get(log.UNKNOWN_LEVEL)
        if level is not None:
            mapped.count(self.levels, level)
        event.meta["source"] = {"file": self.shown, "table": self._table, "row": row.rowid}
        if FILE in row.values:
            event.meta["source"] = {"file": os.path.join(self.shown, str(self._clean(row.values[FILE]))), "line": 1}
        for name in {context, self.context}:
            self._known(name).taken(row.rowid)
        self.batch.add(context, event, is_timeless=is_timeless)

    def _guess_time(self, event: Event, own_us: int | None, original: object) -> None:
        """The time of a row that has none, or none that is believed; the ledger remembers it."""
        event.time_us, origin = self.clock.now_us, "receipt"
        if own_us is not None:
            event.meta["timestamp_suspect"] = True
        elif self.last_time_us is not None:
            event.time_us, origin = self.last_time_us, "neighbour"
        event.meta["timestamp_from"] = origin
        if said := plain(self._clean(original), 100):
            event.meta["original_timestamp"] = said

    def _quarantine(self, row: OldRow, reason: str) -> None:
        value = row.values.get("data", row.values.get("content"))
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else plain(value, 1 << 20)
        content = quarantine.content(Found(row.rowid, text, None, reason), self.redactor)
        said = f"table {self._table}, row {row.rowid}: {reason}"
        self.batch.quarantine(self.context, self.shown, row.rowid, said, text, content)

    def _note_damage(self, last: int, bad: Damaged) -> None:
        self.read += 1
        said = f"table {self._table}, row {last}: {_DAMAGED.format(bad.reason)}"
        self.batch.quarantine(self.context, self.shown, last, said, "", "")
        self.notes.append(_RECOVER.format(self.shown, bad.reason, last, self._table))

    def _clean_column(self, value: object) -> object:
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        return self.redactor.text(value) if isinstance(value, str) else value

    def _known(self, context: str) -> quarantine.KnownBad:
        safe_context = layout.safe_context(context)
        if safe_context not in self._known_bad:
            lines = self.batch.ledger.quarantined_lines(safe_context, self.shown)
            self._known_bad[safe_context] = quarantine.KnownBad(lines)
        return self._known_bad[safe_context]

    def _release(self) -> None:
        """What was quarantined, and was taken now, may go."""
        for safe_context, known_bad in self._known_bad.items():
            if known_bad.mended:
                self.batch.ledger.release(safe_context, self.shown, known_bad.mended, self.clock.now_us)


class Beside:
    """What stands beside a part of OpenCode's: the message it is of, and the session. Redacted; only what is needed."""

    def __init__(self, old: "Foreign | Folder", clean: Callable[[object], object]) -> None:
        self._old, self._redact = old, clean
        self._message = lru_cache(BESIDE_REMEMBERED)(self._read_message)
        self._session = lru_cache(BESIDE_REMEMBERED)(self._read_session)
        self._latest = lru_cache(BESIDE_REMEMBERED)(partial(old.latest, "message"))

    def message_of(self, record: "dict[str, object]") -> "dict[str, object]":
        """The message of a part; empty for a message itself."""
        named, session = record.get("messageID"), record.get("sessionID")
        return self._message(named, session) if isinstance(named, str) and isinstance(session, str | None) else {}

    def session_of(self, record: "dict[str, object]") -> "dict[str, object]":
        session = record.get("sessionID")
        return self._session(session) if isinstance(session, str) else {}

    def is_brought_over(self, row: "dict[str, object]") -> bool:
        """Whether a row of the second form is of the time in which its session was kept in the first form, too."""
        session, created_ms = row.get("session_id"), row.get("time_created")
        latest_ms = self._latest(session) if isinstance(session, str) else None
        return latest_ms is not None and not (isinstance(created_ms, int) and created_ms > latest_ms)

    def _read_message(self, identifier: str, session: str | None) -> "dict[str, object]":
        row = self._old.row_named("message", identifier, session)
        try:
            data = parse(_json_text(row.get("data"), self._old))
        except BadInput:
            return {}
        found = data if isinstance(data, dict) else {}
        path, model = found.get("path"), found.get("model")
        said: dict[str, object] = {name: self._clean(found.get(name)) for name in ("role", "modelID")}
        said["path"] = {"cwd": self._clean(path.get("cwd"))} if isinstance(path, dict) else None
        if isinstance(model, dict) and not said["modelID"]:
            said["modelID"] = self._clean(model.get("modelID"))
        return {**said, "time": found.get("time")}

    def _clean(self, value: object) -> object:
        return self._redact(value) if isinstance(value, str | bytes) else None

    def _read_session(self, identifier: str) -> "dict[str, object]":
        row = self._old.row_named("session", identifier) or self._old.row_named("session_v2", identifier)
        return {name: self._clean(row.get(name)) for name in ("directory", "version", "parent_id")}


def hint(path: str, kind: str) -> str:
    """What a person may do with an old database that was found beside recordings."""
    what = f"{path} is a database with {NAMES[kind]}"
    return f"{what}: name it to import it, or give --alongside NAME to read it beside your own"


def _trimmed(record: "dict[str, object]", text: str) -> "tuple[dict[str, object], str]":
    """The record and its text without what is not kept: else every row would have keys to look for and to redact."""
    kept = old_eyelet.trimmed(record)
    if kept is record:
        return record, text
    try:
        return kept, dumps(kept)
    except ValueError:  # a number beyond what Python holds
        return record, text


def _json_text(value: Any, old: "Foreign | Folder") -> str:
    """The JSON text of a row's payload, which may be in SQLite's binary form; BadInput where it is none."""
    if isinstance(value, bytes):
        if value.lstrip()[:1] in (b"{", b"["):
            return value.decode("utf-8", "replace")
        text = old.json_of(value)
        if text is None:
            raise BadInput("", reason="not JSON: bytes that are neither its text nor its binary form")
        return text
    if value is None:
        raise BadInput("", reason="its data is null")
    return value if isinstance(value, str) else dumps(value)


def _dumped(record: "dict[str, object]") -> str:
    try:
        return dumps(record)
    except ValueError:  # infinity, which SQLite has and JSON has not
        return dumps({name: str(value) if isinstance(value, float) else value for name, value in record.items()})
