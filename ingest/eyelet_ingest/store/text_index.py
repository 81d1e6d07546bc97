"""The text index of a day, made by catch-up: what arrived since goes in, a little at a time; nobody waits for it.

A day's index holds the rows with `arrived` up to its watermark. Each slice is one short transaction under the day's
lock: the texts of some rows, by `hooks_text`, and the watermark behind them. Whoever is stopped has done some slices.
What changed since it was indexed stands in `eyelet_text_gone`, and is read like what is new; where that are many, the
index is made anew. When the day is over, the index becomes one piece and gets the list of its terms (`finish`).

A sealed day is left as it is: who seals makes its index first.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from eyelet_ingest.errors import PartitionBusy, PartitionError, PartitionUnreadable
from eyelet_ingest.store import layout, manifest, schema, text_room, text_schema
from eyelet_ingest.store.connect import (
    FileLock,
    bound_wal,
    driver,
    file_of,
    is_passing,
    open_reader,
    open_writer,
    remedy,
    transaction,
)
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.text_schema import GONE, INDEX, KEYS, TERMS, TEXT_VERSION, WATERMARK, WIDE
from eyelet_ingest.store.text_slices import (
    Apart,
    facts,
    finish,
    is_behind,
    is_outworn,
    put_next,
    taken_apart,
    watermark,
)

LOCK_MS = 200  # for the day's lock: who works there comes first
CLOSE_MS = 2_000
BUILD_MS, BUILD_WAIT_MS = 3_600_000, 30_000  # for who asks for the whole
LIVE_US = 2 * 3_600_000_000  # a day that ended longer ago has few writers
SLICE_MS = {True: 15, False: 100}  # that a transaction lasts, of a day in use and of another
REST_MS = 12  # between two transactions of a day in use: all who wait for its lock ask for it meanwhile (POLL_MS)
FIRST_ROWS = 32  # of the first slice; the next ones are as long as they were quick
MOST_ROWS = 2_000
HAS_NO_FTS5 = "install pysqlite3-binary, or use a Python whose SQLite has FTS5: without it text is found by reading"


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """What a catch-up did: rows put into the index, whether the day is current now, and whether all is done that is
    ever to be: a day that is over is in one piece then."""

    rows: int
    is_current: bool
    is_finished: bool = False


@dataclass(frozen=True, slots=True)
class TextState:
    """How a day's index stands: `version` (0: none), rows it holds, rows that arrived since, rows changed since they
    were indexed, whether the day has its list of terms, and the bytes of all that."""

    version: int
    rows: int
    behind: int
    changed: int
    is_finished: bool
    bytes: int


def state(conn: Any) -> TextState:
    """How the index of the day that `conn` reads stands."""
    said = facts(conn).get(text_schema.VERSION_KEY)
    upto = watermark(conn)
    if upto is None:
        rows = int(conn.execute("select count(*) from hooks").fetchone()[0])
        return TextState(said if type(said) is int else 0, 0, rows, 0, False, 0)
    held, behind, changed = conn.execute(_STATE, (upto, upto)).fetchone()
    return TextState(TEXT_VERSION, held, behind, changed, is_finished(conn), _bytes(conn))


def is_finished(conn: Any) -> bool:
    """Whether the index is in one piece, with the list of its terms, and nothing was added since."""
    found = facts(conn)
    return WATERMARK in found and found.get(text_schema.FINISHED_KEY) == found[WATERMARK]


def is_current(conn: Any) -> bool:
    """Whether the index holds all that arrived, but for what changed since."""
    upto = watermark(conn)
    return upto is not None and not is_behind(conn, upto)


def is_over(key: PartitionKey) -> bool:
    """Whether the day ended so long ago that few write to it."""
    return key.bounds_us[1] + LIVE_US < time.time_ns() // 1_000


def is_sealed(root: str, key: PartitionKey) -> bool:
    """Whether the day is sealed and has to stay as it is."""
    if root.startswith(layout.MEMORY):
        return False
    known = manifest.read(root, key)
    return known is not None and not known.reopened


def catch_up(root: str, key: PartitionKey, deadline_ms: float, *, wait_ms: int = LOCK_MS) -> CaughtUp:
    """Put what arrived since into the index of a day, for about `deadline_ms`, making the index where there is none.

    A transaction waits `wait_ms` for its lock: PartitionBusy where others keep it longer, and where the disk has too
    little room left (`text_room.py`). PartitionUnreadable,
    PartitionNewer for a day that is in trouble, or where this SQLite has no FTS5. A sealed day stays as it is.
    """
    until = time.perf_counter() + deadline_ms / 1000
    path = layout.db_path(root, key)
    file = file_of(path)
    over = is_over(key)
    if file is None or (seen := _looked_at(path, over)).is_finished or (seen.is_current and not over):
        return CaughtUp(0, True, True)
    if is_sealed(root, key):
        return CaughtUp(0, seen.is_current, True)
    with _writing(root, key, file, wait_ms) as write:
        rows, is_done, most = 0, False, min(FIRST_ROWS, MOST_ROWS)
        apart: Apart | None = None
        while not is_done and (not rows or time.perf_counter() < until):  # some come in, however little time there is
            began = time.perf_counter()
            done, is_done, big = write(put_next, most, apart)
            took_ms = (time.perf_counter() - began) * 1000
            rows += done
            apart = None if big is None else _taken_apart(path, big)
            most = max(1, min(MOST_ROWS, int(most * min(2.0, SLICE_MS[not over] / max(took_ms, 0.1)))))
            if not over and not is_done:
                time.sleep(REST_MS / 1000)
        is_whole = is_done and not over
        while is_done and not is_whole and time.perf_counter() < until:
            is_whole = write(finish)
        return CaughtUp(rows, is_done, is_whole)


def complete(conn: Any) -> None:
    """All of the index at once, through a connection that may write, under the day's lock: for who is alone with it.
    Nothing where another program's table has its name."""
    if text_schema.taken(conn):
        return
    while not put_next(conn, MOST_ROWS, alone=True).is_done:
        pass
    while not finish(conn):
        pass


