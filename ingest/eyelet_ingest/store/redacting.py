"""Redacting what is stored: in one place after another, what a pattern or the rules say goes; the events stay.

It goes the way of deletion. Each day is taken alone, under its lock. First a reader looks for the events that change,
while others write; then, alone, these and what came meanwhile are rewritten in one transaction with secure_delete on,
and the file is written anew (`erasing`): no byte is left, not in its gaps nor in its WAL. Ids, uids and the order of
arrival stay: what is imported or synced again is known, and stays away as it was. A sealed day is sealed again.
Whoever is killed has changed all of a day or nothing; running it again goes on. What waits in the spool comes first, so
that no drain brings it into a day that was walked; archives come last, for the same reason.

It is longer than other files because a day's way, from the look at it to its receipt, is read here from top to bottom.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Protocol

from eyelet_ingest.errors import EyeletError, PartitionError, PartitionUnreadable
from eyelet_ingest.store import (
    copies,
    erasing,
    foreign_tables,
    identity,
    layout,
    manifest,
    removal,
    schema,
    sealing,
    text_blooms,
    text_schema,
)
from eyelet_ingest.store.answers import Unreadable
from eyelet_ingest.store.catalog import Catalog
from eyelet_ingest.store.cleaning import JSON_COLUMNS, Cleaned, Cleaning, cleaned, kept_raw, text_columns
from eyelet_ingest.store.connect import FileLock, is_there, open_reader, open_writer, remedy, transaction
from eyelet_ingest.store.digests import rows_digest
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.receipts import Receipt
from eyelet_ingest.store.redacted import DAYS, DayRedacted, Redacted
from eyelet_ingest.store.tombstones import Tombstones
from eyelet_ingest.store.wanted import Wanted

DEADLINE_MS = 30_000  # for the lock of one day
OTHERS = "tables of others"
REDACTED = "redacted"  # what manifests say of it
ROWS_AT_ONCE = 50

LetGo = Callable[[PartitionKey], object]


class Work:
    """One redaction of one root: what is wanted, what makes it clean, what came of it, and the receipt."""

    def __init__(
        self, root: str, wanted: Wanted, cleaning: Cleaning, result: Redacted, receipt: Receipt | None
    ) -> None:
        self.root, self.wanted, self.result, self.receipt = root, wanted, result, receipt
        self.cleaner = cleaning.cleaner(_key(root, makes=receipt is not None))
        self.stones = Tombstones.of(root)

    @property
    def go(self) -> bool:
        return self.receipt is not None

    def clean(self, names: Sequence[str], row: Sequence[Any]) -> Cleaned:
        """What changes of this row; the secrets are remembered."""
        found = cleaned(self.cleaner, names, row)
        if found.values:
            self.result.took(self.cleaner)
        return found

    def text_of_no_event(self, raw: bytes, context: str, met_us: int) -> bytes:
        """What is to stand in a file that should hold an event, and holds none; the same object where nothing goes, or
        where nobody can tell that it is wanted."""
        if not self.wanted.is_told_in(raw.decode("utf-8", "replace"), context, met_us):
            return raw
        self.cleaner.taken.clear()
        safe = self.cleaner.bytes(raw)
        self.result.took(self.cleaner)
        return safe

    def failed(self, key: PartitionKey | None, reason: str) -> None:
        """A day, or a place, in trouble; without what goes, where a name or another program says it."""
        context, day = (key.context, key.date) if key else ("", "")
        self.result.failed.append(Unreadable(context, day, self.cleaner.text(reason)))

    def gave_up(self, key: PartitionKey | None, reason: str) -> None:
        """`failed`, and what the receipt announced of it did not come about."""
        self.failed(key, reason)
        if self.receipt is not None:
            with suppress(EyeletError):  # a full disk: the next that is written has it
                self.receipt.failed()


def _key(root: str, makes: bool) -> bytes:
    """The root's key; where it has none, and none is to be made, one that is thrown away."""
    if not makes and not root.startswith(layout.MEMORY) and not os.path.lexists(os.path.join(root, "secret.key")):
        return os.urandom(identity.KEY_BYTES)
    return identity.load_key(root)


