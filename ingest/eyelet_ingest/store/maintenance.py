"""Finished days get statistics, for counts that need not read them, and are analysed, for plans that fit them.

A little at a time, by whoever has a moment: a command at its end, the server between two requests; never the hook. The
rows are added up from a read-only connection that hinders nobody; only then is the day's lock taken, for as long as it
takes to write some hundred rows, and only if nothing was committed meanwhile. Whoever is stopped anywhere has done
nothing or all of some hours. To be called again and again: a day that has all it needs costs a look.

Then a day is sealed that is due for it, one at a time: where that was asked for, and where events came late to a sealed
one (`sealing.is_due`).
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from random import randrange
from typing import Any

from eyelet_ingest.errors import EyeletError, PartitionBusy, PartitionError, PartitionUnreadable
from eyelet_ingest.store import layout, schema, sealing, statistics
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
from eyelet_ingest.store.statistics import FIELDS, HOUR_OF_ID, HOUR_US, HOURS
from eyelet_ingest.store.writer import ARRIVED_END

FINISHED_AFTER_US = HOUR_US  # what was spooled at midnight has come by then
LEAST_EVENTS = 500  # a day with fewer is read as fast as its statistics
SLICE_MS = 100  # of adding up, between two writes
LOCK_MS = 20  # for the day's lock: who works there comes first
LATE_MOST = 500  # events that came after their hour was counted: more are counted anew
RECENT = 32  # partitions that are always looked at first
ANALYSIS_ROWS = 1_000  # of each index


@dataclass(frozen=True, slots=True)
class Maintained:
    """What was done: days that have all they need now, hours counted, days `sealed`; `left` days were
    busy, or not come to in time.

    `troubled` are days that could not be maintained, and why.
    """

    days: int
    hours: int
    left: int
    troubled: list[tuple[PartitionKey, str]]
    sealed: int = 0


class Maintenance:
    """The maintenance of one root by one process; it remembers the days it found in order. Of one thread at a time."""

    def __init__(self, root: str, least_events: int = LEAST_EVENTS, seals: bool = True) -> None:
        self.root, self.least_events, self.seals = root, least_events, seals
        self._done: dict[PartitionKey, tuple[int, ...]] = {}  # the state of the files that were found in order
        self._seal_after: int | None = None  # of this run: days

    def run(self, keys: list[PartitionKey], deadline_ms: float, first: Iterable[PartitionKey] = ()) -> Maintained:
        """Maintain finished days among `keys` (oldest first) for about `deadline_ms`: those of `first`, then the
        newest, then the others from a random one on. At most one hour of events is added up beyond the deadline."""
        until = time.perf_counter() + deadline_ms / 1000
        now_us = time.time_ns() // 1_000
        self._look_up_settings()
        days = hours = left = sealed = 0
        troubled: list[tuple[PartitionKey, str]] = []
        for key in in_order(keys, first):
            if time.perf_counter() >= until:
                left += 1
                break
            if key.bounds_us[1] + FINISHED_AFTER_US > now_us or self._done.get(key) == (state := self._state(key)):
                continue
            try:
                counted, complete = self._day(key, until)
                settled = complete
                if complete and self.seals:
                    now, settled = self._sealed(key, now_us, may=not sealed)
                    sealed += now
            except PartitionBusy:
                left += 1
                continue
            except PartitionError as bad:
                troubled.append((key, f"{bad.reason} ({bad.hint})"))
                self._done[key] = state
                continue
            hours += counted
            left += not complete
            days += complete and counted > 0
            if settled:
                self._done[key] = self._state(key)
        return Maintained(days, hours, left, troubled, sealed)

    def _look_up_settings(self) -> None:
        """After how many days a day is sealed; where that is not what it was, all are looked at again."""
        after = None
        if self.seals:
            with suppress(EyeletError):  # `eyelet seal` says what is wrong with the settings
                after = sealing.after_days(self.root)
        if after != self._seal_after:
            self._seal_after = after
            self._done.clear()

    def _sealed(self, key: PartitionKey, now_us: int, may: bool) -> tuple[bool, bool]:
        """Seal a day if it is due and this run `may`: whether it was sealed, and whether it needs no further look."""
        is_due = sealing.is_due(self.root, key, self._seal_after, now_us)
        if not is_due or not may:
            return False, is_due is False
        sealing.seal(self.root, key)
        return True, True

    def _day(self, key: PartitionKey, until: float) -> tuple[int, bool]:
        """Some of one day, until the deadline: how many hours were counted, and whether it has all it needs.

        PartitionBusy where somebody else writes there.
        """
        path = layout.db_path(self.root, key)
        file = file_of(path)
        if file is None:
            return 0, True
        reader = open_reader(path)
        reader.text_factory = bytes  # what is no UTF-8 is written as it was read
        try:
            if not _is_worth_it(reader, self.least_events):
                return 0, True
            if not statistics.are_there(reader):  # of an older version
                self._write(key, file, lambda _: None)
            counted = 0
            while wanted := _wanted(reader):
                if time.perf_counter() >= until:
                    return counted, False
                sums = _Sums(reader, key, wanted, min(until, time.perf_counter() + SLICE_MS / 1000))
                self._write(key, file, sums.write)
                counted += len(sums.hours)
            if counted or not _is_analysed(reader):
                self._write(key, file, _analyse)
            return counted, True
        except reader.DatabaseError as bad:
            if "locked" in str(bad) or "busy" in str(bad):
                raise PartitionBusy("maintain", path, str(bad), "try again") from bad
            raise PartitionUnreadable("maintain", path, str(bad), remedy(path, bad)) from bad
        finally:
            reader.close()

    def _write(self, key: PartitionKey, file: tuple[int, int], work: Callable[[Any], object]) -> None:
        """Do `work` with a connection that may write, under the day's lock; PartitionBusy where others are there, or
        the file is no longer the one that was read."""
        path = layout.db_path(self.root, key)
        with FileLock(layout.lock_path(self.root, key), time.monotonic_ns() + LOCK_MS * 1_000_000):
            if file_of(path) != file:
                raise PartitionBusy("maintain", path, "it was removed meanwhile", "try again")
            conn = open_writer(path, busy_ms=LOCK_MS)
            try:
                schema.bring_up(conn, path, key.context, key.context, key.bounds_us)
                work(conn)
                bound_wal(conn, path, driver().sqlite_version)
            finally:
                conn.close()  # under the lock: as the sole opener it checkpoints, and nobody else may write then

    def _state(self, key: PartitionKey) -> tuple[int, ...]:
        """What changes when the day is written."""
        return state_of(layout.db_path(self.root, key))


class _Sums:
    """Some of the wanted hours of one day, added up in one snapshot: at least one, and more until the time is up."""

    def __init__(self, reader: Any, key: PartitionKey, wanted: list[int], until: float) -> None:
        self.reader = reader
        self.version = _version(reader)
        self.hours: list[tuple[Any, ...]] = []
        self.values: list[tuple[Any, ...]] = []
        with statistics.snapshot(reader):
            self.newest = reader.execute("select max(arrived) from hooks").fetchone()[0] or 0
            for hour in wanted:
                self._add(hour, key.bounds_us[0] + hour * HOUR_US)
                if time.perf_counter() >= until:
                    break

    def _add(self, hour: int, begins_us: int) -> None:
        for name, is_text, value, *sums in self.reader.execute(_SUMS, (begins_us, begins_us + HOUR_US)):
            events, errors, first_id, last_id = sums
            if name:
                self.values.append((name.decode(), is_text, value, value, hour, events, errors, last_id))
            else:
                self.hours.append((hour, self.newest, events or 0, errors or 0, first_id, last_id))

    def write(self, conn: Any) -> None:
        """All of it or nothing; PartitionBusy where anything was committed since it was read."""
        with transaction(conn):
            if _version(self.reader) != self.version:
                raise PartitionBusy("maintain", "", "others wrote meanwhile", "try again")
            conn.executemany("delete from eyelet_counts where hour = ?", [hour[:1] for hour in self.hours])
            conn.executemany("insert or replace into eyelet_hours values (?, ?, ?, ?, ?, ?)", self.hours)
            conn.executemany(_INSERT_VALUE, self.values)
            late = {hour for hour, _ in conn.execute(_LATE)}
            hours = [hour for (hour,) in conn.execute("select hour from eyelet_hours")]
            current = [(self.newest, hour) for hour in hours if hour not in late]
            conn.executemany("update eyelet_hours set arrived = ? where hour = ?", current)


# An hour's totals, and then the counts of every value of every column: one reading of its rows.
_ADDED_UP = "sum(events), sum(errors), min(first_id), max(last_id) from sums"
_SUMS = " union all ".join(
    [
        f"with sums as materialized (select {', '.join(FIELDS)}, count(*) as events, "  # noqa: S608  our own names
        "coalesce(sum(error = 1), 0) as errors, min(id) as first_id, max(id) as last_id "
        f"from hooks where id >= ? and id < ? group by {', '.join(FIELDS)}) "
        f"select '', null, null, {_ADDED_UP}",
        *(
            f"select '{name}', typeof({name}) = 'text', {name}, {_ADDED_UP} where {name} is not null group by {name}"
            for name in FIELDS
        ),
    ]
)
_INSERT_VALUE = (
    "insert into eyelet_counts (field, value, hour, events, errors, last_id) "
    "values (?, case when ? then cast(? as text) else ? end, ?, ?, ?, ?)"
)
# The hours with events that arrived after they were counted, and how many those are.
_LATE = f"""
    select {HOUR_OF_ID}, count(*) from hooks
    where arrived > (select min(arrived) from eyelet_hours)
        and arrived > (select known.arrived from eyelet_hours known where known.hour = {HOUR_OF_ID})
    group by 1