def build(root: str, key: PartitionKey) -> CaughtUp:
    """Catch up with a day to its end, as far as it is not going on; a sealed day that has no index, or an older one,
    is sealed again. Errors as of `catch_up`."""
    if is_sealed(root, key) and not read_state(root, key).is_finished:
        return rebuild(root, key)
    return catch_up(root, key, BUILD_MS, wait_ms=BUILD_WAIT_MS)


def rebuild(root: str, key: PartitionKey) -> CaughtUp:
    """Make the index of a day anew, whatever state it is in; a sealed day is sealed again. Errors as of `catch_up`."""
    from eyelet_ingest.store import sealing

    path = layout.db_path(root, key)
    if file_of(path) is None:
        return CaughtUp(0, True, True)
    text_room.expect(root, path)  # before the old one goes
    if is_sealed(root, key):
        with sealing.rewriting(root, key, sealing.INDEXED):
            _dropped(path)
        return CaughtUp(read_state(root, key).rows, True, True)
    with FileLock(layout.lock_path(root, key), time.monotonic_ns() + BUILD_WAIT_MS * 1_000_000, make=False):
        _dropped(path)
    return catch_up(root, key, BUILD_MS, wait_ms=BUILD_WAIT_MS)


def read_state(root: str, key: PartitionKey) -> TextState:
    """How the index of a day stands. PartitionUnreadable for a day that is not there, or in trouble."""
    path = layout.db_path(root, key)
    reader = open_reader(path)
    try:
        return state(reader)
    except reader.DatabaseError as bad:
        raise PartitionUnreadable("read", path, *schema.diagnosis(reader, path, bad)) from bad
    finally:
        reader.close()


def lacking(root: str, key: PartitionKey) -> int:
    """How many rows of a day its index does not hold as they are: what arrived or changed since. Quick where nothing is
    lacking. PartitionUnreadable as for `read_state`."""
    path = layout.db_path(root, key)
    reader = open_reader(path)
    try:
        upto = watermark(reader)
        if upto is None:
            return int(reader.execute("select count(*) from hooks").fetchone()[0])
        behind, changed = reader.execute(_LACKING, (upto, upto)).fetchone()
        return int(behind) + int(changed)
    except reader.DatabaseError as bad:
        raise PartitionUnreadable("read", path, *schema.diagnosis(reader, path, bad)) from bad
    finally:
        reader.close()