class Place(Protocol):
    """Where recorded data lies besides the days. EyeletError of it is named in the result, and hinders no other."""

    name: str

    def redact(self, work: Work) -> Iterator[DayRedacted]:
        """What changes there, day by day; with `work.go` it has changed when it is given."""


def redact(
    catalog: Catalog, wanted: Wanted, cleaning: Cleaning, *, dry_run: bool, let_go: LetGo, asked: dict[str, object]
) -> Redacted:
    """Redact what is wanted in the partitions of this catalog and in the other places of its root; with `dry_run` only
    say what that would be. What could not be served is named in the result, never raised; RootError where no receipt
    can be written."""
    root = catalog.root
    result = Redacted(dry_run)
    receipt = None
    if not dry_run:
        said = {"what": cleaning.told(identity.load_key(root)), "asked": asked}
        receipt = Receipt(root, said)
        _finish_what_was_stopped(root)
    work = Work(root, wanted, cleaning, result, receipt)
    before, after = _places(root)
    _walk(before, work)
    _days(catalog, work, let_go)
    _walk(after, work)
    if not root.startswith(layout.MEMORY) and not wanted.chooses:
        from eyelet_ingest.store.redacted_places import say_what_others_hold

        say_what_others_hold(work, catalog.partitions())
    if receipt is not None:
        _say_what_is_left(work, receipt)
    return result


def _places(root: str) -> tuple[list[Place], list[Place]]:
    """Those to be walked before the days, and those after them."""
    if root.startswith(layout.MEMORY):
        return [], []
    from eyelet_ingest.store.redacted_places import redacted_places

    return redacted_places(root)


def _walk(places: list[Place], work: Work) -> None:
    for place in places:
        try:
            for day in place.redact(work):
                work.result.days.append(day)
        except EyeletError as bad:
            work.gave_up(None, f"{place.name}: {bad}")


def _days(catalog: Catalog, work: Work, let_go: LetGo) -> None:
    wanted = work.wanted
    keys, _ = catalog.prune(
        since_us=wanted.where.since_us, until_us=wanted.where.until_us, contexts=wanted.contexts or ()
    )
    for key in keys if wanted.contexts is None or wanted.contexts else ():
        try:
            let_go(key)
            day = redact_day(work, key)
        except EyeletError as bad:
            work.gave_up(key, f"{bad.reason} ({bad.hint})")
            continue
        if day is not None:
            work.result.days.append(day)


def redact_day(work: Work, key: PartitionKey) -> DayRedacted | None:
    """Redact one day; what changed, or would, or None where that is nothing. PartitionError where it is in trouble."""
    path = layout.db_path(work.root, key)
    if not is_there(path):
        return None
    found = _looked(work, key, path)
    if work.go and (found.changes or found.of_others):
        return _rewritten(work, key, path, found)
    if work.go:
        _finish_seal(work.root, key)
    return found.day if found.day.columns or found.day.kept else None


class _Looked:
    """What a reader found of a day: the ids of what changes, and the newest arrival it saw."""

    __slots__ = ("changes", "day", "newest", "of_others")

    def __init__(self, day: DayRedacted, changes: list[int], newest: int, of_others: bool) -> None:
        self.day, self.changes, self.newest, self.of_others = day, changes, newest, of_others


def _looked(work: Work, key: PartitionKey, path: str) -> _Looked:
    day = DayRedacted(key, DAYS)
    conn = open_reader(path)
    try:
        if not schema.is_ready(conn):
            return _Looked(day, [], 0, False)
        conn.execute("begin")
        newest = conn.execute(
            "select coalesce(max(arrived), 0) from hooks where typeof(arrived) = 'integer'"
        ).fetchone()[0]
        changes = []
        names = text_columns(conn)
        for condition, params in work.wanted.pieces(key.context):
            for id, _, row in _rows(conn, names, condition, params):
                one = work.clean(names, row)
                day.add(one)
                if one.values:
                    changes.append(id)
        of_others = foreign_tables.holding(conn, work.cleaner)
        for name in of_others:
            day.columns[f"{OTHERS}: {work.cleaner.text(name)}"] += 1
        say_spelt(work, conn, key)
        if (day.columns or not work.wanted.chooses) and _is_named(work, conn, key):
            day.kept["context"] += 1
        return _Looked(day, changes, newest, bool(of_others))
    except conn.DatabaseError as bad:
        raise PartitionUnreadable("read", path, *schema.diagnosis(conn, path, bad)) from bad
    finally:
        conn.close()


