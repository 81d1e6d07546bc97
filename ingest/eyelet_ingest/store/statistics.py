"""The statistics of a day: which of its hours they know, what of a question they answer, and what must be read.

An hour's statistics say what its rows added up to up to a certain `arrived`. So a question over a range is three sums:
the hours that are known and lie whole in it, the rows of those hours that arrived later, and the gaps between, which
are read row by row. The three are one answer only in one snapshot: ask inside `with snapshot(conn):`.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, NamedTuple

from eyelet_ingest.store import schema, select
from eyelet_ingest.store.select import Filter

HOUR_US = 3_600_000_000
HOURS = 24
HOUR_OF_ID = "id / 3600000000 % 24"
# The columns of `hooks` whose values are counted. Their names stand in SQL; nothing else ever does.
FIELDS = (
    "src",
    "hook_type",
    "tool_name",
    "status",
    "loglevel",
    "agent",
    "model",
    "project_dir",
    "session_id",
    "git_branch",
    "error_code",
)
Day = tuple[int, int]  # its first microsecond, and the next day's first
_NOT_ON_ROWS = ("since_us", "until_us", "contexts", "errors", "exact", "without")
# Of these each event has a value, so that what is left when some are taken away stands in the counts.
_NEVER_NULL = frozenset(("src", "hook_type", "session_id"))


class snapshot:
    """`with snapshot(conn):` all that is read in the block is of one moment. The connection is out of it after the
    outermost."""

    __slots__ = ("conn", "is_within")

    def __init__(self, conn: Any) -> None:
        self.conn = conn
        self.is_within = False  # another, which ends it

    def __enter__(self) -> None:
        self.is_within = self.conn.in_transaction
        if not self.is_within:
            self.conn.execute("begin")

    def __exit__(self, *_: object) -> None:
        if self.conn.in_transaction and not self.is_within:
            self.conn.execute("rollback")


class Known(NamedTuple):
    """What is known of one hour: the newest arrival that was counted, and what was."""

    arrived: int
    events: int
    errors: int
    first_id: int | None
    last_id: int | None


class Piece(NamedTuple):
    """Rows that must be read: `source` stands behind `from hooks`, `params` before others. A gap has its bounds."""

    source: str
    clauses: list[str]
    params: list[object]
    bounds_us: tuple[int, int] | None


class Cover(NamedTuple):
    """A range of one day: the hours its statistics answer for, and the pieces that are read beside them."""

    hours: dict[int, Known]
    pieces: list[Piece]


def cover(conn: Any, day_us: Day, low_us: int | None, high_us: int | None, edges: Sequence[int] = ()) -> Cover:
    """How to answer for low ≤ id < high (None: the day's own end) of the day `day_us`.

    Where `edges` are given, rising times in µs, an hour that one of them divides is read.
    """
    first, end = day_us
    low, high = max(first, low_us or first), end if high_us is None else min(end, high_us)
    outside = strays(conn, day_us)
    known, newest = ({}, 0) if outside else _known(conn)
    kept: dict[int, Known] = {}
    gaps: list[tuple[int, int]] = []
    at = low
    for hour, counted in sorted(known.items()):
        begins = first + hour * HOUR_US
        if begins < at or begins + HOUR_US > high:
            continue
        if edges and bisect_right(edges, begins) != bisect_right(edges, begins + HOUR_US - 1):
            continue
        if at < begins:
            gaps.append((at, begins))
        kept[hour] = counted
        at = begins + HOUR_US
    if at < high:
        gaps.append((at, high))
    pieces = [Piece("", *(select.id_range(*gap) if outside else _range(gap, day_us)), gap) for gap in gaps]
    if kept and newest > min(counted.arrived for counted in kept.values()):
        pieces.append(_late(kept))
    return Cover(kept, pieces)


def strays(conn: Any, day_us: Day) -> bool:
    """Whether there are rows of another day's time, which are in no answer: their place in the order of time is not
    here. Only another program can have put them; where there are none, a whole day needs no condition on time."""
    sql = "select (select min(id) from hooks) < ? or (select max(id) from hooks) >= ?"
    return bool(conn.execute(sql, day_us).fetchone()[0])


def field_of(where: Filter) -> str | None:
    """The one column that the filter's conditions on rows are about: "" where there are none beside `errors`, None
    where statistics cannot answer them."""
    asked = {one.name for one in fields(where) if one.name not in _NOT_ON_ROWS and getattr(where, one.name)}
    left_out = {field for field, _ in where.without if field != "contexts"}
    if not asked | left_out:
        return ""
    if len(asked | left_out) > 1 or not left_out <= _NEVER_NULL:
        return None
    (name,) = asked | left_out
    return name if name in FIELDS else None


def values_of(
    conn: Any, covered: Cover, field: str, where: Filter, what: str, group: str = ""
) -> list[tuple[Any, ...]]:
    """`select {what} … group by {group}` over the counts of `field` in these hours, where the filter's condition is on
    that column or on none. In `what`, the value bears the column's name."""
    clauses, params = select.conditions(replace(where, errors=False))
    return values_where(conn, covered, field, clauses, params, what, f" group by {group}" if group else "")


def values_where(
    conn: Any, covered: Cover, field: str, clauses: list[str], params: list[object], what: str, tail: str
) -> list[tuple[Any, ...]]:
    """The same for conditions of the caller's own; `tail` is what follows them."""
    if not covered.hours:
        return []
    hours: list[object] = []
    if len(covered.hours) < HOURS:
        clauses = [*clauses, f"hour in ({', '.join('?' * len(covered.hours))})"]
        hours = list(covered.hours)
    counts = f"(select value as {field}, hour, events, errors, last_id from eyelet_counts where field = ?)"  # noqa: S608
    sql = f"select {what} from {counts}{select.where_sql(clauses)}{tail}"  # noqa: S608  checked names
    found: list[tuple[Any, ...]] = conn.execute(sql, [field, *params, *hours]).fetchall()
    return found


def count_of(where: Filter) -> str:
    """The column of the statistics that counts what the filter asks for."""
    return "errors" if where.errors else "events"


def are_there(conn: Any) -> bool:
    """Whether the partition has what statistics need to be made and believed."""
    names = (*schema.STATISTICS, "hooks_arrived")
    sql = (
        f"select count(*) from sqlite_master where name in ({', '.join('?' * len(names))}) "  # noqa: S608  marks only
        "and (type <> 'index' or sql like '% on hooks (arrived)')"
    )
    return int(conn.execute(sql, names).fetchone()[0]) == len(names)


def _known(conn: Any) -> tuple[dict[int, Known], int]:
    """The hours that are known, and the newest arrival."""
    if not are_there(conn):
        return {}, 0
    rows = conn.execute("select hour, arrived, events, errors, first_id, last_id from eyelet_hours").fetchall()
    known = {row[0]: Known(*row[1:]) for row in rows}
    if not known or not all(type(number) is int for row in rows for number in row[:4]):
        return {}, 0
    newest = conn.execute("select max(arrived) from hooks").fetchone()[0]
    # What is no whole number is not ours: one more microsecond, and all that came later is looked for.
    return known, newest if isinstance(newest, int) else max(hour.arrived for hour in known.values()) + 1


def _late(kept: dict[int, Known]) -> Piece:
    """The rows of these hours that arrived after they were counted."""
    clauses = [
        "arrived > ?",
        f"{HOUR_OF_ID} in ({', '.join('?' * len(kept))})",
        f"arrived > (select known.arrived from eyelet_hours known where known.hour = {HOUR_OF_ID})",  # noqa: S608
    ]
    params: list[object] = [min(counted.arrived for counted in kept.values()), *kept]
    return Piece(" indexed by hooks_arrived", clauses, params, None)


def _range(gap: tuple[int, int], day_us: Day) -> tuple[list[str], list[object]]:
    """A gap that is the whole day needs no condition: SQLite then takes the smallest index."""
    return ([], []) if gap == day_us else select.id_range(*gap)
