"""`health.sqlite` at the root: how long things took, what stood in WALs, what connections did, and other figures, by
minutes, hours and days; alerts, and what long checks said.

Nothing needs it: who records and who searches never looks at it, and where it is broken, locked or full, only figures
are lost. It is bounded. Minutes are kept for two days, hours for ninety, days for two years; of what has no stretches
the newest (`metrics_keeping.py`). Schema and merging: `metrics_schema.py`.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from eyelet_ingest.errors import PartitionError, RootError
from eyelet_ingest.store import connect, identity, layout, metrics_keeping, samples
from eyelet_ingest.store import metrics_schema as schema
from eyelet_ingest.store.metrics_schema import ALL_TIME, CONNECTIONS, DAY, HOUR, MINUTE, S_US
from eyelet_ingest.store.timings import Measured, percentile_ms

FILE_NAME = "health.sqlite"
BUSY_MS = 1_000  # for who else writes figures
NAME_CHARS = 100
SAID_CHARS = 4_000
_HINT = "only figures are in it: move it away, and it is made anew"


@dataclass(frozen=True, slots=True)
class Checkpointing:
    """One checkpoint of a day, or one that was put off: who wanted it (`by`: a strategy's name, or `command`), the mode
    ("" where none ran), the WAL before and after, frames in it and moved, how long it took. `error` is "" or why it
    failed; `busy`: others kept it from being done to the end."""

    at_us: int
    context: str
    day: str
    by: str
    mode: str
    wal_bytes: int
    wal_bytes_after: int
    frames: int
    moved: int
    busy: bool
    took_us: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """What is to be kept of one moment. `role`: `hook`, `server`, `command` or `library`. `connections` are the fields
    of `counters.Counters`, sums since the last sample; `gauges` are values as they are now, by name."""

    at_us: int
    role: str
    measured: Mapping[str, Measured] = field(default_factory=dict)
    connections: Mapping[str, int] = field(default_factory=dict)
    gauges: Mapping[str, float] = field(default_factory=dict)
    indexes: Mapping[str, int] = field(default_factory=dict)
    checkpoints: Sequence[Checkpointing] = ()


@dataclass(frozen=True, slots=True)
class Timing:
    """What is known of one kind of work in a range: times in ms, None where nothing was measured."""

    op: str
    count: int
    sum_ms: float
    max_ms: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    errors: int
    retries: int
    lock_waits: int
    buckets: dict[int, int]  # of timings.BOUNDS_US


class Metrics:
    """The figures of one root. `with Metrics(root) as metrics:`; opens the file when it is first asked, and makes it
    when first written. Of one thread at a time. RootError where it cannot be read or written; nothing of a file that is
    not there, nor of a root in memory."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.path = os.path.join(root, FILE_NAME)
        self._reader: Any = None

    def __enter__(self) -> "Metrics":
        return self

    def __exit__(
        self, kind: "type[BaseException] | None", bad: "BaseException | None", at: "TracebackType | None"
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def timings(self, since_us: int, until_us: int, role: str | None = None) -> list[Timing]:
        """What was measured of each kind of work in the stretches that begin in the range, in order of their names."""
        found: dict[str, Measured] = {}
        for _, op, one in self._performance(since_us, until_us, role):
            found.setdefault(op, Measured()).merge(one)
        return [_timing(op, found[op]) for op in sorted(found)]

    def trends(self) -> list[str]:
        """The names that `trend` knows, in order: gauges; of what was timed `OP.count`, `OP.errors`, `OP.p50_ms`,
        `OP.p99_ms`; `connections.` and the fields of Counters."""
        names = [name for (name,) in self._rows("select distinct name from system_health where span_s = ?", ALL_TIME)]
        for (op,) in self._rows("select distinct op from query_performance where span_s = ?", ALL_TIME):
            names += [f"{op}.{what}" for what in _OF_OP]
        if self._rows("select 1 from connection_metrics limit 1"):
            names += [f"connections.{name}" for name in ("open_now", *CONNECTIONS)]
        return sorted(names)

    def trend(self, name: str, since_us: int, until_us: int, points: int) -> list[tuple[int, float | None]]:
        """`points` stretches of the range, each with when it begins and the value there, None where there is none: of a
        gauge the mean, of `p50_ms` and `p99_ms` over all that was measured in it, of anything else the sum."""
        wide = max(1, (until_us - since_us) // max(1, points))
        at = [since_us + number * wide for number in range(max(1, points))]
        values = self._values(
            name, since_us, at[0] + wide * len(at), lambda began: min((began - since_us) // wide, len(at) - 1)
        )
        return [(begins, values.get(number)) for number, begins in enumerate(at)]

    def total(self, role: str | None = None) -> list[Timing]:
        """What was measured of each kind of work since the file was made."""
        found: dict[str, Measured] = {}
        for _, op, one in self._performance(0, 1, role, (ALL_TIME,)):
            found.setdefault(op, Measured()).merge(one)
        return [_timing(op, found[op]) for op in sorted(found)]

    def gauges(self) -> dict[str, tuple[float, int]]:
        """The newest value of each gauge, and when the stretch began in which it was taken."""
        sql = "select name, last, began_us from system_health where span_s in (?, ?, ?) order by began_us"
        return {name: (last, began) for name, last, began in self._rows(sql, MINUTE, HOUR, DAY)}

    def connections(self, since_us: int | None = None, until_us: int | None = None) -> dict[str, int]:
        """What connections did in the range, else since the file was made; `open_now` is the most that were open."""
        sums = ", ".join(f"sum({name})" for name in CONNECTIONS)
        where, bound = "span_s = ?", [ALL_TIME]
        if since_us is not None and until_us is not None:
            where, bound = "span_s > 0 and began_us >= ? and began_us < ?", [since_us, until_us]
        rows = self._rows(f"select max(open_now), {sums} from connection_metrics where {where}", *bound)  # noqa: S608  own names
        return {} if not rows or rows[0][0] is None else dict(zip(("open_now", *CONNECTIONS), rows[0], strict=True))

    def indexes(self, since_us: int, until_us: int) -> dict[str, int]:
        """How many times each index answered for a day in the range; "" where rows were read in the table's order."""
        sql = "select name, sum(count) from index_use where span_s > 0 and began_us >= ? and began_us < ? group by name"
        return dict(self._rows(sql, since_us, until_us))

    def index_totals(self) -> dict[str, int]:
        """The same since the file was made."""
        return dict(self._rows("select name, count from index_use where span_s = ?", ALL_TIME))

    def firing(self) -> list[tuple[str, str, str]]:
        """Name, level and state of each alert that is not resolved."""
        sql = "select name, level, state from alerts where state <> 'resolved' order by name"
        return [(name, level, state) for name, level, state in self._rows(sql)]

    def made_us(self) -> int | None:
        """When the first figures were kept; None where there are none."""
        rows = self._rows("select value from kept where name = 'made'")
        return int(rows[0][0]) if rows else None

    def checkpoints(self, since_us: int, until_us: int) -> list[Checkpointing]:
        """The checkpoints that ran, or failed, in the range, newest first."""
        sql = f"select {', '.join(_CHECKPOINTING)} from wal_metrics where at_us >= ? and at_us < ? order by id desc"  # noqa: S608
        return [_checkpointing(row) for row in self._rows(sql, since_us, until_us)]

    def remembered(self, check: str, key: str, state: str) -> str | None:
        """What this check said of `key`, if that was of the same state; else None."""
        rows = self._rows("select said from checks where name = ? and key = ? and state = ?", check, key, state)
        return str(rows[0][0]) if rows else None

    def remember(self, check: str, key: str, state: str, said: str) -> None:
        """Keep what a check said of `key` in this state, in place of what it said of it before."""
        self.remember_all([(check, key, state, said)])

    def remember_all(self, looks: Sequence[tuple[str, str, str, str]]) -> None:
        """The same of many at once: of each the check, the key, its state, and what was said."""
        now_us = time.time_ns() // 1_000
        with self.writing() as conn:
            sql = "insert or replace into checks (name, key, state, said, at_us) values (?, ?, ?, ?, ?)"
            conn.executemany(sql, [(*look[:3], look[3][:SAID_CHARS], now_us) for look in looks])

    def write(self, sample: Sample, earlier: "Callable[[list[samples.Line]], list[Sample]] | None" = None) -> None:
        """Keep a sample, committed when this returns: in its minute and in all time. With `earlier` also what short
        processes left (`samples.py`), once: it makes samples of the lines. Now and then older figures are merged, and
        the oldest go."""
        if self.root.startswith(layout.MEMORY):
            return
        name = ""
        with self.writing() as conn:
            several = [sample]
            if earlier is not None:
                name, lines = samples.take(self.root)
                several += earlier(lines) if name and _is_new(conn, name) else []
            for one in several:
                for span_s in (MINUTE, ALL_TIME):
                    _add(conn, span_s, one)
                conn.executemany(_INSERT_CHECKPOINT, [_row_of(checkpoint) for checkpoint in one.checkpoints])
            conn.execute("insert or ignore into kept values ('made', ?)", (str(sample.at_us),))
            metrics_keeping.tidy(conn, sample.at_us)
        if name:
            samples.taken(self.root)

    @contextmanager
    def writing(self) -> Iterator[Any]:
        """A connection that may write, inside a transaction that is committed at the end of the block; RootError where
        that cannot be. Whoever writes is alone: it is short, and is waited for BUSY_MS."""
        identity.make_private_dir(self.root)
        try:
            # The lock keeps two makers apart, and makes the checkpoint of a closing connection safe on an old SQLite.
            with connect.FileLock(self.path + ".lock", time.monotonic_ns() + BUSY_MS * 1_000_000):
                conn = connect.open_writer(self.path, busy_ms=BUSY_MS)
                try:
                    page_bytes = conn.execute("pragma page_size").fetchone()[0]
                    conn.execute(f"pragma max_page_count = {metrics_keeping.FULL_BYTES // page_bytes}")
                    schema.bring_up(conn, self.path)
                    with connect.transaction(conn):
                        yield conn
                except conn.Error as bad:
                    raise RootError("write figures", self.path, str(bad), _HINT) from bad
                finally:
                    conn.close()
        except PartitionError as bad:
            raise RootError("write figures", self.path, bad.reason, _HINT) from bad

    def _rows(self, sql: str, *bound: object) -> list[Any]:
        """What is there; nothing where there is no file, or its maker was stopped."""
        if self._reader is None and not self._opened():
            return []
        try:
            return list(self._reader.execute(sql, bound))
        except self._reader.Error as bad:
            raise RootError("read figures", self.path, str(bad), _HINT) from bad

    def _opened(self) -> bool:
        if self.root.startswith(layout.MEMORY) or not connect.is_there(self.path):
            return False
        try:
            conn = connect.open_reader(self.path, busy_ms=BUSY_MS)
        except PartitionError as bad:
            raise RootError("read figures", self.path, bad.reason, _HINT) from bad
        try:
            version = conn.execute("pragma user_version").fetchone()[0]
            schema.expect_known(version, self.path)
        except conn.Error as bad:
            conn.close()
            raise RootError("read figures", self.path, str(bad), _HINT) from bad
        except RootError:
            conn.close()
            raise
        if version < schema.VERSION:  # as yet empty, or to be brought up by who next writes
            conn.close()
            return False
        self._reader = conn
        return True

    def _performance(
        self, since_us: int, until_us: int, role: str | None, spans: Sequence[int] = (MINUTE, HOUR, DAY)
    ) -> Iterator[tuple[int, str, Measured]]:
        columns = "began_us, op, count, errors, retries, lock_waits, sum_us, max_us, buckets"
        for span_s in spans:
            sql = f"select {columns} from query_performance where span_s = ? and began_us >= ? and began_us < ?"  # noqa: S608
            bound: tuple[object, ...] = (span_s, since_us, until_us)
            if role is not None:
                sql, bound = sql + " and role = ?", (*bound, role)
            for began, op, *figures, buckets in self._rows(sql, *bound):
                one = Measured()
                one.count, one.errors, one.retries, one.lock_waits, one.sum_us, one.max_us = figures
                one.buckets = schema.buckets_of(buckets)
                yield began, op, one

    def _values(self, name: str, since_us: int, until_us: int, place: Any) -> dict[int, float]:
        """The value of each stretch that has one, by its number: `place` of when a row began."""
        group, _, what = name.rpartition(".")
        if group == "connections" and what in ("open_now", *CONNECTIONS):
            return self._connected(what, since_us, until_us, place)
        if what not in _OF_OP or not group:
            return self._gauged(name, since_us, until_us, place)
        merged: dict[int, Measured] = {}
        for began, op, one in self._performance(since_us, until_us, None):
            if op == group:
                merged.setdefault(place(began), Measured()).merge(one)
        found = {number: getattr(_timing(group, one), what) for number, one in merged.items()}
        return {number: float(value) for number, value in found.items() if value is not None}

    def _connected(self, what: str, since_us: int, until_us: int, place: Any) -> dict[int, float]:
        sql = f"select began_us, {what} from connection_metrics where span_s > 0 and began_us >= ? and began_us < ?"  # noqa: S608
        found: dict[int, float] = {}
        for began, value in self._rows(sql, since_us, until_us):
            at = place(began)
            found[at] = max(found.get(at, 0.0), value) if what == "open_now" else found.get(at, 0.0) + value
        return found

    def _gauged(self, name: str, since_us: int, until_us: int, place: Any) -> dict[int, float]:
        sql = (
            "select began_us, count, sum from system_health "
            "where span_s in (?, ?, ?) and began_us >= ? and began_us < ? and name = ?"
        )
        sums: dict[int, tuple[int, float]] = {}
        for began, count, value in self._rows(sql, MINUTE, HOUR, DAY, since_us, until_us, name):
            counts, values = sums.get(place(began), (0, 0.0))
            sums[place(began)] = (counts + count, values + value)
        return {number: values / counts for number, (counts, values) in sums.items()}


_OF_OP = ("count", "errors", "p50_ms", "p99_ms")
_CHECKPOINTING = tuple(Checkpointing.__dataclass_fields__)
_INSERT_CHECKPOINT = (
    f"insert into wal_metrics ({', '.join(_CHECKPOINTING)}) values ({', '.join('?' * len(_CHECKPOINTING))})"  # noqa: S608
)


def _timing(op: str, one: Measured) -> Timing:
    p50, p95, p99 = (percentile_ms(one.buckets, one.max_us, share) for share in (0.5, 0.95, 0.99))
    sum_ms, max_ms = one.sum_us / 1_000, one.max_us / 1_000
    return Timing(op, one.count, sum_ms, max_ms, p50, p95, p99, one.errors, one.retries, one.lock_waits, one.buckets)


def _checkpointing(row: Sequence[Any]) -> Checkpointing:
    named = dict(zip(_CHECKPOINTING, row, strict=True))
    return Checkpointing(**{**named, "busy": bool(named["busy"])})


def _row_of(one: Checkpointing) -> tuple[object, ...]:
    return tuple(getattr(one, name) for name in _CHECKPOINTING)


def _is_new(conn: Any, folded: str) -> bool:
    """Whether this was never folded; from now on it was."""
    known = conn.execute("select value from kept where name = 'folded'").fetchone()
    conn.execute("insert or replace into kept values ('folded', ?)", (folded,))
    return known is None or known[0] != folded


def _add(conn: Any, span_s: int, sample: Sample) -> None:
    stretch = (span_s, sample.at_us // (span_s * S_US) * span_s * S_US if span_s else 0)
    for op, one in sample.measured.items():
        figures = (one.count, one.errors, one.retries, one.lock_waits, one.sum_us, one.max_us)
        row = (*stretch, op[:NAME_CHARS], sample.role, *figures, schema.text_of(one.buckets))
        conn.execute(schema.PERFORMANCE.upsert, row)
    if sample.connections:
        counts = [sample.connections.get(name, 0) for name in ("open_now", *CONNECTIONS)]
        conn.execute(schema.CONNECTED.upsert, (*stretch, sample.role, *counts))
    for name, value in sample.gauges.items():
        conn.execute(schema.GAUGES.upsert, (*stretch, name[:NAME_CHARS], 1, value, value, value, value))
    for name, count in sample.indexes.items():
        conn.execute(schema.INDEXES.upsert, (*stretch, name[:NAME_CHARS], count))
