"""What the statistics of a day spare: counting events, their summary, failures by code, without reading the rows.

Each answers None where no statistics help, and the caller reads. Where nothing but a range is asked for, ids are
counted on the index of hook_type, type by type: an entry of an index is 20 bytes where a row is 2 KB (33,000 events of
a day, hour by hour: 0.9 ms; grouped by the hour from the rows 24 ms, from any one index 5 ms).
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

from eyelet_ingest.store import select, statistics, tally
from eyelet_ingest.store.answers import added_up, text
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.statistics import Cover, Day, Piece

# How the rows that match are found: what stands behind `from hooks`, e.g. ` indexed by hooks_src`; asked when needed.
How = Callable[[], str]

TYPES_MAX = 32  # with more of them, counting type by type costs more than looking at every entry of an index
RANGES_MAX = 100  # the same, of ranges
# Columns without an index: counting their values means reading rows. Others' indexes count as fast as statistics do.
_UNINDEXED = ("status", "agent", "model", "loglevel", "project_dir")


def no_way() -> str:
    """Let SQLite choose."""
    return ""


def count(conn: Any, day: Day, where: Filter) -> int | None:
    """How many events of the day match."""
    field = statistics.field_of(where)
    if where.errors or field not in ("", *_UNINDEXED):
        return None
    with statistics.snapshot(conn):
        covered = statistics.cover(conn, day, where.since_us, where.until_us)
        if not covered.hours:
            return None
        if field:
            total = statistics.values_of(conn, covered, field, where, "coalesce(sum(events), 0)")[0][0]
        else:
            total = sum(hour.events for hour in covered.hours.values())
        return int(total) + sum(_matching(conn, where, piece) for piece in covered.pieces)


def summary(conn: Any, day: Day, where: Filter) -> "tally.OfPart | None":
    """What all events of the day within the range add up to; there must be no other condition."""
    with statistics.snapshot(conn):
        covered = statistics.cover(conn, day, where.since_us, where.until_us)
        if not covered.hours:
            return None
        found = [_known(conn, covered, where)]
        for piece in covered.pieces:
            rows = select.where_sql(piece.clauses)
            found.append(tally.count_matching(conn, piece.source or " not indexed", rows, piece.params))
    return tally.together(found)


def error_codes(conn: Any, day: Day, where: Filter) -> list[tuple[str, int]] | None:
    """The failures of the day within the range by code, '' for those without one; there must be no other condition."""
    with statistics.snapshot(conn):
        covered = statistics.cover(conn, day, where.since_us, where.until_us)
        if not covered.hours:
            return None
        codes = statistics.values_of(conn, covered, "error_code", where, "error_code, sum(errors)", "1")
        codes.append(("", sum(hour.errors for hour in covered.hours.values()) - sum(count for _, count in codes)))
        for piece in covered.pieces:
            rows = select.where_sql([*piece.clauses, "error = 1"])
            sql = f"select coalesce(error_code, ''), count(*) from hooks{piece.source}{rows} group by 1"  # noqa: S608
            codes += conn.execute(sql, piece.params)
    return [(text(code), events) for code, events in codes if events]


def _known(conn: Any, covered: Cover, where: Filter) -> "tally.OfPart":
    counts = tuple(
        added_up(statistics.values_of(conn, covered, name, where, f"{name}, sum(events)", "1"))
        for name in ("hook_type", "tool_name", "status")
    )
    sessions = statistics.values_of(conn, covered, "session_id", where, "distinct session_id")
    hours = covered.hours.values()
    return tally.OfPart(
        sum(hour.events for hour in hours),
        sum(hour.errors for hour in hours),
        [text(name) for (name,) in sessions if name],
        min((hour.first_id for hour in hours if hour.first_id is not None), default=None),
        max((hour.last_id for hour in hours if hour.last_id is not None), default=None),
        counts,
    )


def read(conn: Any, where: Filter, piece: Piece, what: str, group: str, how: How = no_way) -> Any:
    """The rows of `select {what}` over the rows of a piece that match; `what` and `group` are our own names."""
    if not where.text:
        clauses, params = select.conditions(where)
        return _read(conn, piece, clauses, params, what, group, how)
    from eyelet_ingest.store import text_search

    with statistics.snapshot(conn):  # what the text comes to holds for one moment
        clauses, params = text_search.conditions(conn, where, piece.clauses, piece.params)
        return _read(conn, piece, clauses, params, what, group, how).fetchall()


def _read(conn: Any, piece: Piece, clauses: list[str], params: list[object], what: str, group: str, how: How) -> Any:
    source = piece.source or (how() if clauses else "")
    sql = f"select {what} from hooks{source}{select.where_sql([*piece.clauses, *clauses])}{group}"  # noqa: S608
    return conn.execute(sql, [*piece.params, *params])


def range_counts(conn: Any, ranges: Sequence[tuple[int, int]]) -> list[tuple[int, str, int]] | None:
    """How many ids lie in each low ≤ id < high, as (which range, hook_type, count); those of 0 may lack.

    None where that is no short look: the day has very many types, or there are very many ranges.
    """
    if len(ranges) > RANGES_MAX:
        return None
    types = f"{_TYPES} select count(*) from types"  # noqa: S608  our own names
    if conn.execute(types, (TYPES_MAX + 2,)).fetchone()[0] > TYPES_MAX + 1:
        return None
    sql = f"""
        {_TYPES}, wanted(at, low, high) as materialized (
            select key, json_extract(value, '$[0]'), json_extract(value, '$[1]') from json_each(?)
        )
        select at, name, (
            select count(*) from hooks
            where hooks.hook_type is types.name and hooks.id >= wanted.low and hooks.id < wanted.high
        )
        from wanted, types
    """  # noqa: S608  our own names
    rows = conn.execute(sql, (TYPES_MAX + 2, json.dumps(ranges)))
    return [row for row in rows if row[2]]


def matching_ranges(
    conn: Any, where: Filter, source: str, ranges: Sequence[tuple[int, int]]
) -> list[tuple[int, int]] | None:
    """How many events that match lie in each range, as (which, count), by the index `source` of the only condition.

    None where that is no short look: there are other conditions, or the index does not give what it finds in order.
    """
    clauses, params = select.conditions(where)
    ways = select.ways(where)
    if len(clauses) != 1 or len(ways) != 1 or not ways[0].in_order or len(ranges) > RANGES_MAX:
        return None
    sql = f"""
        with wanted(at, low, high) as materialized (
            select key, json_extract(value, '$[0]'), json_extract(value, '$[1]') from json_each(?)
        )
        select at, (select count(*) from hooks{source} where {clauses[0]} and id >= low and id < high) from wanted
    """  # noqa: S608  checked names, bound values
    return list(conn.execute(sql, [json.dumps(ranges), *params]))


def count_by_index(conn: Any, bounds_us: tuple[int, int]) -> int:
    """How many ids lie in low ≤ id < high, by a look at every entry of the smallest index."""
    sql = "select count(*) from hooks where +id >= ? and +id < ?"  # +id: the rows themselves are a hundred times larger
    return int(conn.execute(sql, bounds_us).fetchone()[0])


# The day's hook_types and a null after them: a look into the index for each, not for each event.
_TYPES = """
    with recursive types(name) as materialized (
        select min(hook_type) from hooks
        union all
        select (select min(hook_type) from hooks where hook_type > types.name) from types
        where types.name is not null
        limit 0 + ?
    )
"""


def _matching(conn: Any, where: Filter, piece: Piece) -> int:
    if piece.bounds_us is not None and not where.on_rows():
        counts = range_counts(conn, [piece.bounds_us])
        return count_by_index(conn, piece.bounds_us) if counts is None else sum(events for _, _, events in counts)
    return int(read(conn, where, piece, "count(*)", "").fetchone()[0])
