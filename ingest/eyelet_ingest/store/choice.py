"""Which index a partition is asked by: in order of time, or by that of one of the conditions.

SQLite cannot know: without statistics it takes every value for rare, with those of ANALYZE every value of a column for
as common as the average (builds with STAT4 know better). Measured on one day of 100,000 events, the latest 100, in ms
(SQLite 3.53; "left to itself" the worst of 3.53 and 3.40, fresh and analysed):

                                             by its index    by time    left to itself
    a session of 300 events, early in the day        0.02         62              0.02
    that session, and the type of nearly all         0.04        142               197 (fresh: by type)
    a src prefix of all events                       10         0.03                20 (3.40 analysed: by src, sorted)
    failures (3 %) of that type                      0.04                         0.05
    a type of five events                            0.01         82              0.01

So each partition is looked at before it is asked: a thousand entries of an index are counted in 40 µs, and the choice
is written into the question (`indexed by`, `not indexed`), where no statistics can change it.
"""

from collections.abc import Collection, Sequence
from typing import Any

from eyelet_ingest.store import select
from eyelet_ingest.store.select import Way

# A value with this many events in a day is common: walking the day in order of time soon meets a page of them.
COMMON_EVENTS = 1_000
# Of several common values the rarest is worth counting this far (0.35 ms each) but no further.
FAR_EVENTS = 8_000
BY_TIME, INDEXED_BY = " not indexed", " indexed by "


def for_page(conn: Any, ways: Sequence[Way], indexes: Collection[str]) -> str | None:
    """How to ask for the first rows in order of time: what stands behind `from hooks`; None where nothing can match."""
    there = [way for way in ways if way.index in indexes]
    if not there:
        return BY_TIME
    if len(there) == 1 and there[0].in_order:
        return _by(there[0])  # it gives them in order: a common one as soon as time does, a rare one at once
    rarest, events = _rarest(conn, there, COMMON_EVENTS)
    if events < COMMON_EVENTS:
        return _by(rarest) if events else None
    in_order = [way for way in there if way.in_order]
    if not in_order:
        return BY_TIME
    if len(in_order) > 1:
        return _by(_rarest(conn, in_order, FAR_EVENTS)[0])
    return _by(in_order[0])


def rare(conn: Any, ways: Sequence[Way], indexes: Collection[str]) -> str | None:
    """The index that finds few rows, where there is one: of what else is asked for it need not know anything."""
    there = [way for way in ways if way.index in indexes]
    if not there:
        return None
    rarest, events = _rarest(conn, there, COMMON_EVENTS)
    return _by(rarest) if events < COMMON_EVENTS else None


def for_all(conn: Any, ways: Sequence[Way], indexes: Collection[str]) -> str:
    """How to ask for all the rows that match: by an index where it finds less than half of the day.

    (A row by way of an index costs 1.1 times one met in passing; to count an entry of an index, 1/20 of it.)
    """
    there = [way for way in ways if way.index in indexes]
    if not there:
        return BY_TIME
    rarest, events = _rarest(conn, there, None)
    if 2 * events >= int(conn.execute("select count(*) from hooks").fetchone()[0]):
        return BY_TIME
    return _by(rarest)


def _rarest(conn: Any, ways: Sequence[Way], most: int | None) -> tuple[Way, int]:
    """The one with the fewest events, counted no further than `most`; of equals the first."""
    counted: list[tuple[Way, int]] = []
    for way in ways:
        sql = f"select 1 from hooks{_by(way)} where {way.clause} limit 0 + ?"  # noqa: S608  checked names, bound values
        limit = -1 if most is None else most
        events = int(conn.execute(f"select count(*) from ({sql})", [*way.params, limit]).fetchone()[0])  # noqa: S608
        counted.append((way, events))
        most = events if most is None else min(most, events)  # no need to count another any further
        if events == 0:
            break
    return min(counted, key=lambda one: one[1])


def _by(way: Way) -> str:
    return INDEXED_BY + way.index


def rare_src_ids(
    conn: Any, way: Way, in_range: list[str], params: list[object], oldest_first: bool, most: int
) -> list[int] | None:
    """The first `most` ids of a src that is rare here, in order; None where it is common.

    Where src is the only condition, the look at its index is the answer.
    """
    where = select.where_sql([*in_range, way.clause])
    sql = f"select id from hooks{_by(way)}{where} limit 0 + ?"  # noqa: S608  checked names, bound values
    ids = [row[0] for row in conn.execute(sql, [*params, *way.params, COMMON_EVENTS])]
    if len(ids) >= COMMON_EVENTS:
        return None
    ids.sort(reverse=not oldest_first)
    return ids[:most]