def drop(conn: Any) -> bool:
    """Take the index out of a day; False where it has none. Inside a transaction: for who deletes, or changes what
    other rows say. With `secure_delete` nothing of it is left; catch-up makes it anew."""
    return text_schema.drop(conn)


def _taken_apart(path: str, id: int) -> Apart:
    reader = open_reader(path)
    try:
        return taken_apart(reader, id)
    finally:
        reader.close()


def _dropped(path: str) -> None:
    conn = open_writer(path, busy_ms=BUILD_WAIT_MS)
    try:
        with transaction(conn):
            text_schema.drop(conn)
    except conn.DatabaseError as bad:
        raise _trouble(path, bad) from bad
    finally:
        conn.close()


def _looked_at(path: str, over: bool) -> CaughtUp:
    """Whether there is nothing to do, as a reader sees it."""
    reader = open_reader(path)
    try:
        if not schema.is_ready(reader):
            return CaughtUp(0, True, True)
        current = is_current(reader) and not is_outworn(reader)
        return CaughtUp(0, current, current and over and is_finished(reader))
    except reader.DatabaseError as bad:
        raise PartitionUnreadable("read", path, *schema.diagnosis(reader, path, bad)) from bad
    finally:
        reader.close()


@contextmanager
def _writing(root: str, key: PartitionKey, file: tuple[int, int], wait_ms: int) -> Iterator[Callable[..., Any]]:
    """Gives `write(work, …)`: `work(conn, …)` alone with the day, whose file still is `file`, the lock taken for it."""
    path, lock = layout.db_path(root, key), layout.lock_path(root, key)
    opened: list[Any] = []

    def write(work: Callable[..., Any], *given: object) -> Any:
        text_room.expect(root, path)
        with FileLock(lock, time.monotonic_ns() + wait_ms * 1_000_000, make=False):
            if file_of(path) != file or is_sealed(root, key):
                raise PartitionBusy("index", path, "it was removed or sealed meanwhile", "try again")
            if not opened:
                opened.append(open_writer(path, busy_ms=wait_ms))
            conn = opened[0]
            schema.bring_up(conn, path, key.context, key.context, key.bounds_us)
            done = work(conn, *given)
            bound_wal(conn, path, driver().sqlite_version)
            return done

    try:
        yield write
    except driver().DatabaseError as bad:
        raise _trouble(path, bad) from bad
    finally:
        for conn in opened:
            _close(lock, conn)


def _close(lock: str, conn: Any) -> None:
    """Close under the day's lock, as a sole opener's close checkpoints; a day that has gone has none."""
    with suppress(PartitionError), FileLock(lock, time.monotonic_ns() + CLOSE_MS * 1_000_000, make=False):
        conn.close()
    conn.close()


def _trouble(path: str, bad: Exception) -> PartitionError:
    reason = str(bad)
    if is_passing(reason):
        return PartitionBusy("index", path, reason, "another program writes there: try again")
    hint = HAS_NO_FTS5 if "no such module" in reason else remedy(path, bad)
    return PartitionUnreadable("index the text of", path, reason, hint)


def _bytes(conn: Any) -> int:
    """What the index weighs, without the pages that hold nothing else: 0 where this SQLite cannot tell."""
    names = (*text_schema.SHADOWS, KEYS, GONE, WIDE, TERMS)
    marks = ", ".join("?" * len(names))
    try:
        sql = f"select coalesce(sum(pgsize), 0) from dbstat where name in ({marks}) and aggregate"  # noqa: S608
        return int(conn.execute(sql, names).fetchone()[0])
    except conn.OperationalError:
        sql = f"select coalesce(sum(length(block)), 0) from {INDEX}_data"  # noqa: S608  our own name
        return int(conn.execute(sql).fetchone()[0])


_LACKING = f"""
    select (select count(*) from hooks where arrived > ? or arrived is null),
        (select count(*) from {GONE} where id in (select id from hooks where arrived <= ?))
"""  # noqa: S608  our own names
_STATE = _LACKING.replace("select", f"select (select count(*) from {INDEX}_docsize),", 1)  # noqa: S608  our own names