"""  # noqa: S608  our own names


def state_of(path: str) -> tuple[int, ...]:
    """What changes when the database at `path` is written: its file, and its WAL where there is anything in it."""
    state: list[int] = []
    for side in ("", "-wal"):
        try:
            there = os.stat(layout.side_path(path, side) if side else path)
        except OSError:
            continue
        state += (there.st_ino, there.st_size, there.st_mtime_ns) if side == "" or there.st_size else ()
    return tuple(state)


def in_order(keys: list[PartitionKey], first: Iterable[PartitionKey]) -> Iterator[PartitionKey]:
    """Those of `first`, then the newest of `keys` (oldest first), then the others from a random one on."""
    chosen = dict.fromkeys(first)
    yield from chosen
    older = max(0, len(keys) - RECENT)
    start = randrange(older) if older else 0
    for at in (*range(len(keys) - 1, older - 1, -1), *range(start - 1, -1, -1), *range(older - 1, start - 1, -1)):
        if keys[at] not in chosen:
            yield keys[at]


def _is_worth_it(reader: Any, least_events: int) -> bool:
    """Whether statistics of this day would help, and may be made."""
    if not 0 < schema.version_of(reader) <= schema.VERSION:
        return False
    some = "select count(*) from (select 1 from hooks limit ?)"
    if reader.execute(some, (least_events,)).fetchone()[0] < least_events:
        return False
    # Without its place in the order of arrival, a row could change unnoticed.
    unknown = "select exists (select 1 from hooks where arrived is null or arrived >= ?)"
    return not reader.execute(unknown, (ARRIVED_END,)).fetchone()[0]


def _wanted(reader: Any) -> list[int]:
    """The hours that are not counted, and those of which many events have come since."""
    known = {hour for (hour,) in reader.execute("select hour from eyelet_hours")}
    wanted = [hour for hour in range(HOURS) if hour not in known]
    late = dict(reader.execute(_LATE).fetchall())
    if sum(late.values()) > LATE_MOST:
        wanted += late
    return wanted


def _is_analysed(reader: Any) -> bool:
    return bool(reader.execute("select exists (select 1 from sqlite_master where name = 'sqlite_stat1')").fetchone()[0])


def _analyse(conn: Any) -> None:
    conn.execute(f"pragma analysis_limit = {ANALYSIS_ROWS}")
    if not _is_analysed(conn):
        conn.execute("analyze")
    conn.execute("pragma optimize")


def _version(conn: Any) -> int:
    """Another number after every commit of another connection."""
    return int(conn.execute("pragma data_version").fetchone()[0])
