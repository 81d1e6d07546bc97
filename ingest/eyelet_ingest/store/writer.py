"""The only INSERT: rows into one partition, each event once, in one transaction under the day's lock.

Plain code, like everything the hook imports. A row travels as a tuple: uid, time_us, then the values of
`schema.COLUMNS` from `session_id` on; id, arrived and timestamp are given here, where the taken ones are known.
"""

import time

from eyelet_ingest.errors import PartitionBusy, PartitionUnreadable
from eyelet_ingest.store import layout, schema
from eyelet_ingest.store.connect import FileLock, bound_wal, driver, is_there, open_writer, pause, transaction, trouble
from eyelet_ingest.store.rows import key_of as key_of
from eyelet_ingest.store.rows import raw_payload as raw_payload
from eyelet_ingest.store.rows import row_of as row_of
from eyelet_ingest.store.rows import withheld_payload as withheld_payload
from eyelet_ingest.system import os

TYPE_CHECKING = False  # importing typing costs the hook more than its insert
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from eyelet_ingest.store.rows import Row as Row

ROW_COLUMNS = schema.COLUMNS[4:]
CHUNK = 500  # values in one `in (…)`: SQLite before 3.32 allows 999
WAL_BYTES = 1 << 20  # a longer one is not left behind: whoever opens it as the first has to read it
STATEMENT_ROWS = 32  # times 23 columns: likewise
SLACK_MS = 20  # by which a wait may be too long: telling SQLite costs a tenth of an insert
NULL_BY_DEFAULT = frozenset(
    (
        *("tool_name", "tool_use_id", "agent", "agent_id", "role", "model", "duration_ms"),
        *("project_dir", "hostname", "ip_address"),
    )
)
ARRIVED_END = 2**62  # what is beyond, and text sorts there too, somebody wrote by hand: nothing follows on it
INT64 = range(-(2**63), 2**63)


