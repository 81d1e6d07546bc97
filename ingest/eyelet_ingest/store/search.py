"""Fan out over partitions, merge, page: the one search behind the page, the JSON and the command line.

Days do not overlap, so a search walks them in order and stops as soon as the page is full; within a day it merges
the contexts. Each partition first gives the ids that match, at most a page of them; only the rows that make the page
are then read. Memory is bounded by the page, whatever is recorded.
"""

import os
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from itertools import groupby
from typing import Any, TypeVar

from eyelet_ingest.errors import BadInput, PartitionUnreadable
from eyelet_ingest.store import layout, schema, select
from eyelet_ingest.store.catalog import Catalog
from eyelet_ingest.store.connect import open_reader
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.select import Filter

Row = dict[str, object]
Found = TypeVar("Found")

# A prefix of src with this many events in a day is common: walking the day in order of time meets a page of them at
# once, where the index on src would first have to be sorted. A rarer one is asked by its index. (The wrong choice
# costs a hundred times the right one, either way; the probe is a look at as many index entries at most.)
COMMON_EVENTS = 1_000
FETCH_CHUNK = 500
KEPT_OPEN = 8  # partitions one question keeps open for its second look, which reads the rows


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A partition that could not answer: `day` is its ISO date, `error` the reason and the remedy.

    Of a folder that could not be looked into, `day` is its year, or "" where it is the context's.
    """

    context: str
    day: str
    error: str


@dataclass(frozen=True, slots=True)
class Partitions:
    """The truth about one answer: how many partitions it opened, how many it did not need, which it could not read."""

    scanned: int
    skipped: int
    unreadable: tuple[Unreadable, ...]


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One page of rows in order of (id, context), `next` the cursor of the following page where there is one."""

    rows: list[Row]
    next: str | None
    partitions: Partitions
    elapsed_ms: float


@dataclass(frozen=True, slots=True)
class CountResult:
    """How many events match, over the partitions that could be read."""

    count: int
    partitions: Partitions
    elapsed_ms: float


@dataclass(frozen=True, slots=True)
class Summary:
    """What a range holds: totals, the first and last event (µs), and counts, largest first."""

    events: int
    errors: int
    sessions: int
    first_us: int | None
    last_us: int | None
    by_type: dict[str, int]
    by_tool: dict[str, int]
    by_status: dict[str, int]
    by_context: dict[str, int]
    partitions: Partitions
    elapsed_ms: float


