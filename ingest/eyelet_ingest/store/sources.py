"""Which src there are, how often, and when last: by a loose scan of the index on src, a step for each name.

Pages go by name, so that memory is bounded by the page, whatever is recorded.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from eyelet_ingest.errors import BadInput
from eyelet_ingest.store import select, statistics
from eyelet_ingest.store.answers import Partitions
from eyelet_ingest.store.catalog import Part
from eyelet_ingest.store.fanout import Lent
from eyelet_ingest.store.roots import Roots
from eyelet_ingest.store.search import Search
from eyelet_ingest.store.select import Filter

_AFTER_ALL = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Source:
    """One src: how many events it has in the range, and the id (so the time in µs) of the newest."""

    src: str
    count: int
    newest_us: int


@dataclass(frozen=True, slots=True)
class Sources:
    """One page in order of name; `next` is the `after` of the following one. A page may hold fewer than were asked for,
    even none, where names have no event in the range."""

    sources: list[Source]
    next: str | None
    partitions: Partitions
    elapsed_ms: float


def sources(roots: Roots, where: Filter, limit: int, after: str | None) -> Sources:
    """The sources within the filter's range, contexts and src. BadInput for any other condition.

    Partitions that cannot be read are named in the result, never raised.
    """
    if replace(where, src=()).on_rows():
        raise BadInput("list sources", reason="only contexts, src and a range choose them", hint="search for the rest")
    question = _Naming(roots, where)
    with question:
        found: dict[str, tuple[int, int]] = {}
        for rows in question.days(limit, after):
            for src, count, newest_us in rows:
                before = found.get(src, (0, 0))
                found[src] = (before[0] + count, max(before[1], newest_us or 0))
            if len(found) > limit + 1:  # names beyond the page need not be kept
                found = {src: found[src] for src in sorted(found)[: limit + 1]}
        names = sorted(found)
        page = [Source(src, *found[src]) for src in names[:limit] if found[src][0]]
        following = names[limit - 1] if len(names) > limit else None
        return Sources(page, following, question.truth(), question.elapsed_ms())


class _Naming(Search):
    """A question whose answer is names, not rows."""

    def days(self, limit: int, after: str | None) -> Iterator[list[tuple[str, int, int | None]]]:
        ask = partial(_of_day, where=self.where, limit=limit, after=after)
        return (rows for _, rows in self.each(self.parts, ask))


def _of_day(
    lent: Lent, part: Part, *, where: Filter, limit: int, after: str | None
) -> list[tuple[str, int, int | None]]:
    """src, count and newest id of the day's first names beyond `after`, one more than the page holds."""
    known = _by_statistics(lent.conn, part, where, limit, after)
    if known is not None:
        return known
    in_range, range_params = select.id_range(where.since_us, where.until_us)
    of_name = "".join(f" and {clause}" for clause in in_range)
    found: dict[str, tuple[str, int, int | None]] = {}
    for low, end in _spans(where):
        beyond = ">=" if after is None or after < low else ">"
        start = low if after is None or after < low else after
        # The subqueries meet one entry of the index on src for each name, not one for each event.
        sql = f"""
            with recursive named(src) as (
                select * from (select src from hooks where src {beyond} ? and src < ? order by src limit 1)
                union all
                select (select src from hooks where src > named.src and src < ? order by src limit 1) from named
                where named.src is not null
                limit ?
            )
            select src, (select count(*) from hooks where src = named.src{of_name}),
                (select max(id) from hooks where src = named.src{of_name})
            from named where src is not null
        """  # noqa: S608  checked names, bound values
        params = [start, end, end, limit + 2, *range_params, *range_params]
        found.update({row[0]: row for row in lent.conn.execute(sql, params)})
    return [found[src] for src in sorted(found)[: limit + 1]]


def _by_statistics(
    conn: Any, part: Part, where: Filter, limit: int, after: str | None
) -> list[tuple[str, int, int | None]] | None:
    """The same from the day's statistics, where they know every hour of the range; None where they do not."""
    with statistics.snapshot(conn):
        covered = statistics.cover(conn, part.bounds_us, where.since_us, where.until_us)
        if not covered.hours or any(piece.bounds_us for piece in covered.pieces):
            return None
        found: dict[str, tuple[str, int, int | None]] = {}
        for low, end in _spans(where):
            named = ["src >= ?", "src < ?", f"src {'>=' if after is None else '>'} ?"]
            params: list[object] = [low, end, after or ""]
            what, tail = "src, sum(events), max(last_id)", f" group by 1 order by 1 limit {int(limit) + 1}"
            rows = statistics.values_where(conn, covered, "src", named, params, what, tail)
            of_span = {row[0]: row for row in rows}
            for piece in covered.pieces:  # what came late
                late = select.where_sql([*piece.clauses, *named])
                sql = f"select src, count(*), max(id) from hooks{piece.source}{late} group by 1"  # noqa: S608
                for src, count, newest in conn.execute(sql, [*piece.params, *params]):
                    _, before, newest_before = of_span.get(src, (src, 0, 0))
                    of_span[src] = (src, before + count, max(newest_before, newest))
            found.update(of_span)
    return [found[src] for src in sorted(found)[: limit + 1]]


def _spans(where: Filter) -> Iterator[tuple[str, str]]:
    """The names asked for as spans of the order of text: from ≤ src < end."""
    if not where.src:
        yield "", _AFTER_ALL
    for value in where.src:
        if value.endswith("*"):
            yield value[:-1], value[:-1] + _AFTER_ALL
        else:
            yield value, value + "\0"
            yield value + ".", value + "/"
