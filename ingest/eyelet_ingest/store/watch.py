"""What arrives, for many who follow it: the days are looked at once for all of them, each filter is asked once.

A look costs a stat of every day's files; the days that changed are asked how far they are, and then, for each filter,
what came in between, newest first. Nothing is held open, and what is not asked for is not read: of more than fits, only
how many there were.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eyelet_ingest.store import select
from eyelet_ingest.store.answers import Row, Unreadable
from eyelet_ingest.store.catalog import Part
from eyelet_ingest.store.fanout import FanOut, Lent
from eyelet_ingest.store.fetched import read_as, row_of
from eyelet_ingest.store.position import MARGIN_US, Position, name_of
from eyelet_ingest.store.roots import Roots
from eyelet_ingest.store.search import Search
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.tail import Looks, is_settled, look_at

TEXT_ROWS_MOST = 2_000  # of one day, in one look, that are taken apart for a text: 50 to 100 µs each

Intervals = Mapping[str, tuple[int, int]]  # path of a day → after, up to: the `arrived` of what is new in it


@dataclass(frozen=True, slots=True)
class News:
    """What of the new matches a filter: the newest `rows`, in the order of arrival, and how many `more` there were.
    `unread` arrived in too great a number to be searched for a text."""

    rows: list[Row]
    more: int = 0
    unread: int = 0


class Watch:
    """What was there when it was made is not given. Of one thread at a time."""

    def __init__(self, roots: Roots) -> None:
        self.roots = roots
        self._looked_us = time.time_ns() // 1_000
        self._floor_us = self._looked_us - MARGIN_US
        self._upto: dict[str, int] = {}  # path of a day → the `arrived` up to which it was followed
        self._looks: dict[str, Looks] = {}  # path of a day → its files, as they were when it had no more to give
        self._behind: set[str] = set()  # paths of days that changed and could not be read
        self._bad: dict[str, Unreadable] = {}  # path of a day → why it could not be read in the last look
        self.unreadable: dict[str, Unreadable] = {}  # those that could not in the look before either
        self.look()  # what it finds was there

    def look(self) -> Intervals:
        """What arrived since the last look: of each day that has something new, from where to where.

        RootError where a single root cannot be read.
        """
        found: dict[str, tuple[int, int]] = {}
        self._looked_us = time.time_ns() // 1_000
        parts, _, _ = self.roots.between(None, None, ())
        now = {part.path: look_at(part.path) for part in parts}
        changed = [
            part for part in parts if self._looks.get(part.path) != now[part.path] and self._may_be_new(part, now)
        ]
        self._forget(now)
        if not changed:
            self._bad, self.unreadable = {}, {}
            return {}
        question = FanOut(self.roots)
        self._behind.update(part.path for part in changed)
        for part, upto in question.each(changed, newest_arrival):
            after = self._upto.get(part.path, self._floor_us)
            self._behind.discard(part.path)
            if is_settled(now[part.path]):
                self._looks[part.path] = now[part.path]
            self._upto[part.path] = max(upto, after)
            if upto > after:
                found[part.path] = (after, upto)
        question.close()
        bad = {part.path: why for part, why in question.unreadable.items()}
        # Twice: a day that is sealed or rewritten just now can be read again in a moment.
        self.unreadable = {path: why for path, why in bad.items() if path in self._bad}
        self._bad = bad
        return found

    def missing(self, roots: Roots, where: Filter) -> tuple[Unreadable, ...]:
        """Of the days that this filter is about, in these roots, those that cannot be read: what arrives there is not
        told."""
        if not self.unreadable:
            return ()
        with Search(roots, where) as question:
            paths = [part.path for part in question.parts]
        return tuple(self.unreadable[path] for path in paths if path in self.unreadable)

    def position(self, roots: Roots, where: Filter) -> Position:
        """How far this filter was followed, in these roots: of other days it says nothing."""
        floor_us = self._looked_us - MARGIN_US
        with Search(roots, where) as question:
            upto = {part: self._upto.get(part.path, self._floor_us) for part in question.parts}
        return Position(
            floor_us,
            {name_of(part): us for part, us in upto.items() if us > floor_us or part.path in self._behind},
        )

    def since(self, roots: Roots, where: Filter, position: Position) -> Intervals:
        """What arrived between the position and the last look, of the days that the filter is about."""
        with Search(roots, where) as question:
            parts = [
                part
                for part in question.parts
                if name_of(part) in position.named or _changed_after(look_at(part.path), position.floor_us)
            ]
        upto = {part: self._upto.get(part.path, self._floor_us) for part in parts}
        return {part.path: (position.of(part), us) for part, us in upto.items() if us > position.of(part)}

    def _may_be_new(self, part: Part, now: Mapping[str, Looks]) -> bool:
        """Whether it may hold what arrived after `_floor_us`, which a day that was not touched since cannot; of today
        it is worth knowing, too, whether it can be read."""
        is_today = part.key.bounds_us[1] > self._looked_us
        return is_today or part.path in self._looks or _changed_after(now[part.path], self._floor_us)

    def _forget(self, there: Mapping[str, Looks]) -> None:
        """Days that went."""
        for path in [path for path in self._upto if path not in there]:
            del self._upto[path]
            self._looks.pop(path, None)
        self._behind.intersection_update(there)


def news(roots: Roots, where: Filter, intervals: Intervals, most: int, cut_chars: int | None) -> News:
    """What matches of what arrived in these intervals: at most `most` rows, the newest, oldest of them first."""
    with Search(roots, where) as question:
        parts = [part for part in question.parts if part.path in intervals]
        rows: list[Row] = []
        more = unread = 0

        def ask(lent: Lent, part: Part) -> tuple[list[tuple[Any, ...]], int, int]:
            return _news(question, lent, part, intervals[part.path], most, cut_chars)

        for part, (read, beyond, passed) in question.each(parts, ask):
            found = [row_of(part.context, row) for row in read]
            rows += [{**row, "root": part.root} for row in found] if roots.several else found
            more += beyond
            unread += passed
        rows.sort(key=_arrival)
        kept = rows[max(0, len(rows) - most) :]
        if question.text:
            from eyelet_ingest.store import text_answers

            text_answers.show(question, kept)
    return News(kept, more + len(rows) - len(kept), unread)


def position_now(roots: Roots, where: Filter) -> Position:
    """From where to follow a search that is asked next, without a watch."""
    floor_us = time.time_ns() // 1_000 - MARGIN_US
    with Search(roots, where) as question:
        question.lacks = None  # how far a day has come does not depend on a text
        parts = [part for part in question.parts if _changed_after(look_at(part.path), floor_us)]
        upto = dict(question.each(parts, newest_arrival))
    return Position(floor_us, {name_of(part): us for part, us in upto.items() if us > floor_us})


def newest_arrival(lent: Lent, _: Part) -> int:
    """The `arrived` of the newest arrival in a partition, 0 where it has none; what is no number counts for nothing."""
    by_index = " indexed by hooks_arrived" if "hooks_arrived" in lent.indexes else ""
    sql = f"select arrived from hooks{by_index} where arrived < '' order by arrived desc limit 1"  # noqa: S608
    found = lent.conn.execute(sql).fetchone()
    return int(found[0]) if found else 0


def _news(
    question: Search, lent: Lent, part: Part, interval: tuple[int, int], most: int, cut_chars: int | None
) -> tuple[list[tuple[Any, ...]], int, int]:
    """Rows, newest arrival first; how many more match; how many were passed over unread."""
    in_range, params = question.in_range(part)
    by_index = " indexed by hooks_arrived" if "hooks_arrived" in lent.indexes else ""
    clauses = ["arrived > ?", "arrived <= ?", *in_range, *question.clauses]
    values: list[object] = [*interval, *params, *question.params]
    columns = read_as(cut_chars)
    if question.text:
        passed, values[0] = _skipped(lent, by_index, interval)
        ids = question.text.arrived(lent.conn, clauses, values, by_index, TEXT_ROWS_MOST)
        kept = ids[max(0, len(ids) - most) :]
        sql = f"select {columns} from hooks where id in ({', '.join('?' * len(kept))}) order by arrived desc"  # noqa: S608
        return lent.conn.execute(sql, kept).fetchall(), len(ids) - len(kept), passed
    conditions = select.where_sql(clauses)
    sql = f"select {columns} from hooks{by_index}{conditions} order by arrived desc limit ?"  # noqa: S608
    found = lent.conn.execute(sql, [*values, most]).fetchall()
    if len(found) < most:
        return found, 0, 0
    total = lent.conn.execute(f"select count(*) from hooks{by_index}{conditions}", values).fetchone()[0]  # noqa: S608
    return found, int(total) - len(found), 0


def _skipped(lent: Lent, by_index: str, interval: tuple[int, int]) -> tuple[int, int]:
    """How many of the oldest arrivals are too many to be read, and the `arrived` that they end with."""
    after, upto = interval
    sql = (
        f"select arrived from hooks{by_index} where arrived > ? and arrived <= ? "  # noqa: S608
        "order by arrived desc limit 1 offset ?"
    )
    found = lent.conn.execute(sql, (after, upto, TEXT_ROWS_MOST)).fetchone()
    if found is None:
        return 0, after
    sql = f"select count(*) from hooks{by_index} where arrived > ? and arrived <= ?"  # noqa: S608
    return int(lent.conn.execute(sql, (after, found[0])).fetchone()[0]), found[0]


def _changed_after(look: Looks, us: int) -> bool:
    """Whether one of a day's files was touched after this moment; of what is no file nobody knows."""
    return not look or max(one[0] for one in look) // 1_000 >= us


def _arrival(row: Row) -> tuple[int, str, int]:
    return int(str(row["arrived"])), str(row["context_name"]), int(str(row["id"]))