class Search:
    """One question over the partitions of a catalog. Opens read-only, closes what it opened, raises for no bad day."""

    def __init__(self, catalog: Catalog, where: Filter) -> None:
        self.root, self.where = catalog.root, _bindable(where)
        select.conditions(self.where)  # what cannot be asked is refused before any day is opened
        self.started = time.perf_counter()
        self.keys, self.skipped = catalog.prune(
            since_us=where.since_us,
            until_us=where.until_us,
            contexts=[layout.safe_context(c) for c in where.contexts],
        )
        self.folders = catalog.troubles()
        self.unreadable: dict[PartitionKey, Unreadable] = {}
        self.scanned: set[PartitionKey] = set()
        self._open: dict[PartitionKey, Any] = {}

    def __enter__(self) -> "Search":
        return self

    def __exit__(self, *_: object) -> None:
        for conn in self._open.values():
            conn.close()
        self._open.clear()

    def page(self, limit: int, after: str | None, oldest_first: bool, cut_chars: int | None) -> SearchResult:
        """Up to `limit` rows beyond the cursor `after`; BadInput for a cursor this software did not make."""
        if limit < 1:
            raise BadInput("search", reason=f"a page of {limit} rows", hint="1 is the least")
        beyond = _Cursor.read(after) if after else None
        rows: list[Row] = []
        more = False
        days = self._days(beyond, oldest_first)
        for keys in days:
            found = self._merge(keys, beyond, oldest_first, limit + 1 - len(rows))
            kept = found[: limit - len(rows)]
            more = len(found) > len(kept)
            rows += self._rows(kept, cut_chars)
            if more or (len(rows) >= limit and self._any_left(days, oldest_first)):
                more = True
                break
        days.close()  # counts the days that were not needed
        next_cursor = _Cursor(int(str(rows[-1]["id"])), str(rows[-1]["context_name"])).text if more and rows else None
        return SearchResult(rows, next_cursor, self.truth(), self._elapsed_ms())

    def count(self) -> CountResult:
        clauses, params = self._conditions()
        sql = f"select count(*) from hooks{select.where_sql(clauses)}"  # noqa: S608  checked names, bound values
        total = sum(
            found for _, found in self._each(self.keys, lambda conn, _: int(conn.execute(sql, params).fetchone()[0]))
        )
        return CountResult(total, self.truth(), self._elapsed_ms())

    def summary(self) -> Summary:
        clauses, params = self._conditions()
        where = select.where_sql(clauses)
        groups = (
            "select hook_type, tool_name, status, count(*), coalesce(sum(error), 0), min(id), max(id) "  # noqa: S608
            f"from hooks{where} group by 1, 2, 3"
        )
        sessions = f"select distinct session_id from hooks{where}"  # noqa: S608  checked names, bound values
        tally = _Tally()
        for key, (rows, names) in self._each(
            self.keys,
            lambda conn, _: (
                conn.execute(groups, params).fetchall(),
                conn.execute(sessions, params).fetchall(),
            ),
        ):
            tally.take(key, rows, names)
        return tally.summary(self.truth(), self._elapsed_ms())

    def error_codes(self) -> dict[str, int]:
        """Failures by their code, most frequent first; '' for those without one."""
        clauses, params = self._conditions()
        where = select.where_sql([*clauses, "error = 1"])
        sql = f"select coalesce(error_code, ''), count(*) from hooks{where} group by 1"  # noqa: S608
        counts: dict[str, int] = {}
        for _, rows in self._each(self.keys, lambda conn, _: conn.execute(sql, params).fetchall()):
            for code, count in rows:
                counts[code] = counts.get(code, 0) + count
        return _ranked(counts)

    def event(self, key: PartitionKey, event_id: int) -> Row | None:
        """One whole row of the partition `key`, or None."""
        for _, rows in self._each([key], partial(_fetch, ids=[event_id], cut_chars=None)):
            return rows.get(event_id)
        return None

    def truth(self) -> Partitions:
        folders = tuple(Unreadable(context, year, f"{why} (its folder)") for context, year, why in self.folders)
        return Partitions(len(self.scanned), self.skipped, (*self.unreadable.values(), *folders))

    def _days(self, beyond: "_Cursor | None", oldest_first: bool) -> Generator[list[PartitionKey], None, None]:
        """The partitions day by day in the order of the answer; those a cursor has passed and those never asked count
        as skipped."""
        keys = list(self.keys)
        if beyond:
            passed = [key for key in keys if not beyond.may_reach(key, oldest_first)]
            self.skipped += len(passed)
            keys = [key for key in keys if beyond.may_reach(key, oldest_first)]
        if not oldest_first:
            keys.reverse()
        done = 0
        try:
            for _, group in groupby(keys, key=lambda key: (key.year, key.day)):
                day = list(group)
                done += len(day)
                yield day
        finally:
            self.skipped += len(keys) - done

    def _any_left(self, days: Iterator[list[PartitionKey]], oldest_first: bool) -> bool:
        """Whether a later day holds a match: the page is full, and a cursor to nothing would be a lie."""
        return any(self._merge(keys, None, oldest_first, 1) for keys in days)

    def _merge(
        self, keys: list[PartitionKey], beyond: "_Cursor | None", oldest_first: bool, most: int
    ) -> list[tuple[int, PartitionKey]]:
        """The first `most` matches of one day's partitions, in the order of the answer."""
        found = [
            (event_id, key)
            for key, ids in self._each(keys, lambda conn, key: self._ids(conn, key, beyond, oldest_first, most))
            for event_id in ids
        ]
        found.sort(key=lambda match: (match[0], match[1].context), reverse=not oldest_first)
        return found[:most]

    def _ids(self, conn: Any, key: PartitionKey, beyond: "_Cursor | None", oldest_first: bool, most: int) -> list[int]:
        low, high = self.where.since_us, self.where.until_us
        if beyond:
            low, high = beyond.narrow(key, oldest_first, low, high)
        order = "asc" if oldest_first else "desc"
        in_range, range_params = select.id_range(low, high)
        by_time = self._src_is_common(conn)
        clauses, params = select.conditions(self.where, by_time=by_time)
        place = "+id" if self.where.src and not by_time else "id"  # +id: sort, rather than walk the day to be sorted
        sql = f"select id from hooks{select.where_sql(in_range + clauses)} order by {place} {order} limit ?"  # noqa: S608
        return [row[0] for row in conn.execute(sql, [*range_params, *params, most])]

    def _src_is_common(self, conn: Any) -> bool:
        if not self.where.src:
            return False
        clauses, params = select.conditions(Filter(src=self.where.src))
        sql = f"select count(*) from (select 1 from hooks{select.where_sql(clauses)} limit ?)"  # noqa: S608
        return bool(conn.execute(sql, [*params, COMMON_EVENTS]).fetchone()[0] >= COMMON_EVENTS)

    def _rows(self, found: list[tuple[int, PartitionKey]], cut_chars: int | None) -> list[Row]:
        wanted: dict[PartitionKey, list[int]] = {}
        for event_id, key in found:
            wanted.setdefault(key, []).append(event_id)
        rows: dict[tuple[int, str], Row] = {}
        for key, ids in wanted.items():
            for _, fetched in self._each([key], partial(_fetch, ids=ids, cut_chars=cut_chars)):
                rows.update({(event_id, key.context): row for event_id, row in fetched.items()})
        return [rows[at] for event_id, key in found if (at := (event_id, key.context)) in rows]

    def _conditions(self) -> tuple[list[str], list[object]]:
        in_range, range_params = select.id_range(self.where.since_us, self.where.until_us)
        clauses, params = select.conditions(self.where)
        return in_range + clauses, range_params + params

    def _each(
        self, keys: Sequence[PartitionKey], ask: Callable[[Any, PartitionKey], Found]
    ) -> Iterator[tuple[PartitionKey, Found]]:
        """What each partition answers; one that cannot is noted and the others are asked all the same."""
        for key in keys:
            path = layout.db_path(self.root, key)
            if not os.path.lexists(path):
                self.skipped += 1  # a day that is being made, or was just removed
                continue
            try:
                conn = self._reader(key, path)
                try:
                    if not schema.version_of(conn):
                        if schema.is_ready(conn):  # its rows could be anything, ids that are no numbers too
                            raise PartitionUnreadable("read", path, "it has no version", schema.NOT_OURS)
                        self.scanned.add(key)
                        continue
                    answer = ask(conn, key)
                except conn.DatabaseError as bad:
                    raise PartitionUnreadable("read", path, *schema.diagnosis(conn, path, bad)) from bad
            except PartitionUnreadable as bad:
                self.unreadable[key] = Unreadable(key.context, key.date, f"{bad.reason} ({bad.hint})")
                self.scanned.discard(key)
                continue
            self.scanned.add(key)
            yield key, answer

    def _reader(self, key: PartitionKey, path: str) -> Any:
        conn = self._open.pop(key, None) or open_reader(path)
        self._open[key] = conn
        if len(self._open) > KEPT_OPEN:
            self._open.pop(next(iter(self._open))).close()
        return conn

    def _elapsed_ms(self) -> float:
        return round((time.perf_counter() - self.started) * 1000, 3)


