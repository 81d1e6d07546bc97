"""Whole rows on their way from one partition to another: every column as it stands, each event once.

An event is known by its uid; so what is carried twice is stored once, and whoever is stopped anywhere may begin anew.
Its id is kept unless another event has it: then it moves on, as an event of that time would. `arrived` is kept where
it is later than all that the partition holds, which is always so where the transfer makes the partition; else the
event has arrived now. So it only rises, and who follows a partition by it (sync) misses nothing that was carried in.

Text is read so that its bytes come back as they were: what is no UTF-8 becomes surrogates, and bytes again.
"""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from eyelet_ingest.errors import PartitionBusy, PartitionUnreadable
from eyelet_ingest.store import layout, schema, select, writer
from eyelet_ingest.store.connect import (
    FileLock,
    bound_wal,
    driver,
    is_there,
    open_reader,
    open_writer,
    pause,
    transaction,
    trouble,
)
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.tombstones import Tombstones

WholeRow = tuple[Any, ...]  # a value for each of schema.COLUMNS
Clean = Callable[[Sequence[WholeRow]], Sequence[WholeRow]]  # rows → the same ones without what must not come in
ID, UID, ARRIVED, TIMESTAMP = range(4)
DEADLINE_MS = 30_000  # for one batch of one day
CHUNK = 500  # values in one `in (…)`: SQLite before 3.32 allows 999
BATCH_ROWS, BATCH_CHARS = 1_000, 8 * 2**20  # carried together
_EXACT = partial(str, encoding="utf-8", errors="surrogateescape")
_NAMES = ", ".join(schema.COLUMNS)
_LAST = 2**63 - 1
# Just below the end that writers know, a made-up arrival would leave no room for what follows on it: it is not kept.
ARRIVED_MOST = writer.ARRIVED_END - 2**40


@dataclass(slots=True)
class Stored:
    """What became of rows: stored, known already, deleted earlier (tombstones), and refused (which one, why)."""

    stored: int = 0
    known: int = 0
    dead: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)


@contextmanager
def reading(path: str, *, settled: bool = False) -> Generator[Any, None, None]:
    """A connection that reads the partition at `path` exactly; `settled`: nobody writes it, and nothing is made beside
    it. SQLite's errors become PartitionUnreadable. So does what is no table of ours: a view may have no end."""
    conn = open_reader(path, settled=settled)
    try:
        conn.text_factory = _EXACT
        _expect_tables(conn, path)
        yield conn
    except conn.DatabaseError as bad:
        raise PartitionUnreadable("read", path, *schema.diagnosis(conn, path, bad)) from bad
    finally:
        conn.close()


def _expect_tables(conn: Any, path: str) -> None:
    views = "select name from sqlite_master where type = 'view' and lower(name) in ('hooks', 'eyelet_partition')"
    for (name,) in conn.execute(views):
        raise PartitionUnreadable("read", path, f"its {name} is a view, no table", schema.NOT_OURS)
    ids = conn.execute("select upper(type), pk from pragma_table_info('hooks') where name = 'id'").fetchall()
    if ids not in ([], [("INTEGER", 1)]):
        raise PartitionUnreadable("read", path, "the ids in it need not be whole numbers", schema.NOT_OURS)


def given_name(conn: Any, key: PartitionKey) -> str:
    """The context's name as it was given."""
    row = conn.execute("select value from eyelet_partition where key = 'given'").fetchone()
    return row[0] if row and isinstance(row[0], str) else key.context


def rows_of(conn: Any, clauses: Sequence[str] = (), params: Sequence[object] = ()) -> Iterator[WholeRow]:
    """The partition's rows in the order of their arrival, those without one first; in one snapshot."""
    if schema.is_ready(conn):
        sql = f"select {_NAMES} from hooks{select.where_sql(list(clauses))} order by arrived"  # noqa: S608  our own names
        # Not from the cursor itself: who is interrupted would close it after its connection, which is an error.
        yield from iter(conn.execute(sql, list(params)).fetchone, None)


def batches(rows: Iterator[WholeRow]) -> Iterator[list[WholeRow]]:
    """The rows in lists of BATCH_ROWS at most, and of BATCH_CHARS and one row."""
    batch: list[WholeRow] = []
    chars = 0
    for row in rows:
        batch.append(row)
        chars += chars_of(row)
        if len(batch) == BATCH_ROWS or chars >= BATCH_CHARS:
            yield batch
            batch, chars = [], 0
    if batch:
        yield batch