def _is_named(work: Work, conn: Any, key: PartitionKey) -> bool:
    """Whether the context of the day is called so, as it was given or as its folder."""
    sql = "select value from eyelet_partition where key = 'given' and typeof(value) = 'text'"
    names = [key.context, *(name for (name,) in conn.execute(sql))]
    return any(work.cleaner.text(name) is not name for name in names)


def _rows(
    conn: Any, names: Sequence[str], condition: str, params: Sequence[object]
) -> Iterator[tuple[int, Any, tuple[Any, ...]]]:
    """The id, the uid and these columns of the rows, in order of id."""
    columns = ", ".join(f'"{name}"' for name in names)
    sql = f"select id, uid, {columns} from hooks{condition} order by id"  # noqa: S608  our own names, bound values
    found = conn.execute(sql, params)
    while some := found.fetchmany(ROWS_AT_ONCE):
        for id, uid, *row in some:
            yield id, uid, tuple(row)


def _rewritten(work: Work, key: PartitionKey, path: str, found: _Looked) -> DayRedacted | None:
    assert work.receipt is not None
    deadline_ns = time.monotonic_ns() + DEADLINE_MS * 1_000_000
    with FileLock(layout.lock_path(work.root, key), deadline_ns, make=False):
        if not is_there(path):
            return None
        conn = open_writer(path, busy_ms=DEADLINE_MS)
        try:
            schema.bring_up(conn, path, key.context, key.context, key.bounds_us)
            erasing.prepare(conn)
            erasing.empty_wal(conn)
            with transaction(conn):
                day = _rewrite(work, conn, key, found)
                if day.columns:
                    manifest.reopen(work.root, key, REDACTED)
                    text_blooms.forget(work.root, key)
                    work.stones.begin_erasing(key.mount_name)
                    work.receipt.about(day.told())
            if not day.columns:
                return None
            work.receipt.done()
            erased = _erase(work, conn, key, path)
        except conn.DatabaseError as bad:
            raise PartitionUnreadable("redact", path, str(bad), remedy(path, bad)) from bad
        finally:
            conn.close()  # under the lock: as the sole opener it checkpoints, and nobody else may write then
        if erased and erasing.is_erased(path):
            work.stones.erased(key.mount_name)
    with suppress(EyeletError):  # maintenance seals it again: it is noted as written to
        sealing.reseal_after(work.root, key, REDACTED)
    return day


def _rewrite(work: Work, conn: Any, key: PartitionKey, found: _Looked) -> DayRedacted:
    """Inside a transaction: the events that were found, and those that came since."""
    day = DayRedacted(key, DAYS)
    _, day.before = rows_digest(conn, schema.COLUMNS, None)
    rewrite_rows(work, conn, day, found)
    day.kept = found.day.kept
    clean_others(work, conn, day)
    if day.columns:
        text_schema.drop(conn)
        erasing.forget_samples(conn)
    _, day.after = rows_digest(conn, schema.COLUMNS, None)
    return day


def clean_others(work: Work, conn: Any, day: DayRedacted) -> None:
    """Inside a transaction: the same in the tables of others, once ours are clean; what refuses is named."""
    cleaned, refused = foreign_tables.clean(conn, work.cleaner, changed=bool(day.events))
    safe = work.cleaner.text
    day.columns.update(f"{OTHERS}: {safe(name)}" for name in cleaned)
    for name in refused if work.go else ():
        work.failed(
            day.key, f"its text index {safe(name)} of another program cannot be made anew: it may still hold it"
        )
    for name in foreign_tables.holding(conn, work.cleaner) if work.go else ():
        work.failed(day.key, f"its table {safe(name)} of another program still holds it: change it there")


def say_spelt(work: Work, conn: Any, key: PartitionKey) -> None:
    """Name what of others says in its definition what goes; that stays."""
    for what in foreign_tables.spelling(conn, work.cleaner):
        work.failed(key, f"its {what} of another program has it in its definition: drop it, or make it anew without")