class _Cursor:
    """The last row of a page, `<id>.<context>` in text: the next page lies strictly beyond it."""

    __slots__ = ("context", "event_id")

    def __init__(self, event_id: int, context: str) -> None:
        self.event_id, self.context = event_id, context

    @property
    def text(self) -> str:
        return f"{self.event_id}.{self.context}"

    @classmethod
    def read(cls, text: str) -> "_Cursor":
        number, dot, context = text.partition(".")
        if not (dot and number.isascii() and number.isdigit() and len(number) <= 16 and context):
            raise BadInput("search", reason="the cursor is not one this software gave", hint="start at the first page")
        if layout.safe_context(context) != context:
            raise BadInput("search", reason="the cursor names no context", hint="start at the first page")
        return cls(int(number), context)

    def may_reach(self, key: PartitionKey, oldest_first: bool) -> bool:
        first, end = key.bounds_us
        return end > self.event_id if oldest_first else first <= self.event_id

    def narrow(
        self, key: PartitionKey, oldest_first: bool, low: int | None, high: int | None
    ) -> tuple[int | None, int | None]:
        """The id range of one partition beyond the cursor: ids are unique in it, ties go by context."""
        if oldest_first:
            start = self.event_id + (0 if key.context > self.context else 1)
            return (start if low is None else max(low, start)), high
        end = self.event_id + (1 if key.context < self.context else 0)
        return low, (end if high is None else min(high, end))


