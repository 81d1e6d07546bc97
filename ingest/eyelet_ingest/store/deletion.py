"""Deleting: in one place after another, what is wanted gone; of the days, rows, and whole days as folders.

Each day is taken alone, under its lock, where no writer of ours can be. What goes is remembered first, so that no
import brings it back (`tombstones`). Rows go in one transaction with secure_delete on, and then from every byte of the
file (`erasing`). A day that goes as a whole goes in one step (`removal`); who reads it at that moment keeps what was
open. Whoever is killed has done all or nothing of each day, and what he left lying about goes with the next deletion.
Nothing is deleted of a day that is in trouble: it is named, and the others go on.
"""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from eyelet_ingest.errors import EyeletError, PartitionError, PartitionUnreadable
from eyelet_ingest.store import copies, erasing, layout, manifest, removal, schema, sealing, text_blooms, text_schema
from eyelet_ingest.store.answers import Unreadable
from eyelet_ingest.store.catalog import Catalog
from eyelet_ingest.store.connect import FileLock, is_passing, is_there, open_reader, open_writer, remedy, transaction
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.tombstones import Tombstones
from eyelet_ingest.store.wanted import Piece, Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eyelet_ingest.store.places import Place

DEADLINE_MS = 30_000  # for the lock of one day
DAYS = "days"  # the name of this place
DELETED, RETIRED = "deleted", "retired"  # what manifests and the register of seals say of it

# Called before the files of a day are removed: whoever has it open is to let go of it.
BeforeRemoval = Callable[[PartitionKey], object]


@dataclass(frozen=True, slots=True)
class DayDeleted:
    """What goes, or went, of one day in one place. `events` is None where a day that could not be read goes whole."""

    key: PartitionKey
    events: int | None
    whole: bool
    place: str = DAYS


@dataclass(frozen=True, slots=True)
class Deleted:
    """The days that hold, or held, what was to be deleted, and those where it could not be, or not without a trace.

    `elsewhere` is what went of the other places: spool, quarantine, archives. `unerased` are files of which a reader
    still needs what they held; their last bytes go when it is done.
    """

    dry_run: bool
    days: list[DayDeleted]
    failed: list[Unreadable]
    elsewhere: list[DayDeleted] = field(default_factory=list)
    unerased: list[str] = field(default_factory=list)

    @property
    def events(self) -> int:
        """How many events went of the days."""
        return sum(day.events or 0 for day in self.days)

    def and_of(self, other: "Deleted") -> "Deleted":
        """What went here and there."""
        return Deleted(
            self.dry_run,
            [*self.days, *other.days],
            [*self.failed, *other.failed],
            [*self.elsewhere, *other.elsewhere],
            [*self.unerased, *other.unerased],
        )


def delete(
    catalog: Catalog,
    wanted: Wanted,
    *,
    dry_run: bool,
    before_removal: BeforeRemoval | None = None,
    places: "Sequence[Place]" = (),
) -> Deleted:
    """Delete what is wanted gone, in the partitions of this catalog and in the other places; with `dry_run` only say
    what that would be. What could not be served is named in the result, never raised."""
    unerased: list[str] = []
    if not dry_run:
        removal.clean(catalog.root)
        if os.path.isdir(layout.archive_dir(catalog.root)):
            from eyelet_ingest.store import archives

            with suppress(EyeletError):  # who is at work there is waited for again where its archive is deleted from
                archives.clean(catalog.root)
        erasing.finish(catalog.root, DEADLINE_MS)
    days = DayByDay(catalog.root, wanted, before_removal)
    keys, _ = catalog.prune(
        since_us=wanted.where.since_us, until_us=wanted.where.until_us, contexts=wanted.contexts or ()
    )
    result = Deleted(dry_run, [], days.traces, [], unerased)
    for key in keys if wanted.contexts is None or wanted.contexts else ():
        try:
            day = days.planned(key) if dry_run else days.done(key)
        except EyeletError as bad:
            result.failed.append(Unreadable(key.context, key.date, f"{bad.reason} ({bad.hint})"))
            continue
        if day is not None:
            result.days.append(day)
    for place in places:
        try:
            result.elsewhere.extend(place.planned(wanted) if dry_run else place.done(wanted))
        except EyeletError as bad:
            result.failed.append(Unreadable("", "", f"{place.name}: {bad}"))
        result.failed.extend(place.failed)
    if not dry_run and not catalog.root.startswith(layout.MEMORY):
        with suppress(EyeletError):  # where it cannot be read, the days above have said so
            unerased += Tombstones.of(catalog.root).to_erase()
    return result


