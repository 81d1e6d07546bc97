"""How many events there are in each stretch of time, over all partitions of a range.

Times are microseconds since 1970 UTC. Edges may be given, so that a caller can have the days of a zone; else they are
whole multiples of a round width. Hours whose statistics are known are not read where no edge divides them; the rest is
counted by ranges of an index, or, where conditions or `by` need the rows, grouped as they are read.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import gcd
from typing import Any

from eyelet_ingest.errors import BadInput
from eyelet_ingest.store import counting, layout, statistics
from eyelet_ingest.store.answers import Partitions, text
from eyelet_ingest.store.catalog import Part
from eyelet_ingest.store.counting import How, no_way
from eyelet_ingest.store.fanout import Lent
from eyelet_ingest.store.roots import Roots
from eyelet_ingest.store.search import Search
from eyelet_ingest.store.select import TIME_MOST_US, Filter
from eyelet_ingest.store.statistics import Day, Piece

BUCKETS = 60
BUCKETS_MAX = 10_000
CELLS_MAX = 1_000_000  # the stretches that all edges are multiples of
BY = ("status", "hook_type", "loglevel")
_SECOND, _MINUTE, _HOUR, _DAY = 1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000
WIDTHS_US: tuple[int, ...] = (
    *(step * int(10**power) for power in range(6) for step in (1, 2, 5)),
    *(step * unit for unit in (_SECOND, _MINUTE) for step in (1, 2, 5, 10, 15, 30)),
    *(step * _HOUR for step in (1, 2, 3, 6, 12)),
    *(step * _DAY for step in (1, 2, 7, 14, 28, 91, 182, 364)),
)

Counts = dict[tuple[int, str], int]  # (bucket, value of `by`) → events


@dataclass(frozen=True, slots=True)
class Histogram:
    """`counts[n]` events lie in bounds[n] ≤ event < bounds[n + 1], of those that match: where the range asked for ends
    within a bucket, only as far as that. `by` has such counts for each value of the column asked for, the most frequent
    first; "" stands for events that have none.
    """

    bounds: list[int]
    counts: list[int]
    by: dict[str, list[int]]
    partitions: Partitions
    elapsed_ms: float


def histogram(
    roots: Roots,
    where: Filter,
    *,
    bucket_us: int | None,
    buckets: int,
    bounds: Sequence[int] | None,
    by: str | None,
    deadline_ms: float | None,
) -> Histogram:
    """The histogram of what matches; see `Store.histogram`."""
    if by is not None and by not in BY:
        raise BadInput("make a histogram", reason=f"it cannot be split by {by}", hint=f"there are {', '.join(BY)}")
    with Search(roots, where, deadline_ms) as question:
        where = question.where
        first, end = _span(question, where, bounds)
        at = edges(first, end, bucket_us, buckets, bounds)
        sums: Counts = {}

        both = question.minus()

        def of(lent: Lent, part: Part, one: Filter) -> Counts:
            return of_day(lent.conn, part.bounds_us, one, at, by, lambda: question.how(lent, by is None, one))

        def ask(lent: Lent, part: Part) -> Counts:
            if both is None:
                return of(lent, part, where)
            with statistics.snapshot(lent.conn):
                counts = of(lent, part, both[0])
                for place, events in of(lent, part, both[1]).items():
                    _add(counts, *place, -events)
            return counts

        for _, counts in question.each(question.parts, ask):
            for place, events in counts.items():
                if events:
                    sums[place] = sums.get(place, 0) + events
        stacks: dict[str, list[int]] = {}
        for (bucket, value), events in sums.items():
            stacks.setdefault(value, [0] * (len(at) - 1))[bucket] += events
        totals = [sum(column) for column in zip(*stacks.values(), strict=True)] or [0] * (len(at) - 1)
        order = sorted(stacks, key=lambda value: (-sum(stacks[value]), value))
        stacked = {value: stacks[value] for value in order} if by else {}
        return Histogram(at, totals, stacked, question.truth(), question.elapsed_ms())


def _span(question: Search, where: Filter, bounds: Sequence[int] | None) -> tuple[int, int]:
    """From when to when: as asked for, else as far as there are days. Days beyond given bounds are not asked."""
    if bounds:
        inside = [part for part in question.parts if part.end_us > bounds[0] and part.first_us < bounds[-1]]
        question.skipped += len(question.parts) - len(inside)
        question.parts = inside
        return bounds[0], bounds[-1]
    parts = question.parts
    first = where.since_us if where.since_us is not None else parts[0].first_us if parts else None
    end = where.until_us if where.until_us is not None else parts[-1].end_us if parts else None
    first = first if first is not None else (end or layout.DAY_US) - layout.DAY_US
    return first, end if end is not None else first + layout.DAY_US


def edges(since_us: int, until_us: int, bucket_us: int | None, buckets: int, bounds: Sequence[int] | None) -> list[int]:
    """The edges of the buckets that hold since ≤ event < until; BadInput for what cannot be."""
    if bounds is not None:
        given = [int(edge) for edge in bounds]
        if len(given) < 2 or any(low >= high for low, high in pairwise(given)):
            raise BadInput("make a histogram", reason="its bounds do not rise", hint="give two or more, rising")
        _limit(len(given) - 1, given, _unit(given))
        return given
    if bucket_us is not None and bucket_us < 1:
        raise BadInput("make a histogram", reason=f"buckets of {bucket_us} µs", hint="1 is the least")
    if not 1 <= buckets <= BUCKETS_MAX:
        raise BadInput("make a histogram", reason=f"{buckets} buckets", hint=f"1 to {BUCKETS_MAX} can be")
    until_us = max(until_us, since_us + 1)
    width = bucket_us or _width(until_us - since_us, buckets)
    first = since_us // width * width
    number = -(-(until_us - first) // width)
    _limit(number, [first, first + number * width], width)
    return [first + at * width for at in range(number + 1)]


def of_day(conn: Any, day: Day, where: Filter, bounds: Sequence[int], by: str | None, how: How = no_way) -> Counts:
    """What one partition adds to the histogram with these edges."""
    low = max(bounds[0], where.since_us if where.since_us is not None else bounds[0])
    high = min(bounds[-1], where.until_us if where.until_us is not None else bounds[-1])
    counts: Counts = {}
    if max(low, day[0]) >= min(high, day[1]):
        return counts
    field = statistics.field_of(where)
    if field is None or (by is not None and field not in ("", by)):
        whole = max(low, day[0]), min(high, day[1])
        _read(conn, counts, where, Piece("", ["id >= ?", "id < ?"], list(whole), whole), bounds, by, how)
        return counts
    with statistics.snapshot(conn):
        covered = statistics.cover(conn, day, low, high, bounds)
        _add_known(conn, counts, covered, day, where, bounds, by or field or None, stacked=by is not None)
        for piece in covered.pieces:
            _read(conn, counts, where, piece, bounds, by, how)
    return counts


def _add_known(
    conn: Any,
    counts: Counts,
    covered: statistics.Cover,
    day: Day,
    where: Filter,
    bounds: Sequence[int],
    field: str | None,
    stacked: bool,
) -> None:
    """What the statistics say: the hours' totals, or the counts of a column in them."""
    what = statistics.count_of(where)
    left = {hour: getattr(known, what) for hour, known in covered.hours.items()}
    if field is not None:
        found = statistics.values_of(conn, covered, field, where, f"hour, {field}, {what}")
        only = statistics.field_of(where) == field  # then hours' totals say nothing
        left = dict.fromkeys(left, 0) if only else left
        for hour, value, events in found:
            _add(counts, _bucket(bounds, day[0] + hour * _HOUR), text(value) if stacked else "", events)
            if not only:
                left[hour] -= events
    for hour, events in left.items():
        _add(counts, _bucket(bounds, day[0] + hour * _HOUR), "", events)