def rewrite_rows(work: Work, conn: Any, day: DayRedacted, found: "_Looked | None" = None) -> None:
    """Inside a transaction: clean all that is wanted of a day or, where somebody looked before, what he found and what
    came since; counted in `day`."""
    names = text_columns(conn)
    conn.execute("create temp table changing (id integer primary key)")
    if found is not None:
        conn.executemany("insert into temp.changing values (?)", ((id,) for id in found.changes))
    newest = -(2**63) if found is None else found.newest
    for condition, params in work.wanted.pieces(day.key.context):
        more = f"{condition} and" if condition else " where"
        since = "(arrived > ? or typeof(arrived) <> 'integer')"
        sql = f"insert or ignore into temp.changing select id from hooks{more} {since}"  # noqa: S608  bound values
        conn.execute(sql, [*params, newest])
    last = -(2**63)
    uids: list[bytes] = []
    while True:
        condition = " where id in (select id from temp.changing where id > ? order by id limit ?)"
        some = list(_rows(conn, names, condition, (last, ROWS_AT_ONCE)))
        if not some:
            break
        for id, uid, row in some:
            one = work.clean(names, row)
            day.add(one)
            if one.values:
                _update(conn, id, one.values)
                uids += [uid] if isinstance(uid, bytes) else []
            last = id
    conn.execute("drop table temp.changing")
    if uids and work.go:
        work.stones.remember_redacted(day.key.context, uids)


def _update(conn: Any, id: int, values: dict[str, object]) -> None:
    sets = ", ".join(f'"{name}" = ?' for name in values)
    sql = f"update hooks set {sets} where id = ?"  # noqa: S608  columns of the table
    try:
        conn.execute(sql, [*values.values(), id])
    except conn.IntegrityError:  # the row is older than its check, or somebody wrote it without
        kept = {name: kept_raw(str(one)) if name in JSON_COLUMNS else one for name, one in values.items()}
        conn.execute(sql, [*kept.values(), id])


def _erase(work: Work, conn: Any, key: PartitionKey, path: str) -> bool:
    copies.remove_left(layout.partition_dir(work.root, key))
    try:
        erasing.erase(conn, path)
        return True
    except (conn.OperationalError, PartitionError, OSError) as bad:  # it needs room for the file once more
        reason = f"what went may still be read in the file: {bad} ({remedy(path, bad)})"
        work.failed(key, reason)
        return False


def _finish_seal(root: str, key: PartitionKey) -> None:
    """Seal a day again whose redaction was stopped before that."""
    with suppress(EyeletError):
        known = manifest.read(root, key)
        if known is not None and known.reopened == REDACTED:
            with sealing.alone(root, key):
                copies.remove_left(layout.partition_dir(root, key))
            sealing.reseal_after(root, key, REDACTED)


def finish(catalog: Catalog) -> None:
    """Finish what was stopped: bytes that are to be erased still, days that are to be sealed again."""
    if catalog.root.startswith(layout.MEMORY):
        return
    _finish_what_was_stopped(catalog.root)
    for key in catalog.partitions():
        _finish_seal(catalog.root, key)


def _finish_what_was_stopped(root: str) -> None:
    """What others left behind where they were stopped, as before a deletion."""
    removal.clean(root)
    if os.path.isdir(layout.archive_dir(root)):
        from eyelet_ingest.store import archives

        with suppress(EyeletError):  # who is at work there is waited for again where its archive is redacted
            archives.clean(root)
    erasing.finish(root, DEADLINE_MS)
    if not root.startswith(layout.MEMORY):
        from eyelet_ingest.store.redacted_places import remove_left

        remove_left(root)


def _say_what_is_left(work: Work, receipt: Receipt) -> None:
    if not work.root.startswith(layout.MEMORY):
        with suppress(EyeletError):
            work.result.unerased.extend(work.stones.to_erase())
    failed = [{"context": bad.context, "day": bad.day, "error": bad.error} for bad in work.result.failed]
    try:
        receipt.finish({"events": work.result.events, "failed": failed, "unerased": work.result.unerased})
    except EyeletError as bad:  # what was done, and what was not, is said all the same
        work.failed(None, str(bad))
    if receipt.path:
        work.result.receipts.append(receipt.path)