def retire(catalog: Catalog, wanted: Wanted, before_us: int) -> None:
    """Remember that all before this time was retired, of the wanted contexts that are named or have a day, or an
    archive."""
    archived = [] if catalog.root.startswith(layout.MEMORY) else catalog.archived()
    there = {key.context for key in (*catalog.partitions(), *archived)}
    contexts = {context for context in there if wanted.has_context(context)}
    stones = Tombstones.of(catalog.root)
    for context in sorted(contexts | (wanted.contexts or frozenset())):
        stones.retire(context, before_us)


class DayByDay:
    """One deletion against one day after another."""

    def __init__(
        self, root: str, wanted: Wanted, before_removal: BeforeRemoval | None = None, deadline_ms: int | None = None
    ) -> None:
        self.root, self.wanted, self.before_removal = root, wanted, before_removal
        self.deadline_ms = DEADLINE_MS if deadline_ms is None else deadline_ms
        self.stones = Tombstones.of(root)
        self.traces: list[Unreadable] = []  # days whose rows are gone, but not from every byte of the file

    def planned(self, key: PartitionKey) -> DayDeleted | None:
        """What would go of this day; None where that is nothing."""
        path = layout.db_path(self.root, key)
        if not is_there(path):
            return None
        whole = self.wanted.takes_whole(key)
        try:
            events: int | None = self._count(key, path)
        except PartitionError:
            if not whole:
                raise
            events = None
        return DayDeleted(key, events, whole) if whole or events else None

    def done(self, key: PartitionKey) -> DayDeleted | None:
        """Delete it; what went, or None where that was nothing."""
        try:
            return self._remove(key) if self.wanted.takes_whole(key) else self._delete_rows(key)
        except PartitionError:
            if is_there(layout.db_path(self.root, key)):
                raise
            return None  # another deletion was here meanwhile

    def _alone(self, key: PartitionKey) -> FileLock:
        deadline_ns = time.monotonic_ns() + self.deadline_ms * 1_000_000
        return FileLock(layout.lock_path(self.root, key), deadline_ns, make=False)

    def _count(self, key: PartitionKey, path: str) -> int:
        conn = open_reader(path)
        try:
            if not schema.is_ready(conn):
                return 0
            return sum(_count(conn, piece) for piece in self.wanted.pieces(key.context))
        except conn.DatabaseError as bad:
            raise PartitionUnreadable("read", path, *schema.diagnosis(conn, path, bad)) from bad
        finally:
            conn.close()

    def _delete_rows(self, key: PartitionKey) -> DayDeleted | None:
        path = layout.db_path(self.root, key)
        pieces = self.wanted.pieces(key.context)
        if not pieces or not is_there(path):
            return None
        with self._alone(key):
            if not is_there(path):  # removed while we waited
                return None
            conn = open_writer(path, busy_ms=self.deadline_ms)
            try:
                if not schema.is_ready(conn):
                    return None
                schema.bring_up(conn, path, key.context, key.context, key.bounds_us)
                erasing.prepare(conn)
                with transaction(conn):
                    events = self._go(conn, key, pieces)
                erased = bool(events) and self._erase(conn, key, path)
            except conn.DatabaseError as bad:
                raise PartitionUnreadable("delete from", path, str(bad), remedy(path, bad)) from bad
            finally:
                conn.close()  # under the lock: as the sole opener it checkpoints, and nobody else may write then
            if events and erased and erasing.is_erased(path):
                self.stones.erased(key.mount_name)
        if events:
            with suppress(EyeletError):  # maintenance seals it again: it is noted as written to
                sealing.reseal_after(self.root, key, DELETED)
        return DayDeleted(key, events, False) if events else None

    def _go(self, conn: Any, key: PartitionKey, pieces: list[Piece]) -> int:
        """Inside a transaction: remember what goes, and let it go; how many events that were."""
        conn.execute("create temp table going (id integer primary key, uid blob)")
        for condition, params in pieces:
            sql = f"insert or ignore into temp.going select id, uid from hooks{condition}"  # noqa: S608  bound values
            conn.execute(sql, params)
        events = int(conn.execute("select count(*) from temp.going").fetchone()[0])
        if events:
            manifest.reopen(self.root, key, DELETED)
            text_blooms.forget(self.root, key)
            self.stones.begin_erasing(key.mount_name)
            if not self.wanted.by_age:
                self.stones.remember(key.context, _uids(conn, "temp.going"))
            text_schema.drop(conn)
            conn.execute("delete from hooks where id in (select id from temp.going)")
            erasing.forget_samples(conn)
        conn.execute("drop table temp.going")
        return events

    def _erase(self, conn: Any, key: PartitionKey, path: str) -> bool:
        copies.remove_left(layout.partition_dir(self.root, key))
        try:
            erasing.erase(conn, path)
            return True
        except (conn.OperationalError, PartitionError, OSError) as bad:  # it needs room for the file once more
            reason = f"the events are deleted, but may still be read in the file: {bad} ({remedy(path, bad)})"
            self.traces.append(Unreadable(key.context, key.date, reason))
            return False

    def _remove(self, key: PartitionKey) -> DayDeleted | None:
        path = layout.db_path(self.root, key)
        folder = layout.partition_dir(self.root, key)
        if not is_there(folder) and not folder.startswith(layout.MEMORY):
            return None
        if self.before_removal is not None:
            self.before_removal(key)
        try:
            with self._alone(key):
                was_there = is_there(path)
                with self._no_writer(key, path) as events:
                    manifest.gone(self.root, key, RETIRED if self.wanted.by_age else DELETED)
                    hidden = removal.hide(self.root, key)
            removal.clear(self.root, hidden)
        except OSError as bad:
            reason = bad.strerror or str(bad)
            raise PartitionUnreadable("remove", path, reason, "may you write in this folder?") from bad
        return DayDeleted(key, events, True) if was_there else None

    @contextmanager
    def _no_writer(self, key: PartitionKey, path: str) -> "Iterator[int | None]":
        """Within this block no program writes to the day, where SQLite can open it; gives how many events it holds,
        which are remembered."""
        conn: Any = None
        try:
            if is_there(path):
                with suppress(PartitionError):  # what cannot be opened goes all the same
                    conn = open_writer(path, busy_ms=self.deadline_ms)
            yield self._held(conn, key, path) if conn else None
        finally:
            if conn is not None:
                conn.close()  # SQLite sees that its file has gone, and touches nothing where it was

    def _held(self, conn: Any, key: PartitionKey, path: str) -> int | None:
        try:
            conn.execute("begin immediate")
            return self._remembered(conn, key)
        except conn.Error as bad:
            if is_passing(str(bad)):
                raise PartitionUnreadable("remove", path, str(bad), "another program writes there: try again") from bad
            return None  # it cannot be read, and goes all the same

    def _remembered(self, conn: Any, key: PartitionKey) -> int:
        """Remember every event of the day; how many there are."""
        if not schema.is_ready(conn):
            return 0
        events = int(conn.execute("select count(*) from hooks").fetchone()[0])
        if not self.wanted.by_age:
            self.stones.remember(key.context, _uids(conn, "hooks"))
        return events


def _uids(conn: Any, table: str) -> "Iterator[bytes]":
    for (uid,) in conn.execute(f"select uid from {table} where uid is not null order by uid"):  # noqa: S608  our names
        yield uid


def _count(conn: Any, piece: Piece) -> int:
    condition, params = piece
    sql = f"select count(*) from hooks{condition}"  # noqa: S608  checked names, bound values
    return int(conn.execute(sql, params).fetchone()[0])