def insert(
    root: str,
    key: layout.PartitionKey,
    given: str,
    rows: "list[Row]",
    deadline_ns: int,
    *,
    chosen: "Any" = None,
    sift: "Callable[[list[Row]], list[Row]] | None" = None,
    left_open: "list[Any] | None" = None,
    told: "list[int] | None" = None,
) -> int:
    """Store what is new of `rows`, all of the day `key`, and return how many that were; the rest was known.

    Lock, open, commit and close, tried again with growing pauses, all before `deadline_ns` (time.monotonic_ns):
    PartitionBusy where others keep the day until then, PartitionUnreadable or PartitionNewer where it cannot be
    written. A payload that passes for JSON everywhere but in SQLite is kept as `{"_raw": …, "_why": …}`. `sift` is
    asked under the day's lock which of the rows may be stored at all.

    `left_open` is for a process that ends at once: as long as the WAL is short, the connection is put there instead of
    being closed, which would checkpoint it: two to four fsyncs, 20 ms on a disk, in a life of 10. `told` is a list of
    two counts: tries that began anew, and locks that others had, are added to them.
    """
    path = layout.db_path(root, key)
    if sift and not is_there(path) and not sift(rows):
        return 0  # nothing that would make the day
    tries = 0
    while True:
        try:
            with FileLock(layout.lock_path(root, key), deadline_ns, alarm=chosen is not None) as lock:
                if told is not None:
                    told[1] += lock.waited
                allowed = sift(rows) if sift else rows
                if sift and not allowed:
                    return 0
                busy_ms = max(1, (deadline_ns - time.monotonic_ns()) // 1_000_000)
                conn = open_writer(path, busy_ms=busy_ms, chosen=chosen, small=chosen is not None)
                stored = -1
                try:
                    version = (chosen or driver()).sqlite_version
                    stored = store(conn, path, key, given, allowed, version, busy_ms, deadline_ns)
                    return stored
                finally:
                    if stored >= 0 and left_open is not None and _has_short_wal(path):
                        left_open.append(conn)
                    else:
                        conn.close()  # under the lock: the sole opener checkpoints, and nobody else may write then
        except PartitionBusy:
            tries += 1
            if told is not None:
                told[0] += 1
            if not pause(tries, deadline_ns):
                raise


def _has_short_wal(path: str) -> bool:
    """Whether there is a WAL, and the next opener reads it in no time: 0.1 ms for 30 rows of 1 KB."""
    try:
        return os.stat(path + "-wal").st_size < WAL_BYTES
    except OSError:
        return False  # a roll-back journal: there is nothing to be spared


def store(
    conn: "Any",
    path: str,
    key: layout.PartitionKey,
    given: str,
    rows: "list[Row]",
    sqlite_version: str,
    busy_ms: int,
    deadline_ns: int,
) -> int:
    """`insert` through an open connection, once; `busy_ms` is how long it waits for other programs, shortened here.

    The caller holds the day's lock; after an error it closes `conn`.
    """
    try:
        schema.bring_up(conn, path, key.context, given, key.bounds_us, inserting=True)
        busy_ms = shortened(conn, busy_ms, deadline_ns)
        try:
            with transaction(conn):
                stored = insert_rows(conn, key, rows, _lies_beyond(conn, rows))
                shortened(conn, busy_ms, deadline_ns)  # with a roll-back journal the commit waits for readers
        except (conn.IntegrityError, OverflowError, UnicodeError):
            fitting = [_fitting(conn, row) for row in rows]
            with transaction(conn):
                stored = insert_rows(conn, key, fitting)
    except conn.DatabaseError as bad:
        raise trouble("write to", path, bad) from bad
    bound_wal(conn, path, sqlite_version)
    return stored


def shortened(conn: "Any", busy_ms: int, deadline_ns: int) -> int:
    """How long SQLite waits at its next lock: what is left until the deadline, where that is notably less than
    `busy_ms`. It would wait as long at every lock, one after another."""
    left_ms = max(1, (deadline_ns - time.monotonic_ns()) // 1_000_000)
    if left_ms > busy_ms - SLACK_MS:
        return busy_ms
    conn.execute(f"pragma busy_timeout = {left_ms}")
    return left_ms


def _fitting(conn: "Any", row: "Row") -> "Row":
    """The row with values that SQLite takes: text as UTF-8, integers of 64 bits, a payload that is JSON."""
    values = list(row)
    for at, value in enumerate(values):
        if isinstance(value, str):
            values[at] = value.encode("utf-8", "replace").decode()
        elif type(value) is int and value not in INT64:
            values[at] = float(value) if -(10**300) < value < 10**300 else None
    at = len(ROW_COLUMNS)  # uid and time stand before, so data is the last but one
    data = values[at]
    if not conn.execute("select json_valid(?)", (data,)).fetchone()[0]:
        values[at] = raw_payload(data.encode(), "SQLite does not take it as JSON")
    return tuple(values)


def insert_rows(conn: "Any", key: layout.PartitionKey, rows: "list[Row]", are_new: bool = False) -> int:
    """Insert the rows whose uid the partition does not hold yet; returns how many. Inside a transaction.

    `are_new` spares looking for their uids; the unique index holds all the same, and IntegrityError says it was wrong.
    """
    fresh = _first_of_each(rows) if are_new else _unknown(conn, rows)
    if not fresh:
        return 0
    last = conn.execute("select max(arrived) from hooks where arrived < ?", (ARRIVED_END,)).fetchone()[0] or 0
    arrived = max(int(last) + 1, time.time_ns() // 1_000)
    ids = allocate(conn, key, [row[1] for row in fresh])
    if len(fresh) == 1:
        conn.execute(schema.INSERT, (ids[0], fresh[0][0], arrived, ids[0] / 1e6, *fresh[0][2:]))
    else:
        _insert_many(conn, fresh, ids, arrived)
    return len(fresh)


def insert_whole(conn: "Any", rows: "list[tuple[Any, ...]]") -> None:
    """Insert rows as another partition held them, a value for each of `schema.COLUMNS`. Inside a transaction.

    Bytes of a text that are no UTF-8 come as surrogates (`surrogateescape`), and a uid or arrived that is null stays
    null: the trigger for rows made by hand does not see it. IntegrityError for what the table refuses.
    """
    whole = [row for row in rows if row[1] is not None and row[2] is not None]
    conn.execute("savepoint whole")
    try:
        conn.executemany(schema.INSERT, whole)
    except UnicodeEncodeError:
        conn.execute("rollback to whole")
        for row in whole:
            _insert_bytes(conn, row)
    conn.execute("release whole")
    if len(whole) == len(rows):
        return
    for row in rows:
        if row[1] is None or row[2] is None:
            taken = conn.execute("select coalesce(min(arrived), 0) from hooks where arrived < 1").fetchone()[0]
            uid, arrived = (os.urandom(16) if row[1] is None else row[1]), (taken - 1 if row[2] is None else row[2])
            _insert_bytes(conn, (row[0], uid, arrived, *row[3:]))
            values, marks = _as_bytes(row[1:3])
            set_both = f"update hooks set uid = {marks[0]}, arrived = {marks[1]} where id = ?"  # noqa: S608  our marks
            conn.execute(set_both, (*values, row[0]))


def _insert_bytes(conn: "Any", row: "tuple[Any, ...]") -> None:
    """One row whose texts may be no UTF-8."""
    values, marks = _as_bytes(row)
    conn.execute(schema.insert_of(schema.COLUMNS).replace(", ".join("?" * len(row)), ", ".join(marks)), values)


def _as_bytes(row: "tuple[Any, ...]") -> "tuple[list[Any], list[str]]":
    """The values as the driver takes them, and a mark for each: a text that may be no UTF-8 goes as bytes."""
    are_text = [isinstance(value, str) for value in row]
    values = [
        value.encode("utf-8", "surrogateescape") if is_text else value
        for value, is_text in zip(row, are_text, strict=True)
    ]
    return values, ["cast(? as text)" if is_text else "?" for is_text in are_text]


def _insert_many(conn: "Any", rows: "list[Row]", ids: "list[int]", arrived: int) -> None:
    """Insert rows with the ids given, in their order; `arrived` is the first one's.

    The driver takes text, numbers and a bytearray as they are. Of anything else, None and bytes too, it looks for an
    adapter, which cost a third of the insert. So columns that are null in all the rows are left to their default.
    Several rows a statement spare opening all the indexes for each.
    """
    from itertools import chain
    from operator import itemgetter

    kept = [at for at, name in enumerate(ROW_COLUMNS, 2) if name not in NULL_BY_DEFAULT or _has_value(rows, at)]
    pick = itemgetter(*kept)
    names = (*schema.COLUMNS[:4], *(ROW_COLUMNS[at - 2] for at in kept))
    whole = [(ids[at], _blob(row[0]), arrived + at, ids[at] / 1e6, *pick(row)) for at, row in enumerate(rows)]
    even = len(whole) // STATEMENT_ROWS * STATEMENT_ROWS
    groups = (chain.from_iterable(whole[at : at + STATEMENT_ROWS]) for at in range(0, even, STATEMENT_ROWS))
    conn.executemany(schema.insert_of(names, STATEMENT_ROWS), map(tuple, groups))
    conn.executemany(schema.insert_of(names), whole[even:])


def _blob(uid: object) -> object:
    return bytearray(uid) if isinstance(uid, bytes) else uid


def _has_value(rows: "list[Row]", at: int) -> bool:
    return any(row[at] is not None for row in rows)


def _lies_beyond(conn: "Any", rows: "list[Row]") -> bool:
    """Whether every row is later than all the partition holds: a known event would have the time it has there."""
    newest = conn.execute("select max(id) from hooks").fetchone()[0]
    return newest is None or min(row[1] for row in rows) > newest


def _first_of_each(rows: "list[Row]") -> "list[Row]":
    by_uid: dict[bytes, Row] = {}
    for row in rows:
        by_uid.setdefault(row[0], row)
    return list(by_uid.values()) if len(by_uid) < len(rows) else rows


def _unknown(conn: "Any", rows: "list[Row]") -> "list[Row]":
    """The rows whose uid is new to the partition, the first of each uid."""
    by_uid: dict[bytes, Row] = {row[0]: row for row in _first_of_each(rows)}
    uids = list(by_uid)
    for start in range(0, len(uids), CHUNK):
        some = uids[start : start + CHUNK]
        marks = ",".join("?" * len(some))
        for (known,) in conn.execute(f"select uid from hooks where uid in ({marks})", some):  # noqa: S608  marks only
            del by_uid[known]
    return list(by_uid.values())


def allocate(
    conn: "Any", key: layout.PartitionKey, times_us: "list[int]", given_out: "list[int] | tuple[()]" = ()
) -> "list[int]":
    """An id for each time: the time itself, moved on to the next free microsecond, never out of the day.

    One pass with a cursor: what is taken is asked for in ranges, never one by one (quadratic for equal times).
    """
    first, end = key.bounds_us
    taken = _Taken(conn)
    are_free = not given_out and len(set(times_us)) == len(times_us) and min(times_us) > taken.known_to
    if are_free and first <= min(times_us) and max(times_us) < end:
        return times_us
    taken.mine.update(given_out)
    ids = [0] * len(times_us)
    for at in sorted(range(len(times_us)), key=times_us.__getitem__):
        time_us = times_us[at]
        found = taken.free_from(time_us)
        if found >= end:
            found = taken.free_below(min(time_us, end - 1))
        if found < first:
            raise PartitionUnreadable("write to", key.mount_name, "every microsecond of the day is taken")
        ids[at] = found
        taken.add(found)
    return ids


class _Taken:
    """Which ids are in use: those of the partition, read in runs, and those given out in this batch.

    It is asked for times in rising order, and that is what makes one pass of it: a run that was read once is
    stepped over by every later time inside it.
    """

    def __init__(self, conn: "Any") -> None:
        self.conn = conn
        self.mine: set[int] = set()
        self.skip: dict[int, int] = {}  # an id that is taken → where to look next
        self.run = (0, 0)  # the run of the partition's ids that was read last: first, end
        newest = conn.execute("select max(id) from hooks").fetchone()[0]
        self.known_to = newest if newest is not None else -1  # nothing of the partition lies above
        self.below: Iterator[tuple[int]] | None = None  # the partition's ids downwards, once the day's end is full
        self.below_at = self.below_next = 0

    def add(self, used: int) -> None:
        self.mine.add(used)

    def free_from(self, time_us: int) -> int:
        """The first free id from `time_us` on."""
        at, passed = time_us, []
        while True:
            if at in self.skip:
                following = self.skip[at]
            elif at in self.mine:
                following = at + 1
            else:
                following = self._run_end(at)
            if following == at:
                break
            passed.append(at)
            at = following
        for step in passed:
            self.skip[step] = at
        return at

    def free_below(self, time_us: int) -> int:
        """The last free id up to `time_us`, above which all are taken to the day's end."""
        if self.below is None:
            self.below_at = time_us
            self.below = self.conn.execute("select id from hooks where id <= ? order by id desc", (time_us,))
            self.below_next = next(self.below, (-1,))[0]
        while True:
            if self.below_next == self.below_at:
                self.below_next = next(self.below, (-1,))[0]
            elif self.below_at not in self.mine:
                return self.below_at
            self.below_at -= 1

    def _run_end(self, at: int) -> int:
        """The first id from `at` on that the partition does not hold."""
        first, end = self.run
        if first <= at < end:
            return end
        if at > self.known_to:
            return at
        first = at
        for (used,) in self.conn.execute("select id from hooks where id >= ? order by id", (at,)):
            if used != at:
                break
            at += 1
        self.run = (first, at)
        return at
