"""The text index of a day, made by catch-up: what arrived since goes in, a little at a time; nobody waits for it.

A day's index holds the rows with `arrived` up to its watermark. Each slice is one short transaction under the day's
lock: the texts of some rows, by `hooks_text`, and the watermark behind them. Whoever is stopped has done some slices.
What changed since it was indexed stands in `eyelet_text_gone`, and is read like what is new; where that are many, the
index is made anew.
"""

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from eyelet_ingest.errors import PartitionBusy, PartitionError, PartitionUnreadable
from eyelet_ingest.store import layout, schema, text_schema
from eyelet_ingest.store.connect import (
    FileLock,
    bound_wal,
    driver,
    file_of,
    open_reader,
    open_writer,
    remedy,
    transaction,
)
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.text_schema import GONE, INDEX, TEXT_COLUMNS, TEXT_VERSION, VIEW, WATERMARK, WIDE
from eyelet_ingest.store.writer import ARRIVED_END

LOCK_MS = 200  # for the day's lock: who works there comes first
CLOSE_MS = 2_000
SLICE_MS = 20  # that a transaction of a day in use is to last
FIRST_ROWS = 64  # of the first slice; the next ones are as long as they were quick
MOST_ROWS = 4_000


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """What a catch-up did: rows put into the index, and whether the day is current now."""

    rows: int
    is_current: bool


def watermark(conn: Any) -> int | None:
    """Up to which `arrived` the index of this day goes; None where it has none that can be believed."""
    try:
        found = dict(conn.execute("select key, value from eyelet_partition where key in (?, ?)", (WATERMARK, _VERSION)))
    except conn.DatabaseError:
        return None
    upto = found.get(WATERMARK)
    return upto if type(upto) is int and found.get(_VERSION) == TEXT_VERSION else None


_VERSION = text_schema.VERSION_KEY


def catch_up(root: str, key: PartitionKey, deadline_ms: float) -> CaughtUp:
    """Put what arrived since into the index of a day, for about `deadline_ms`, making the index where there is none.

    PartitionBusy where others keep the day; PartitionUnreadable, PartitionNewer for a day that is in trouble.
    """
    until = time.perf_counter() + deadline_ms / 1000
    path = layout.db_path(root, key)
    file = file_of(path)
    if file is None:
        return CaughtUp(0, True)
    if is_current(path):
        return CaughtUp(0, True)
    with FileLock(layout.lock_path(root, key), time.monotonic_ns() + LOCK_MS * 1_000_000, make=False):
        conn = open_writer(path, busy_ms=LOCK_MS)
    rows, most, is_done = 0, FIRST_ROWS, False
    try:
        while not is_done and time.perf_counter() < until:
            with FileLock(layout.lock_path(root, key), time.monotonic_ns() + LOCK_MS * 1_000_000, make=False):
                if file_of(path) != file:
                    raise PartitionBusy("index", path, "it was removed meanwhile", "try again")
                began = time.perf_counter()
                schema.bring_up(conn, path, key.context, key.context, key.bounds_us)
                done, is_done = _slice(conn, most)
                bound_wal(conn, path, driver().sqlite_version)
                took_ms = (time.perf_counter() - began) * 1000
            rows += done
            most = max(1, min(MOST_ROWS, int(most * min(2.0, SLICE_MS / max(took_ms, 0.1)))))
            time.sleep(min(took_ms, SLICE_MS) / 1000)
        return CaughtUp(rows, is_done)
    except conn.DatabaseError as bad:
        if "locked" in str(bad) or "busy" in str(bad):
            raise PartitionBusy("index", path, str(bad), "try again") from bad
        raise PartitionUnreadable("index", path, str(bad), remedy(path, bad)) from bad
    finally:
        _close(root, key, conn)


def is_current(path: str) -> bool:
    """Whether the index of the day at `path` holds all that arrived, but for rows that changed."""
    reader = open_reader(path)
    try:
        upto = watermark(reader)
        if upto is None:
            return False
        behind = "select exists (select 1 from hooks where arrived > ? and arrived < ?)"
        return not reader.execute(behind, (upto, ARRIVED_END)).fetchone()[0]
    except reader.DatabaseError as bad:
        raise PartitionUnreadable("read", path, str(bad), remedy(path, bad)) from bad
    finally:
        reader.close()


def _slice(conn: Any, most: int) -> tuple[int, bool]:
    """One transaction: so many rows at most; how many it were, and whether none are left."""
    with transaction(conn):
        if watermark(conn) is None:
            text_schema.create(conn)
        found = conn.execute(_NEXT, (watermark(conn), ARRIVED_END, most)).fetchall()
        if not found:
            return 0, True
        conn.execute(f"create temp table if not exists slice as select * from {VIEW} limit 0")
        conn.executemany(f"insert into temp.slice select * from {VIEW} where id = ?", [(id,) for id, _ in found])
        conn.execute(_INDEX)
        conn.execute(_WIDE, (text_schema.WIDE_GLOB,))
        conn.execute("delete from temp.slice")
        conn.execute("update eyelet_partition set value = ? where key = ?", (found[-1][1], WATERMARK))
    return len(found), len(found) < most


_NEXT = "select id, arrived from hooks where arrived > ? and arrived < ? order by arrived limit ?"
_LIST = ", ".join(TEXT_COLUMNS)
_INDEX = f"insert into {INDEX} (rowid, {_LIST}) select id, {_LIST} from temp.slice"  # noqa: S608  our own names
_ALL = " || ' ' || ".join(f"coalesce({name}, '')" for name in TEXT_COLUMNS)
_WIDE = f"""
    insert or ignore into {WIDE} select id from (select id, replace({_ALL}, char(0), ' ') as said from temp.slice)
    where length(said) < length(cast(said as blob)) and said glob ?
"""  # noqa: S608  our own names


def _close(root: str, key: PartitionKey, conn: Any) -> None:
    """Close under the day's lock, as a sole opener's close checkpoints."""
    with suppress(PartitionError):
        deadline_ns = time.monotonic_ns() + CLOSE_MS * 1_000_000
        with FileLock(layout.lock_path(root, key), deadline_ns, make=False):
            conn.close()
    conn.close()
