"""Looking for secrets in what is stored: days, archives, spool, JSON files, quarantine, and the root's own small files.

Nothing is changed. Who knows what a secret looks like is above the store and comes as a `Looker`. A finding says where
it is and of what kind; what it is never leaves the place where it was read.
"""

import json
import os
import re
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from eyelet_ingest.errors import BadInput, EyeletError, PartitionUnreadable
from eyelet_ingest.jsontext import parse
from eyelet_ingest.store import archives, beside, foreign_tables, layout, places, schema, spool, writer
from eyelet_ingest.store.answers import Unreadable
from eyelet_ingest.store.catalog import Catalog
from eyelet_ingest.store.cleaning import JSON_COLUMNS, cleaned, text_columns
from eyelet_ingest.store.connect import is_there, open_reader
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.wanted import Wanted

DAYS, ARCHIVE, SPOOL, JSON, QUARANTINE, FILES = "days", "archive", "spool", "json", "quarantine", "files"
SUSPECTED = "high-entropy"
ROWS_AT_ONCE = 200
PATH_MAX_CHARS = 120
_MARKER = re.compile(r"\[redacted:([a-z0-9_-]+)")


class Looker(Protocol):
    """Redaction as a scan needs it: `cleaning.Cleaner`, what may hold a secret at all, and what it found."""

    kinds: Counter[str]  # of the markers that were made since it was emptied
    taken: dict[str, None]

    def may_hold(self, text: str) -> bool:
        """Whether `text` of it, or `value` of what it spells, could change anything."""

    def suspected(self, text: str) -> int:
        """How many words look as if they were random."""

    def text(self, text: str) -> str: ...

    def value(self, value: object) -> object: ...

    def bytes(self, raw: bytes) -> bytes: ...

    def damaged(self, text: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Finding:
    """`count` secrets of a kind in one field. `id` is that of the event, None where it is in none; `name` then is the
    file's, below the root. `is_sure` is false of what only looks random."""

    place: str
    context: str
    day: str
    id: int | None
    name: str
    field: str
    kind: str
    count: int
    is_sure: bool = True


@dataclass(slots=True)
class Scan:
    """A scan of one root: to be iterated once. `looked` counts the events looked at so far; `failed` is what could not
    be read."""

    catalog: Catalog
    wanted: Wanted
    looker: Looker
    suspicions: bool = False
    looked: int = 0
    failed: list[Unreadable] = field(default_factory=list)

    def __iter__(self) -> Iterator[Finding]:
        yield from self._days()
        root = self.catalog.root
        if root.startswith(layout.MEMORY):
            return
        for place in (self._archives, self._spool, self._json, self._quarantine, self._files):
            try:
                yield from place(root)
            except EyeletError as bad:
                self.failed.append(Unreadable("", "", str(bad)))

    def _days(self) -> Iterator[Finding]:
        where = self.wanted.where
        keys, _ = self.catalog.prune(
            since_us=where.since_us, until_us=where.until_us, contexts=self.wanted.contexts or ()
        )
        for key in keys if self.wanted.contexts is None or self.wanted.contexts else ():
            path = layout.db_path(self.catalog.root, key)
            try:
                conn = open_reader(path)
                try:
                    if schema.is_ready(conn):
                        yield from self._rows(conn, key, DAYS)
                        yield from self._of_others(conn, key, DAYS)
                except conn.DatabaseError as bad:
                    raise PartitionUnreadable("read", path, *schema.diagnosis(conn, path, bad)) from bad
                finally:
                    conn.close()
            except EyeletError as bad:
                self.failed.append(Unreadable(key.context, key.date, f"{bad.reason} ({bad.hint})"))

    def _archives(self, root: str) -> Iterator[Finding]:
        if not os.path.isdir(layout.archive_dir(root)):
            return
        from eyelet_ingest.store.archived_deletion import opened

        for key in archives.keys(root):
            if self.wanted.meets(key) and self.wanted.pieces(key.context):
                try:
                    with opened(root, key) as (conn, _, _):
                        yield from self._rows(conn, key, ARCHIVE)
                        yield from self._of_others(conn, key, ARCHIVE)
                except EyeletError as bad:
                    self.failed.append(Unreadable(key.context, key.date, f"its archive: {bad.reason} ({bad.hint})"))

    def _rows(self, conn: Any, key: PartitionKey, place: str) -> Iterator[Finding]:
        """What is found in the wanted rows of a day's database."""
        names = text_columns(conn)
        columns = ", ".join(f'"{name}"' for name in names)
        for condition, params in self.wanted.pieces(key.context):
            sql = f"select id, {columns} from hooks{condition} order by id"  # noqa: S608  our own names, bound values
            rows = conn.execute(sql, params)
            while some := rows.fetchmany(ROWS_AT_ONCE):
                for id, *row in some:
                    self.looked += 1
                    for where, kind, count, is_sure in self._row(names, row):
                        yield Finding(place, key.context, key.date, id, "", where, kind, count, is_sure)

    def _of_others(self, conn: Any, key: PartitionKey, place: str) -> Iterator[Finding]:
        """What is found in the tables that other programs made in a day, and in how they are defined."""
        self.looker.kinds.clear()
        for table, column in foreign_tables.found(conn, self.looker):
            for kind, count in self.looker.kinds.items():
                yield Finding(
                    place, key.context, key.date, None, "", f"{self.looker.text(table)}.{column}", kind, count
                )
            self.looker.kinds.clear()
        for what in foreign_tables.spelling(conn, self.looker):
            yield Finding(place, key.context, key.date, None, "", what, "secret", 1)

    def _row(self, names: Sequence[str], row: Sequence[Any]) -> Iterator[tuple[str, str, int, bool]]:
        """(field, kind, count, is sure) of what is found in one row."""
        for name, value in zip(names, row, strict=True):
            text = value if isinstance(value, str) else ""
            if isinstance(value, bytes) or '"_raw"' in text or self.looker.may_hold(text):
                yield from self._found(name, value)
            if self.suspicions and (count := self.looker.suspected(text)):
                yield name, SUSPECTED, count, False

    def _found(self, name: str, value: "str | bytes") -> Iterator[tuple[str, str, int, bool]]:
        self.looker.kinds.clear()
        one = cleaned(self.looker, (name,), (value,))
        if name in one.kept:
            for kind, count in self.looker.kinds.items():
                yield name, kind, count, True
        for changed, safe in one.values.items():
            places = _fields(changed, value, safe) or Counter(
                {(changed, kind): count for kind, count in self.looker.kinds.items()}
            )
            for (where, kind), count in (places or Counter({(changed, "secret"): 1})).items():
                yield where, kind, count, True

    def _spool(self, root: str) -> Iterator[Finding]:
        for path in [*spool.waiting(root), *spool.set_aside(root), *spool.unfinished(root)]:
            try:
                key, given, row, _ = spool.read(path)
            except BadInput:
                yield from self._file(root, path, SPOOL)
                yield from self._file(root, path + ".why", SPOOL)
                continue
            except OSError:
                continue  # drained meanwhile
            if places.matching([(key, given, row)], self.wanted):
                self.looked += 1
                names, texts = (*writer.ROW_COLUMNS, "why"), (*row[2:], spool.why(path))
                for where, kind, count, is_sure in self._row(names, texts):
                    name = os.path.relpath(path, root)
                    yield Finding(SPOOL, key.context, key.date, row[1], name, where, kind, count, is_sure)

    def _json(self, root: str) -> Iterator[Finding]:
        if not os.path.isdir(os.path.join(root, "json")):
            return
        from eyelet_ingest import json_files
        from eyelet_ingest.json_deletion import event_of

        for path in json_files.files(root, unfinished=True):
            try:
                given, event = event_of(json_files.read(path))
                key = layout.key_for(layout.safe_context(given), event.time_us)
            except (BadInput, ValueError, OverflowError):
                yield from self._file(root, path, JSON)
                continue
            except OSError:
                continue  # gone meanwhile
            row = writer.row_of(event)
            if places.matching([(key, given, row)], self.wanted):
                self.looked += 1
                for where, kind, count, is_sure in self._row(writer.ROW_COLUMNS, row[2:]):
                    name = os.path.relpath(path, root)
                    yield Finding(JSON, key.context, key.date, event.time_us, name, where, kind, count, is_sure)

    def _quarantine(self, root: str) -> Iterator[Finding]:
        if not is_there(os.path.join(root, "ingest.sqlite")):
            return
        from eyelet_ingest.ledger import Ledger

        with Ledger(root) as opened:
            for _, entry in opened.entries():
                if self.wanted.is_told_in(f"{entry.content}\n{entry.file}", entry.context, entry.at_us):
                    self.looked += 1
                    key = layout.key_for(entry.context, max(entry.at_us, 0))
                    texts = (entry.file, entry.reason, entry.content)
                    for where, kind, count, is_sure in self._row(("file", "reason", "content"), texts):
                        name = f"ingest.sqlite, line {entry.line}"
                        yield Finding(QUARANTINE, key.context, key.date, None, name, where, kind, count, is_sure)

    def _files(self, root: str) -> Iterator[Finding]:
        """The root's own files (audit, receipts, seals, settings, …), where all of the root is asked for."""
        if self.wanted != Wanted(Filter(), None):
            return
        for path in beside.files(root, self.catalog.partitions()):
            yield from self._file(root, path, FILES)

    def _file(self, root: str, path: str, place: str) -> Iterator[Finding]:
        """What is found in one file that is no event: in its text or, where it is a database, in every value."""
        name = os.path.relpath(path, root)
        if os.path.islink(path) or not os.path.isfile(path):
            return
        troubles: list[str] = []
        for where, content in beside.texts(path, troubles):
            self.looker.kinds.clear()
            if self.looker.bytes(content) is not content:
                for kind, count in self.looker.kinds.items():
                    yield Finding(place, "", "", None, name, where, kind, count)
        self.failed += [Unreadable("", "", f"{name}: {trouble}") for trouble in troubles]


def _fields(name: str, before: object, after: object) -> "Counter[tuple[str, str]]":
    """How many markers of each kind are new in which field of a column; fields of JSON as `data.tool_input.command`."""
    found: Counter[tuple[str, str]] = Counter()
    if name not in JSON_COLUMNS:
        _add(found, name, before, after)
        return found
    try:
        waiting: list[tuple[str, object, object]] = [(name, parse(str(before)), parse(str(after)))]
    except (BadInput, RecursionError):
        return found
    while waiting:
        path, old, new = waiting.pop()
        if isinstance(old, dict) and isinstance(new, dict) and len(old) == len(new):
            for (old_key, old_value), (key, value) in zip(old.items(), new.items(), strict=True):
                _add(found, path, old_key, key)
                waiting.append((f"{path}.{key}"[:PATH_MAX_CHARS], old_value, value))
        elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
            waiting += [(f"{path}[{at}]"[:PATH_MAX_CHARS], *pair) for at, pair in enumerate(zip(old, new, strict=True))]
        elif path == f"{name}._raw":
            _add(found, path, _plain(old), _plain(new))
        elif old != new:
            _add(found, path, old, new)
    return found


def _add(found: "Counter[tuple[str, str]]", path: str, before: object, after: object) -> None:
    if before == after:
        return
    was, now = (
        Counter(_MARKER.findall(one if isinstance(one, str) else json.dumps(one, default=str)))
        for one in (before, after)
    )
    for kind, count in (now - was).items():
        found[path, kind] += count


def _plain(value: object) -> str:
    """What is behind the base64 of a payload that was no JSON."""
    try:
        return b64decode(str(value)).decode("utf-8", "replace")
    except ValueError:
        return ""
