"""What the overview is made of: one day, the day before, and what goes on, asked side by side."""

import asyncio
import time
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial

from datasette_eyelet import rows
from datasette_eyelet.day_chart import bounds_of
from datasette_eyelet.instance import Instance
from datasette_eyelet.query import Query, day_of
from eyelet_ingest.ranges import Range, zone
from eyelet_ingest.store.answers import ErrorCodes, Summary
from eyelet_ingest.store.durations import Durations
from eyelet_ingest.store.entries import Entries
from eyelet_ingest.store.facets import Facets
from eyelet_ingest.store.histogram import Histogram
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.sessions import Sessions
from eyelet_ingest.store.store import Store
from eyelet_ingest.store.usage import Usage

PART_MS = 1_000  # of each part of the page
PAGE_MS = 2_000  # of those that are asked one after the other; which day is meant has its time besides
LISTED = 5
ACTIVE_US = 3 * 3_600_000_000  # sessions that did something since go on
ACTIVE_MOST = 30
CUT_CHARS = 4_096


@dataclass(frozen=True, slots=True)
class Day:
    """The day that is shown. `where` are the conditions over it, `before` those over the day before, as far as `until`
    of it; `is_today`, and `moved` where today has nothing and this is the newest day that has."""

    name: str
    range: Range
    where: Filter
    before: Filter
    bounds: list[int]
    bounds_before: list[int]
    is_today: bool
    moved: bool


@dataclass(frozen=True, slots=True)
class Glance:
    """What the page is made of."""

    summary: Summary
    before: Summary
    hours: Histogram
    errors: Histogram
    hours_before: Histogram
    codes: ErrorCodes
    failing: Facets
    failures: Entries
    durations: Durations
    usage: Usage | None
    active: Sessions

    @property
    def is_complete(self) -> bool:
        counted = (self.summary, self.before, self.hours, self.errors, self.hours_before, self.codes, self.failing)
        listed = (self.failures, self.durations)
        return all(one.partitions.complete for one in (*counted, *listed)) and self.active.complete


def day_asked(held: Instance, store: Store, query: Query, now_us: int) -> Day:
    """The day that the URL's range ends in; where it says none today, or the newest day that has something."""
    held.drain_when_due()
    tz = query.range.tz
    newest = partial(store.newest_event_us, deadline_ms=PART_MS)
    today = day_of(now_us, tz)
    chosen, moved = today, False
    if query.range_asked:
        until_us = query.range.until_us
        at_us = newest(query.where) if until_us is None else min(until_us - 1, now_us)
        chosen = day_of(at_us, tz) if at_us is not None else today
    elif newest(replace(query.where, since_us=today.since_us, until_us=today.until_us)) is None:
        newest_us = newest(replace(query.where, since_us=None, until_us=None))
        moved = newest_us is not None
        chosen = day_of(newest_us, tz) if newest_us is not None else today
    return _made(query, chosen, now_us, is_today=chosen.since_us == today.since_us, moved=moved)


def _made(query: Query, chosen: Range, now_us: int, *, is_today: bool, moved: bool) -> Day:
    where = zone(query.range.tz)
    since_us, until_us = int(chosen.since_us or 0), int(chosen.until_us or 0)
    name = rows.moment(since_us, where)[:10]
    yesterday = str(date.fromisoformat(name) - timedelta(days=1))
    bounds, bounds_before = bounds_of(name, where), bounds_of(yesterday, where)
    lasted_us = min(now_us + 1, until_us) - since_us if is_today else bounds_before[-1] - bounds_before[0]
    before_until = min(bounds_before[0] + lasted_us, bounds_before[-1])
    return Day(
        name=name,
        range=chosen,
        where=replace(query.where, since_us=since_us, until_us=until_us),
        before=replace(query.where, since_us=bounds_before[0], until_us=before_until),
        bounds=bounds,
        bounds_before=bounds_before,
        is_today=is_today,
        moved=moved,
    )


async def glance(store: Store, query: Query, day: Day, now_us: int) -> Glance:
    """In three threads. Not in one for each part: SQLite lets the others work while it reads, but of many threads each
    waits for the interpreter at every row (eleven took 3 times as long on a busy machine)."""
    where, before = day.where, day.before
    whole_before = replace(before, until_us=day.bounds_before[-1])
    failed = replace(where, errors=True)
    active = replace(query.where, since_us=now_us - ACTIVE_US, until_us=now_us + 1)

    until_s = time.perf_counter() + PAGE_MS / 1000

    def left_ms() -> float:
        return min(PART_MS, (until_s - time.perf_counter()) * 1000)

    def counted() -> tuple[Summary, Summary, Histogram, Histogram, Histogram, ErrorCodes, Facets]:
        return (
            store.summary(where, deadline_ms=left_ms()),
            store.summary(before, deadline_ms=left_ms()),
            store.histogram(where, bounds=day.bounds, deadline_ms=left_ms()),
            store.histogram(failed, bounds=day.bounds, deadline_ms=left_ms()),
            store.histogram(whole_before, bounds=day.bounds_before, deadline_ms=left_ms()),
            store.error_codes(where, deadline_ms=left_ms()),
            store.facets(failed, ("tool_name",), limit=LISTED, deadline_ms=left_ms()),
        )

    def listed() -> tuple[Entries, Sessions]:
        return (
            store.entries(failed, limit=LISTED, cut_chars=CUT_CHARS, deadline_ms=left_ms(), now_us=now_us),
            store.sessions(active, limit=ACTIVE_MOST, tokens=False, deadline_ms=left_ms(), now_us=now_us),
        )

    def read() -> tuple[Durations, Usage | None]:
        return store.durations(where, limit=LISTED, deadline_ms=left_ms()), _usage(store, where, left_ms())

    counts, (took, used), (failures, going_on) = await asyncio.gather(
        asyncio.to_thread(counted), asyncio.to_thread(read), asyncio.to_thread(listed)
    )
    return Glance(*counts, failures, took, used, going_on)


def _usage(store: Store, where: Filter, deadline_ms: float) -> Usage | None:
    """Tokens of the day; None where there are conditions that no token is known by, or the time ran out."""
    if replace(where, session_id=(), agent=(), model=()).on_rows():
        return None
    found = store.usage(where, ("model",), deadline_ms=deadline_ms)
    return found if found.partitions.complete else None