def chars_of(row: WholeRow) -> int:
    return sum(len(value) for value in row[4:] if isinstance(value, (str, bytes)))


def store(
    root: str,
    key: PartitionKey,
    given: str,
    rows: Sequence[WholeRow],
    *,
    force: bool = False,
    deadline_ms: int = DEADLINE_MS,
) -> Stored:
    """Store those of `rows` that are new to the day `key`, in one transaction under its lock.

    What was deleted there is not stored, unless `force` says so: then it counts as deleted no longer.
    PartitionBusy where others keep the day until the deadline, PartitionUnreadable or PartitionNewer where it cannot
    be written. A row that the table refuses is named in the result, and hinders no other.
    """
    path = layout.db_path(root, key)
    deadline_ns = time.monotonic_ns() + deadline_ms * 1_000_000
    tries = 0
    while True:
        try:
            with FileLock(layout.lock_path(root, key), deadline_ns):
                conn = open_writer(path, busy_ms=max(1, (deadline_ns - time.monotonic_ns()) // 1_000_000))
                try:
                    return store_into(conn, root, path, key, given, rows, force)
                finally:
                    conn.close()  # under the lock: as the sole opener it checkpoints, and nobody else may write then
        except PartitionBusy:
            tries += 1
            if not pause(tries, deadline_ns):
                raise


def planned(root: str, key: PartitionKey, rows: Sequence[WholeRow], *, force: bool = False) -> Stored:
    """What `store` would do; nothing is changed, and what the table would refuse is not known."""
    path = layout.db_path(root, key)
    if not is_there(path):
        return _sorted_out(None, root, key, list(enumerate(rows)), force)[0]
    with reading(path) as conn:
        return _sorted_out(conn if schema.is_ready(conn) else None, root, key, list(enumerate(rows)), force)[0]


Numbered = list[tuple[int, WholeRow]]


def store_into(
    conn: Any, root: str, path: str, key: PartitionKey, given: str, rows: Sequence[WholeRow], force: bool
) -> Stored:
    """`store` through an open connection, once: to the day's own database under its lock, or to one that is to take its
    place. What goes wrong names `path`."""
    conn.text_factory = _EXACT
    try:
        schema.bring_up(conn, path, key.context, given, key.bounds_us, inserting=True)
        with transaction(conn):
            done, fresh = _sorted_out(conn, root, key, list(enumerate(rows)), force)
            _insert(conn, _placed(conn, key, fresh), done)
    except conn.DatabaseError as bad:
        raise trouble("write to", path, bad) from bad
    bound_wal(conn, path, driver().sqlite_version)
    return done


def _sorted_out(conn: Any, root: str, key: PartitionKey, rows: Numbered, force: bool) -> tuple[Stored, Numbered]:
    """The counts, and the rows that are new here and were not deleted; `conn` is None where the day is not there."""
    refused = [(at, "its id is no whole number") for at, row in rows if type(row[ID]) is not int]
    rows = [one for one in rows if type(one[1][ID]) is int]
    new = _unknown(conn, rows)
    done = Stored(known=len(rows) - len(new), refused=refused)
    stones = Tombstones.of(root)
    dead: set[object] = set()
    if stones.are_there():
        asked = [(row[UID], row[ID]) for _, row in new if isinstance(row[UID], bytes)]
        dead = set(stones.dead(key.context, asked)) | stones.redacted(key.context, [uid for uid, _ in asked])
        if force and dead:
            stones.forget(key.context, [uid for uid, _ in asked if uid in dead])
            dead = set()
    fresh = [(at, row) for at, row in new if row[UID] not in dead]
    done.dead = len(new) - len(fresh)
    done.stored = len(fresh)
    return done, fresh


def _unknown(conn: Any, rows: Numbered) -> Numbered:
    """The first row of each uid that the partition does not hold; one without a uid is known by its id."""
    seen: set[object] = set()
    if conn is not None:
        seen |= _there(conn, "uid", [row[UID] for _, row in rows if row[UID] is not None])
        nameless = [row[ID] for _, row in rows if row[UID] is None]
        seen |= {(one,) for one in _there(conn, "id", nameless, " and uid is null")}
    new: Numbered = []
    for at, row in rows:
        name = (row[ID],) if row[UID] is None else row[UID]
        if name not in seen:
            seen.add(name)
            new.append((at, row))
    return new


def _there(conn: Any, column: str, values: Sequence[object], also: str = "") -> set[object]:
    """Those of `values` that the column holds."""
    found: set[object] = set()
    for start in range(0, len(values), CHUNK):
        some = values[start : start + CHUNK]
        marks = ",".join("cast(? as text)" if isinstance(one, str) else "?" for one in some)
        bound = [one.encode("utf-8", "surrogateescape") if isinstance(one, str) else one for one in some]
        sql = f"select {column} from hooks where {column} in ({marks}){also}"  # noqa: S608  our own names, marks
        found.update(one for (one,) in conn.execute(sql, bound))
    return found


def _placed(conn: Any, key: PartitionKey, rows: Numbered) -> Numbered:
    """The rows with the id and the arrived that they get here."""
    ids = _ids(conn, key, [row[ID] for _, row in rows])
    arrived = _arrived(conn, [row[ARRIVED] for _, row in rows])
    placed: Numbered = []
    for (at, row), new_id, new_arrived in zip(rows, ids, arrived, strict=True):
        follows = new_id != row[ID] and row[TIMESTAMP] == row[ID] / 1e6
        placed.append((at, (new_id, row[UID], new_arrived, new_id / 1e6 if follows else row[TIMESTAMP], *row[4:])))
    return placed


def _ids(conn: Any, key: PartitionKey, wanted: list[int]) -> list[int]:
    """Each as it is wanted, where it is free; the others move on."""
    taken = _there(conn, "id", wanted)
    ids: list[int | None] = []
    for one in wanted:
        ids.append(None if one in taken else one)
        taken.add(one)
    moving = [at for at, one in enumerate(ids) if one is None]
    if moving:
        first_us, end_us = key.bounds_us
        times_us = [min(max(wanted[at], first_us), end_us - 1) for at in moving]
        kept = [one for one in ids if one is not None]
        for at, found in zip(moving, writer.allocate(conn, key, times_us, kept), strict=True):
            ids[at] = found
    return [one for one in ids if one is not None]


def _arrived(conn: Any, wanted: list[Any]) -> list[Any]:
    """Each as it was, where it is later than all that is here; the others in their order after that."""
    newest = conn.execute("select max(arrived) from hooks where arrived < ?", (writer.ARRIVED_END,)).fetchone()[0]
    last = int(newest) if newest is not None else -(2**63) - 1
    odd = _there(conn, "arrived", [one for one in wanted if one is not None and not is_arrival(one)])
    arrived = list(wanted)
    late: list[int] = []
    for at in sorted(range(len(wanted)), key=lambda at: wanted[at] if is_arrival(wanted[at]) else -_LAST):
        one = wanted[at]
        if is_arrival(one) and last < one <= ARRIVED_MOST:
            last = one
        elif is_arrival(one) or (one is not None and one in odd):
            late.append(at)
        else:
            odd.add(one)
    following = max(last + 1, time.time_ns() // 1_000)
    for number, at in enumerate(late):
        arrived[at] = following + number
    return arrived


def is_arrival(arrived: object) -> bool:
    """Whether it is a number that others may follow on, as all are that were not made by hand."""
    return type(arrived) is int and arrived < writer.ARRIVED_END


def _insert(conn: Any, rows: Numbered, done: Stored) -> None:
    """All at once; where the table refuses something, one by one, to know what."""
    conn.execute("savepoint together")
    try:
        writer.insert_whole(conn, [row for _, row in rows])
    except (conn.IntegrityError, conn.DataError, OverflowError):
        conn.execute("rollback to together")
        for at, row in rows:
            conn.execute("savepoint one")
            try:
                writer.insert_whole(conn, [row])
            except (conn.IntegrityError, conn.DataError, OverflowError) as bad:
                conn.execute("rollback to one")
                done.refused.append((at, f"the day does not take it: {bad}"))
                done.stored -= 1
            conn.execute("release one")
    conn.execute("release together")
