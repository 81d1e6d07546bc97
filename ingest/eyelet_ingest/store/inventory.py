"""Which days there are, in days and in archives, and what is known of each: for people who look after them."""

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from eyelet_ingest.errors import EyeletError, PartitionUnreadable
from eyelet_ingest.store import archives, connect, layout, manifest, schema, sealing
from eyelet_ingest.store.catalog import Catalog
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.statistics import snapshot


@dataclass(frozen=True, slots=True)
class Day:
    """One day: `events`, `first_id` and `last_id` are None where it is not there or cannot be read, `error` says why.

    `bytes` is the database, `wal_bytes` what stands beside it, `archive_bytes` its archive (0 without one). `late` is
    how many events came since it was sealed; `sealed_us` when that was, None where it has no seal; `reopened` which
    command of ours wrote to it since.
    """

    key: PartitionKey
    events: int | None = None
    bytes: int = 0
    wal_bytes: int = 0
    first_id: int | None = None
    last_id: int | None = None
    schema_version: int | None = None
    sealed_us: int | None = None
    late: int = 0
    reopened: str = ""
    archive_bytes: int = 0
    only_archived: bool = False
    error: str = ""

    @property
    def state(self) -> str:
        """In a word or two: unreadable, archived, open, sealed, and of a sealed one late or reopened."""
        if self.error:
            return "unreadable"
        if self.only_archived:
            return "archived"
        if self.sealed_us is None:
            return "open"
        return "reopened" if self.reopened else f"sealed, {self.late} late" if self.late else "sealed"


def days(catalog: Catalog, keys: Collection[PartitionKey] | None = None) -> Iterator[Day]:
    """What is known of these days, of all where None, oldest first. What cannot be read is said, never raised."""
    root = catalog.root
    found = set(catalog.partitions()) | set(archives.keys(root))
    for key in sorted(found if keys is None else found & set(keys)):
        if (day := _day(root, key)) is not None:
            yield day


def version(root: str, key: PartitionKey) -> int | None:
    """The version of a day's schema; None where nothing is there yet."""
    path = layout.db_path(root, key)
    if not connect.is_there(path):
        return None
    conn = connect.open_reader(path)
    try:
        return schema.version_of(conn) or None
    except conn.DatabaseError as bad:
        raise PartitionUnreadable("read", path, *schema.diagnosis(conn, path, bad)) from bad
    finally:
        conn.close()


def _day(root: str, key: PartitionKey) -> Day | None:
    path = layout.db_path(root, key)
    day = Day(key, archive_bytes=_size(archives.path_of(root, key)))
    if not connect.is_there(path):
        return replace(day, only_archived=True) if day.archive_bytes else None
    day = replace(day, bytes=_size(path), wal_bytes=_size(layout.side_path(path, "-wal")))
    try:
        known = None if root.startswith(layout.MEMORY) else manifest.read(root, key)
        if known is not None:
            day = replace(day, sealed_us=known.newest.sealed_us, reopened=known.reopened)
        return _read(day, path, known)
    except EyeletError as bad:
        return replace(day, error=f"{bad.reason} ({bad.hint})" if bad.hint else bad.reason)


def _read(day: Day, path: str, known: "manifest.Manifest | None") -> Day:
    conn = connect.open_reader(path)
    try:
        if not schema.is_ready(conn):
            return replace(day, events=0)
        with snapshot(conn):
            events, first_id, last_id = conn.execute("select count(*), min(id), max(id) from hooks").fetchone()
            late = 0 if known is None else sealing.late_events(conn, known.newest)
            version = schema.version_of(conn)
        return replace(day, events=events, first_id=first_id, last_id=last_id, schema_version=version, late=late)
    except conn.DatabaseError as bad:
        raise PartitionUnreadable("read", path, *schema.diagnosis(conn, path, bad)) from bad
    finally:
        conn.close()


def _size(path: str) -> int:
    try:
        return 0 if path.startswith(layout.MEMORY) else os.path.getsize(path)
    except OSError:
        return 0