def _read(
    conn: Any, counts: Counts, where: Filter, piece: Piece, bounds: Sequence[int], by: str | None, how: How
) -> None:
    """Count the rows of a piece: by ranges of an index where nothing else is asked for, else grouped."""
    if piece.bounds_us is not None and not where.on_rows() and by in (None, "hook_type"):
        ranges = _parts(piece.bounds_us, bounds)
        found = counting.range_counts(conn, ranges)
        if found is not None:
            for at, name, events in found:
                _add(counts, _bucket(bounds, ranges[at][0]), text(name) if by and name is not None else "", events)
            return
        piece = Piece("", ["+id >= ?", "+id < ?"], list(piece.bounds_us), None)  # by an index, not the rows
    source = how() if where.on_rows() and not piece.source else ""
    if piece.bounds_us is not None and by is None and source.startswith(" indexed by "):
        ranges = _parts(piece.bounds_us, bounds)
        matching = counting.matching_ranges(conn, where, source, ranges)
        if matching is not None:
            for at, events in matching:
                _add(counts, _bucket(bounds, ranges[at][0]), "", events)
            return
    unit = _unit(bounds)
    cell = f"(id - {int(bounds[0])}) / {unit}"
    what = f"{cell}, {by or 'null'}, count(*)"
    for at, value, events in counting.read(conn, where, piece, what, " group by 1, 2", lambda: source):
        _add(counts, _bucket(bounds, bounds[0] + at * unit), text(value) if value else "", events)


def _parts(span: tuple[int, int], bounds: Sequence[int]) -> list[tuple[int, int]]:
    """The span, cut at the edges within it."""
    inside = bounds[bisect_right(bounds, span[0]) : bisect_left(bounds, span[1])]
    return list(pairwise([span[0], *inside, span[1]]))


def _bucket(bounds: Sequence[int], at_us: int) -> int:
    return bisect_right(bounds, at_us) - 1


def _add(counts: Counts, bucket: int, value: str, events: int) -> None:
    if events:
        counts[bucket, value] = counts.get((bucket, value), 0) + events


def _unit(bounds: Sequence[int]) -> int:
    """The longest stretch that all buckets are made of."""
    return gcd(*(high - low for low, high in pairwise(bounds)))


def _width(span_us: int, buckets: int) -> int:
    """The least round width of which that many buckets, or fewer, hold the span wherever it begins."""
    for width in WIDTHS_US:
        if span_us <= width * buckets:
            return width
    years = -(-span_us // (WIDTHS_US[-1] * buckets))
    return WIDTHS_US[-1] * years


def _limit(buckets: int, bounds: Sequence[int], unit: int) -> None:
    if buckets > BUCKETS_MAX:
        reason = f"{buckets:,} buckets, {BUCKETS_MAX:,} are the most"
        raise BadInput("make a histogram", reason=reason, hint="ask for a shorter range or wider buckets")
    if max(abs(bounds[0]), abs(bounds[-1])) > 4 * TIME_MOST_US:
        raise BadInput("make a histogram", reason="its bounds lie beyond all days", hint="ask for a shorter range")
    if (bounds[-1] - bounds[0]) // unit > CELLS_MAX:
        raise BadInput("make a histogram", reason="its bounds are too uneven", hint="give whole minutes")
