"""Which values the events have, and how many have each: what a page offers to filter by.

The counts of a field obey all conditions of the filter but those on that field itself, so that a choice shows what else
could have been chosen. Fields that obey the same conditions are counted in one reading of the rows; where there are no
conditions, or only one that statistics know, finished hours are not read, and columns that have an index are counted
on that. With any other condition the rows that match are read: 2 to 3 µs each, half of it for reading and half for
grouping, in whatever order the columns are named. Not made: an index over all nine columns, which takes 40 % of that
time, but 7 % of a day's file and one more entry in every write of a hook.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from eyelet_ingest.errors import BadInput
from eyelet_ingest.store import counting, select, statistics
from eyelet_ingest.store.answers import Partitions, ranked, text
from eyelet_ingest.store.catalog import Part
from eyelet_ingest.store.counting import How, no_way
from eyelet_ingest.store.fanout import Lent
from eyelet_ingest.store.roots import Roots
from eyelet_ingest.store.search import Search, told
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.statistics import Day, Piece

FIELDS = (
    "context",
    "src",
    "hook_type",
    "tool_name",
    "status",
    "model",
    "project_dir",
    "git_branch",
    "agent",
    "loglevel",
    "session_id",
    "error_code",
)
LIMIT = 20
# Columns whose values an index holds: it is read in order, without the rows.
_INDEXED = ("src", "hook_type", "tool_name", "git_branch", "session_id", "error_code")

Tallies = dict[str, dict[str, int]]  # field → value → events


@dataclass(frozen=True, slots=True)
class Facet:
    """The most frequent values of a field, (value, events), largest first; `more` where there are others.

    Events without a value are not in it. Of src these are the names one level below the one asked for.
    """

    values: list[tuple[str, int]]
    more: bool


@dataclass(frozen=True, slots=True)
class Facets:
    """A Facet for each field that was asked for."""

    fields: dict[str, Facet]
    partitions: Partitions
    elapsed_ms: float


def facets(
    roots: Roots, where: Filter, fields: Sequence[str], *, limit: int, src_below: str, deadline_ms: float | None
) -> Facets:
    """The facets of these fields; see `Store.facets`."""
    if limit < 1:
        raise BadInput("count values", reason=f"{limit} values of each field", hint="1 is the least")
    started = time.perf_counter()
    where = told(where)
    tallies: Tallies = {name: {} for name in fields}
    truth: Partitions | None = None
    for condition, names in groups(where, fields, src_below):
        left_ms = None if deadline_ms is None else deadline_ms - (time.perf_counter() - started) * 1000
        with Search(roots, condition, left_ms) as question:
            if names == ["context"]:
                _count_contexts(question, tallies["context"])
            else:
                _count_values(question, tallies, names, src_below)
            found = question.truth()
        # All groups ask the same partitions, but that of the context may ask more.
        truth = found if truth is None or "context" not in names else truth
        truth = replace(truth, unasked=max(truth.unasked, found.unasked))
    elapsed_ms = round((time.perf_counter() - started) * 1000, 3)
    counted = {name: facet(counts, limit) for name, counts in tallies.items()}
    return Facets(counted, truth or Partitions(0, 0, ()), elapsed_ms)


def _count_contexts(question: Search, counts: dict[str, int]) -> None:
    for part, events in question.counts():
        if events:
            counts[part.context] = counts.get(part.context, 0) + events


def _count_values(question: Search, tallies: Tallies, names: Sequence[str], src_below: str) -> None:
    both = question.minus()

    def of(lent: Lent, part: Part, where: Filter) -> Tallies:
        how = partial(question.how, lent, where=where)
        return of_day(lent.conn, part.bounds_us, where, names, src_below, how)

    def ask(lent: Lent, part: Part) -> Tallies:
        if both is None:
            return of(lent, part, question.where)
        with statistics.snapshot(lent.conn):
            counted = of(lent, part, both[0])
            for name, values in of(lent, part, both[1]).items():
                for value, events in values.items():
                    counted[name][value] -= events
        return counted

    for _, found in question.each(question.parts, ask):
        for name, values in found.items():
            sums = tallies[name]
            for value, events in values.items():
                if events:
                    sums[value] = sums.get(value, 0) + events


def groups(where: Filter, fields: Sequence[str], src_below: str) -> list[tuple[Filter, list[str]]]:
    """Which fields obey which conditions; BadInput for a field that has no facet."""
    unknown = [name for name in fields if name not in FIELDS]
    if unknown:
        raise BadInput("count values", reason=f"no facet {', '.join(unknown)}", hint=f"there are {', '.join(FIELDS)}")
    found: dict[tuple[Filter, bool], list[str]] = {}
    for name in dict.fromkeys(fields):
        found.setdefault((_without(where, name, src_below), name == "context"), []).append(name)
    return [(condition, names) for (condition, _), names in found.items()]


def facet(counts: dict[str, int], limit: int) -> Facet:
    values = list(ranked(counts).items())
    return Facet(values[:limit], len(values) > limit)


def of_day(conn: Any, day: Day, where: Filter, names: Sequence[str], src_below: str, how: How = no_way) -> Tallies:
    """The counts of one partition for columns that obey the same conditions; not of the context."""
    tallies: Tallies = {name: {} for name in names}
    field = statistics.field_of(where)
    known = [name for name in names if field in ("", name)]
    others = [name for name in names if name not in known]
    if known:
        with statistics.snapshot(conn):
            covered = statistics.cover(conn, day, where.since_us, where.until_us)
            what = statistics.count_of(where)
            for name in known:
                counts = statistics.values_of(conn, covered, name, where, f"{name}, sum({what})", "1")
                _add(tallies[name], name, counts, src_below)
            for piece in covered.pieces:
                _read(conn, tallies, where, piece, known, src_below, how)
    if others:
        whole = Piece("", *select.id_range(*where.within(day)), None)
        _read(conn, tallies, where, whole, others, src_below, how)
    return tallies


def _read(
    conn: Any, tallies: Tallies, where: Filter, piece: Piece, names: Sequence[str], src_below: str, how: How
) -> None:
    """Count the rows of a piece: an indexed column on its index where no condition needs the rows, the rest at once."""
    together = list(names)
    if piece.bounds_us is not None and not where.on_rows():
        together = [name for name in names if name not in _INDEXED]
        for name in names:
            if name in _INDEXED:
                _add(tallies[name], name, _by_index(conn, piece, name), src_below)
    if together:
        marks = ", ".join(str(at + 1) for at in range(len(together)))
        cursor = counting.read(conn, where, piece, f"{', '.join(together)}, count(*)", f" group by {marks}", how)
        for *values, events in cursor:
            for name, value in zip(together, values, strict=True):
                _add(tallies[name], name, [(value, events)], src_below)


def _by_index(conn: Any, piece: Piece, name: str) -> Any:
    # +id: the entries of an index are looked through, rather than the rows, which are a hundred times larger
    clauses = [f"+{clause}" for clause in piece.clauses]
    sql = (
        f"select {name}, count(*) from hooks{select.where_sql([f'{name} is not null', *clauses])} "  # noqa: S608
        "group by 1"
    )
    return conn.execute(sql, piece.params)


def _add(counts: dict[str, int], name: str, found: Any, src_below: str) -> None:
    for value, events in found:
        if value is None or not events:
            continue
        shown = _level(text(value), src_below) if name == "src" else text(value)
        counts[shown] = counts.get(shown, 0) + events


def _level(src: str, below: str) -> str:
    """The name one level below `below` on the way to `src`; itself where it ends there."""
    start = len(below) + 1 if below else 0
    end = src.find(".", start)
    return src if end < 0 else src[:end]


def _without(where: Filter, name: str, src_below: str) -> Filter:
    """The filter without its conditions on this field, and without what it leaves out of it."""
    if name == "context":
        return where.but("contexts")
    if name == "src":
        return replace(where.but("src"), src=(src_below,) if src_below else ())
    return where.but(name)
