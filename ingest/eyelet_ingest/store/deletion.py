"""Deleting: the rows that a filter finds, and days that lie whole in its range as files.

Each day is taken alone, under its lock, where no writer of ours can be. Rows go in one transaction with secure_delete
on; then the file is written anew, as SQLite leaves copies of rows it once moved in the gaps of its pages (measured:
of 300 deleted texts secure_delete alone left some to be read); and the WAL is emptied unless a reader needs it. A day
that goes as a whole goes file by file, the lock last; who reads it at that moment keeps what was open. Nothing is
deleted of a day that is in trouble: it is named, and the others go on.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from eyelet_ingest.errors import BadInput, PartitionError, PartitionUnreadable
from eyelet_ingest.store import copies, layout, schema, select
from eyelet_ingest.store.answers import Unreadable
from eyelet_ingest.store.catalog import Catalog
from eyelet_ingest.store.connect import (
    CACHE_KIB_SMALL,
    FileLock,
    driver,
    is_there,
    may_checkpoint,
    open_reader,
    open_writer,
    remedy,
    transaction,
)
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.select import Filter

DEADLINE_MS = 30_000  # for the lock of one day
CHECKPOINT_WAIT_MS = 1_000  # for readers that still need what was deleted

# Called before the files of a day are removed: whoever has it open is to let go of it.
BeforeRemoval = Callable[[PartitionKey], object]


@dataclass(frozen=True, slots=True)
class DayDeleted:
    """What goes, or went, of one day. `events` is None where a day that could not be read goes as a whole."""

    key: PartitionKey
    events: int | None
    whole: bool


@dataclass(frozen=True, slots=True)
class Deleted:
    """The days that hold, or held, what was to be deleted, and those where it could not be, or not without a trace."""

    dry_run: bool
    days: list[DayDeleted]
    failed: list[Unreadable]

    @property
    def events(self) -> int:
        return sum(day.events or 0 for day in self.days)


def delete(catalog: Catalog, where: Filter, *, dry_run: bool, before_removal: BeforeRemoval | None = None) -> Deleted:
    """Delete what matches, in the partitions of this catalog; with `dry_run` only say what that would be.

    BadInput for a filter without any condition, and for one that cannot be asked.
    """
    if where == Filter():
        raise BadInput("delete", reason="no condition was given, that would be everything", hint="say what is to go")
    deletion = _Deletion(catalog.root, where, before_removal)
    keys, _ = catalog.prune(
        since_us=where.since_us,
        until_us=where.until_us,
        contexts=[layout.safe_context(context) for context in where.contexts],
    )
    days: list[DayDeleted] = []
    failed: list[Unreadable] = []
    for key in keys:
        try:
            day = deletion.planned(key) if dry_run else deletion.done(key)
        except PartitionError as bad:
            failed.append(Unreadable(key.context, key.date, f"{bad.reason} ({bad.hint})"))
            continue
        if day is not None:
            days.append(day)
    return Deleted(dry_run, days, failed + deletion.traces)


class _Deletion:
    """One filter against one day after another."""

    def __init__(self, root: str, where: Filter, before_removal: BeforeRemoval | None) -> None:
        self.root, self.where, self.before_removal = root, where, before_removal
        in_range, range_params = select.id_range(where.since_us, where.until_us)
        clauses, params = select.conditions(where)
        self.condition = select.where_sql(in_range + clauses)
        self.params = range_params + params
        self.traces: list[Unreadable] = []  # days whose rows are gone, but not from every byte of the file

    def planned(self, key: PartitionKey) -> DayDeleted | None:
        """What would go of this day; None where that is nothing."""
        path = layout.db_path(self.root, key)
        if not is_there(path):
            return None
        whole = self._is_whole(key)
        try:
            events: int | None = self._count(path)
        except PartitionError:
            if not whole:
                raise
            events = None
        return DayDeleted(key, events, whole) if whole or events else None

    def done(self, key: PartitionKey) -> DayDeleted | None:
        """Delete it; what went, or None where that was nothing."""
        return self._remove(key) if self._is_whole(key) else self._delete_rows(key)

    def _is_whole(self, key: PartitionKey) -> bool:
        first_us, end_us = key.bounds_us
        since_us, until_us = self.where.since_us, self.where.until_us
        in_range = (since_us is None or since_us <= first_us) and (until_us is None or end_us <= until_us)
        return in_range and not self.where.on_rows()

    def _count(self, path: str) -> int:
        conn = open_reader(path)
        try:
            if not schema.is_ready(conn):
                return 0
            sql = f"select count(*) from hooks{self.condition}"  # noqa: S608  checked names, bound values
            return int(conn.execute(sql, self.params).fetchone()[0])
        except conn.DatabaseError as bad:
            raise PartitionUnreadable("read", path, *schema.diagnosis(conn, path, bad)) from bad
        finally:
            conn.close()

    def _delete_rows(self, key: PartitionKey) -> DayDeleted | None:
        path = layout.db_path(self.root, key)
        if not is_there(path):
            return None
        with _alone(self.root, key):
            if not is_there(path):  # removed while we waited
                return None
            conn = open_writer(path, busy_ms=DEADLINE_MS)
            try:
                if not schema.is_ready(conn):
                    return None
                schema.bring_up(conn, path, key.context, key.context, key.bounds_us)
                conn.execute("pragma secure_delete = on")
                conn.execute(f"pragma cache_size = -{CACHE_KIB_SMALL}")  # writing anew would fill the large one, twice
                with transaction(conn):
                    sql = f"delete from hooks{self.condition}"  # noqa: S608  checked names, bound values
                    events = int(conn.execute(sql, self.params).rowcount)
                    if events:
                        _forget_samples(conn)
                if events:
                    self._erase(conn, key, path)
            except conn.DatabaseError as bad:
                raise PartitionUnreadable("delete from", path, str(bad), remedy(path, bad)) from bad
            finally:
                conn.close()  # under the lock: as the sole opener it checkpoints, and nobody else may write then
        return DayDeleted(key, events, False) if events else None

    def _erase(self, conn: Any, key: PartitionKey, path: str) -> None:
        """Write the file anew without what was deleted, and empty the WAL, under the day's lock.

        The WAL stays where a reader needs it; closing, or the next writer, empties it then.
        """
        copies.remove_left(os.path.dirname(path))
        how = "truncate" if may_checkpoint(driver().sqlite_version) else "passive"
        try:
            conn.execute("vacuum")
            conn.execute(f"pragma busy_timeout = {CHECKPOINT_WAIT_MS}")
            conn.execute(f"pragma wal_checkpoint({how})").fetchone()
        except conn.OperationalError as bad:  # the disk is full: it needs room for the file once more
            reason = f"the events are deleted, but may still be read in the file: {bad} ({remedy(path, bad)})"
            self.traces.append(Unreadable(key.context, key.date, reason))

    def _remove(self, key: PartitionKey) -> DayDeleted | None:
        folder = layout.partition_dir(self.root, key)
        if not os.path.isdir(folder) and not folder.startswith(layout.MEMORY):
            return None
        if self.before_removal is not None:
            self.before_removal(key)
        path, lock = layout.db_path(self.root, key), layout.lock_path(self.root, key)
        try:
            with _alone(self.root, key):
                was_there = is_there(path)
                events = self._count_if_readable(path) if was_there else 0
                for side in ("-wal", "-shm", "-journal", ""):
                    _unlink(path + side)
                copies.remove_left(folder)
                _unlink(lock)  # last: who waits for it finds it gone, and takes a new one
        except OSError as bad:
            reason = bad.strerror or str(bad)
            raise PartitionUnreadable("remove", path, reason, "may you write in this folder?") from bad
        if not folder.startswith(layout.MEMORY):
            _remove_empty(folder, layout.logs_dir(self.root))
        return DayDeleted(key, events, True) if was_there else None

    def _count_if_readable(self, path: str) -> int | None:
        try:
            return self._count(path)
        except PartitionError:
            return None


def _forget_samples(conn: Any) -> None:
    """Some builds of SQLite keep values of some rows where somebody ran ANALYZE. (Our own statistics go by trigger.)"""
    if conn.execute("select exists (select 1 from sqlite_master where name = 'sqlite_stat4')").fetchone()[0]:
        conn.execute("delete from sqlite_stat4")


def _alone(root: str, key: PartitionKey) -> FileLock:
    return FileLock(layout.lock_path(root, key), time.monotonic_ns() + DEADLINE_MS * 1_000_000)


def _unlink(path: str) -> None:
    if path.startswith(layout.MEMORY):
        from eyelet_ingest.store import memory

        return memory.remove(path)
    with suppress(FileNotFoundError):
        os.unlink(path)


def _remove_empty(folder: str, end: str) -> None:
    """The folder and those above it below `end`, as far as they are empty."""
    while folder != end:
        try:
            os.rmdir(folder)
        except OSError:
            return
        folder = os.path.dirname(folder)
