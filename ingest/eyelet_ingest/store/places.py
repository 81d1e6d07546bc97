"""The places that hold recorded data besides the days: each says what would go of it, and makes it go.

A deletion walks the days first and then every place; one that learns to hold recorded data joins the list here.
"""

import os
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

from eyelet_ingest.errors import BadInput, EyeletError
from eyelet_ingest.store import layout, schema, spool, writer
from eyelet_ingest.store.answers import Unreadable
from eyelet_ingest.store.connect import FileLock, driver, is_there, transaction
from eyelet_ingest.store.deletion import DayDeleted
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.tombstones import Tombstones
from eyelet_ingest.store.wanted import Wanted

if TYPE_CHECKING:
    from eyelet_ingest.store.writer import Row

DEADLINE_MS = 10_000


class Place(Protocol):
    """Where recorded data lies. EyeletError of either is named in the deletion's result, and hinders no other place."""

    name: str
    failed: list[Unreadable]  # single days of it that could not be served

    def planned(self, wanted: Wanted) -> list[DayDeleted]:
        """What would go, day by day."""

    def done(self, wanted: Wanted) -> list[DayDeleted]:
        """Make it go, from every byte; what went. Remembered before, where it has a uid (`Tombstones`)."""


def places(root: str, *, archives: bool = True) -> list[Place]:
    """Those of one root, in the order in which they are walked. A root in memory has none."""
    if root.startswith(layout.MEMORY):
        return []
    found: list[Place] = [Spool(root)]
    if archives and os.path.isdir(os.path.join(root, "archive")):
        from eyelet_ingest.store.archived_deletion import Archives

        found.append(Archives(root))
    if os.path.isdir(os.path.join(root, "json")):
        from eyelet_ingest.json_deletion import JsonFiles

        found.append(JsonFiles(root))
    if is_there(os.path.join(root, "ingest.sqlite")):
        from eyelet_ingest.remembered import Remembered

        found.append(Remembered(root))
    return found


class Walked:
    """A place of one root that is walked the same way to say what would go and to make it go."""

    name: str

    def __init__(self, root: str) -> None:
        self.root = root
        self.failed: list[Unreadable] = []

    def planned(self, wanted: Wanted) -> list[DayDeleted]:
        return self._walk(wanted, go=False)

    def done(self, wanted: Wanted) -> list[DayDeleted]:
        return self._walk(wanted, go=True)

    def _walk(self, wanted: Wanted, *, go: bool) -> list[DayDeleted]:
        """What is wanted gone, day by day; with `go` it is gone then."""
        raise NotImplementedError


class Spool(Walked):
    """Events that wait for their day because it could not take them, and files that turned out to be none."""

    name = "spool"

    def done(self, wanted: Wanted) -> list[DayDeleted]:
        if not self._walk(wanted, go=False):
            return []
        lock = FileLock(os.path.join(self.root, "spool", "drain.lock"), time.monotonic_ns() + DEADLINE_MS * 1_000_000)
        with lock:  # no drain is at work between what is remembered and what is removed
            return self._walk(wanted, go=True)

    def _walk(self, wanted: Wanted, *, go: bool) -> list[DayDeleted]:
        counts: dict[PartitionKey, int] = {}
        # One that is being written is put elsewhere by its writer, should he still be there: it is remembered.
        for path in [*spool.waiting(self.root), *spool.unfinished(self.root), *spool.set_aside(self.root)]:
            try:
                key = layout.key_from_mount_name(os.path.basename(path).removesuffix(".json").split("-", 2)[-1])
                if key is None and wanted.contexts is None:  # its name says no day: that of when it came
                    key = layout.key_for(layout.DEFAULT_CONTEXT, met_us(path))
                if key is None or not wanted.has_context(key.context):
                    continue
                uid = self._wants(path, key.context, wanted)
            except OSError:
                continue  # drained meanwhile
            if uid is None:
                continue
            counts[key] = counts.get(key, 0) + 1
            if go:
                if uid:  # by age, too: its context need have no horizon
                    Tombstones.of(self.root).remember(key.context, [uid])
                spool.remove(path)
        return [DayDeleted(key, events, False, self.name) for key, events in sorted(counts.items())]

    def _wants(self, path: str, context: str, wanted: Wanted) -> bytes | None:
        """The uid of the event in this file, if it is to go; b"" where it is no event and all the same; else None."""
        try:
            key, given, row, _ = spool.read(path)
        except BadInput:
            with open(path, "rb") as file:
                text = file.read().decode("utf-8", "replace")
            return b"" if wanted.is_told_in(text, context, met_us(path)) else None
        if wanted.prompts:  # which rows a prompt has is worked out from the days: here is what names it
            return row[0] if wanted.is_told_in(row[-2], key.context, row[1]) else None
        return row[0] if matching([(key, given, row)], wanted) else None


def met_us(path: str) -> int:
    """When a file that waits came, as its name says, or that of the file; OSError where it is gone."""
    received_ns = os.path.basename(path).lstrip(".").split("-")[0]
    if received_ns.isascii() and received_ns.isdigit() and int(received_ns[:20]) < time.time_ns():
        return int(received_ns[:20]) // 1_000
    return max(os.lstat(path).st_mtime_ns // 1_000, 0)


def matching(events: "Iterable[tuple[PartitionKey, str, Row]]", wanted: Wanted) -> set[bytes]:
    """The uids of those of these (day, context as given, row) that are to go: the very question that days are asked."""
    found: set[bytes] = set()
    for key, given, row in events:
        if not wanted.has_context(key.context) or not wanted.in_time(row[1]):
            continue
        conn = driver().connect(":memory:", isolation_level=None)
        try:
            schema.bring_up(conn, ":memory:", key.context, given, key.bounds_us)
            with transaction(conn):
                writer.insert_rows(conn, key, [row])
            if any(_is_any(conn, *piece) for piece in wanted.pieces(key.context, any_time=True)):
                found.add(row[0])
        except conn.Error as bad:
            raise EyeletError("look at", "an event that waits", str(bad)) from bad
        finally:
            conn.close()
    return found


def _is_any(conn: Any, condition: str, params: list[object]) -> bool:
    sql = f"select exists (select 1 from hooks{condition})"  # noqa: S608  checked names, bound values
    return bool(conn.execute(sql, params).fetchone()[0])