class _Tally:
    """Adds up what the partitions say of themselves."""

    def __init__(self) -> None:
        self.events = self.errors = 0
        self.first_us: int | None = None
        self.last_us: int | None = None
        self.sessions: set[tuple[str, str]] = set()
        self.counts: tuple[dict[str, int], ...] = ({}, {}, {}, {})

    def take(self, key: PartitionKey, rows: list[tuple[Any, ...]], sessions: list[tuple[str]]) -> None:
        self.sessions.update((key.context, name) for (name,) in sessions if name)
        for hook_type, tool, status, count, errors, first, last in rows:
            self.events += count
            self.errors += errors
            self.first_us = first if self.first_us is None else min(self.first_us, first)
            self.last_us = last if self.last_us is None else max(self.last_us, last)
            for counts, name in zip(self.counts, (hook_type, tool, status, key.context), strict=True):
                if name is not None:
                    counts[name] = counts.get(name, 0) + count

    def summary(self, partitions: Partitions, elapsed_ms: float) -> Summary:
        by_type, by_tool, by_status, by_context = (_ranked(counts) for counts in self.counts)
        return Summary(
            self.events,
            self.errors,
            len(self.sessions),
            self.first_us,
            self.last_us,
            by_type,
            by_tool,
            by_status,
            by_context,
            partitions,
            elapsed_ms,
        )


def _ranked(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _fetch(conn: Any, key: PartitionKey, ids: list[int], cut_chars: int | None) -> dict[int, Row]:
    """The rows of these ids, their payload cut to `cut_chars` where given."""
    names = ["context_name", *schema.COLUMNS, *schema.DERIVED, "data_chars"]
    columns = ", ".join(schema.COLUMNS).replace(" uid,", " lower(hex(uid)),")
    if cut_chars is not None:
        columns = columns.replace(" data,", f" substr(data, 1, {int(cut_chars)}),")
    rows: dict[int, Row] = {}
    for start in range(0, len(ids), FETCH_CHUNK):
        some = ids[start : start + FETCH_CHUNK]
        sql = (
            f"select {columns}, {', '.join(schema.DERIVED)}, length(data) from hooks "  # noqa: S608  our own names
            f"where id in ({', '.join('?' * len(some))})"
        )
        for row in conn.execute(sql, some):
            rows[row[0]] = dict(zip(names, (key.context, *row), strict=True))
    return rows


def _bindable(where: Filter) -> Filter:
    """The filter with every text as UTF-8 can hold it: a command line may hand over bytes that are none."""
    changed: dict[str, Any] = {}
    for one in fields(where):
        value = getattr(where, one.name)
        if isinstance(value, str):
            changed[one.name] = _utf8(value)
        elif isinstance(value, tuple):
            changed[one.name] = tuple(_utf8(item) for item in value)
    return replace(where, **changed)


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
