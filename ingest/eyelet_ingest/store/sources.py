"""Which src there are, how often, and when last: by a loose scan of the index on src, a step for each name.

Pages go by name, so that memory is bounded by the page, whatever is recorded. Names are read as the bytes they are, and
are in order of them, as SQLite has them: those that are no UTF-8 would be out of order, and some alike, as text.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from eyelet_ingest.errors import BadInput
from eyelet_ingest.store import select, statistics
from eyelet_ingest.store.answers import Partitions, text
from eyelet_ingest.store.catalog import Part
from eyelet_ingest.store.fanout import Lent
from eyelet_ingest.store.roots import Roots
from eyelet_ingest.store.search import LIMIT_MOST, Search, told
from eyelet_ingest.store.select import Filter

_AFTER_TEXT = b""  # the least blob: SQLite puts blobs behind all text
_AS_HEX = "hex:"  # how the `after` of a name begins that is no UTF-8, or begins so itself
Named = tuple[bytes, int, int | None]  # a name, how many events it has, the newest of them


@dataclass(frozen=True, slots=True)
class Source:
    """One src: how many events it has in the range, and the id (so the time in µs) of the newest."""

    src: str
    count: int
    newest_us: int


@dataclass(frozen=True, slots=True)
class Sources:
    """One page in order of name; `next`, where there is more, is the `after` of the following one. A page may hold
    fewer than were asked for, even none, where names have no event in the range."""

    sources: list[Source]
    next: str | None
    partitions: Partitions
    elapsed_ms: float


def sources(roots: Roots, where: Filter, limit: int, after: str | None) -> Sources:
    """The sources within the filter's range, contexts and src. BadInput for any other condition, a page of nothing, and
    an `after` that this software did not give.

    Partitions that cannot be read are named in the result, never raised.
    """
    where = told(where)
    if replace(where, src=()).on_rows():
        raise BadInput("list sources", reason="only contexts, src and a range choose them", hint="search for the rest")
    if limit < 1:
        raise BadInput("list sources", reason=f"a page of {limit} names", hint="1 is the least")
    limit = min(limit, LIMIT_MOST)
    question = _Naming(roots, where)
    with question:
        found: dict[bytes, tuple[int, int]] = {}
        for rows in question.days(limit, None if after is None else _place(after)):
            for src, count, newest_us in rows:
                before = found.get(src, (0, 0))
                found[src] = (before[0] + count, max(before[1], newest_us or 0))
            if len(found) > limit + 1:  # names beyond the page need not be kept
                found = {src: found[src] for src in sorted(found)[: limit + 1]}
        names = sorted(found)
        page = [Source(text(src), *found[src]) for src in names[:limit] if found[src][0]]
        following = _mark(names[limit - 1]) if len(names) > limit else None
        return Sources(page, following, question.truth(), question.elapsed_ms())


def _mark(name: bytes) -> str:
    """The name as text that any URL and terminal carries, for `_place`."""
    try:
        told = name.decode()
    except UnicodeDecodeError:
        return _AS_HEX + name.hex()
    return _AS_HEX + name.hex() if told.startswith(_AS_HEX) else told


def _place(after: str) -> bytes:
    try:
        return bytes.fromhex(after.removeprefix(_AS_HEX)) if after.startswith(_AS_HEX) else after.encode()
    except ValueError:
        reason = "its `after` is not one this software gave"
        raise BadInput("list sources", reason=reason, hint="start at the first page") from None


class _Naming(Search):
    """A question whose answer is names, not rows."""

    def days(self, limit: int, after: bytes | None) -> Iterator[list[Named]]:
        ask = partial(_of_day, where=self.where, limit=limit, after=after)
        return (rows for _, rows in self.each(self.parts, ask))


def _of_day(lent: Lent, part: Part, *, where: Filter, limit: int, after: bytes | None) -> list[Named]:
    """The day's first names beyond `after`, one more than the page holds."""
    known = _by_statistics(lent.conn, part, where, limit, after)
    if known is not None:
        return known
    in_range, range_params = select.id_range(*where.within(part.bounds_us))
    of_name = "".join(f" and {clause}" for clause in in_range)
    found: dict[bytes, Named] = {}
    for low, end in _spans(where):
        inside = after is None or after < low.encode()
        start = low if inside else after
        # The subqueries meet one entry of the index on src for each name, not one for each event.
        sql = f"""
            with recursive named(src) as (
                select * from (
                    select src from hooks where src {">=" if inside else ">"} cast(? as text) and src < ?
                    order by src limit 1
                )
                union all
                select (select src from hooks where src > named.src and src < ? order by src limit 1) from named
                where named.src is not null
                limit ?
            )
            select cast(src as blob), (select count(*) from hooks where src = named.src{of_name}),
                (select max(id) from hooks where src = named.src{of_name})
            from named where src is not null
        """  # noqa: S608  checked names, bound values
        params = [start, end, end, limit + 2, *range_params, *range_params]
        found.update({row[0]: row for row in lent.conn.execute(sql, params)})
    return [found[src] for src in sorted(found)[: limit + 1]]


def _by_statistics(conn: Any, part: Part, where: Filter, limit: int, after: bytes | None) -> list[Named] | None:
    """The same from the day's statistics, where they know every hour of the range; None where they do not."""
    with statistics.snapshot(conn):
        covered = statistics.cover(conn, part.bounds_us, where.since_us, where.until_us)
        if not covered.hours or any(piece.bounds_us for piece in covered.pieces):
            return None
        found: dict[bytes, Named] = {}
        for low, end in _spans(where):
            named = ["src >= ?", "src < ?", f"src {'>=' if after is None else '>'} cast(? as text)"]
            params: list[object] = [low, end, after or b""]
            what, tail = "cast(src as blob), sum(events), max(last_id)", f" group by src order by src limit {limit + 1}"
            rows = statistics.values_where(conn, covered, "src", named, params, what, tail)
            if not all(isinstance(number, int) for row in rows for number in row[1:]):
                return None  # not ours
            of_span = {row[0]: row for row in rows}
            for piece in covered.pieces:  # what came late
                late = select.where_sql([*piece.clauses, *named])
                sql = f"select cast(src as blob), count(*), max(id) from hooks{piece.source}{late} group by src"  # noqa: S608
                for src, count, newest in conn.execute(sql, [*piece.params, *params]):
                    _, before, newest_before = of_span.get(src, (src, 0, 0))
                    of_span[src] = (src, before + count, max(newest_before, newest))
            found.update(of_span)
    return [found[src] for src in sorted(found)[: limit + 1]]


def _spans(where: Filter) -> Iterator[tuple[str, str | bytes]]:
    """The names asked for as spans of the order of text: from ≤ src < end."""
    if not where.src:
        yield "", _AFTER_TEXT
    for value in where.src:
        if value.endswith("*"):
            yield value[:-1], select.after_prefix(value[:-1])
        else:
            yield value, value + "\0"
            yield value + ".", value + "/"
