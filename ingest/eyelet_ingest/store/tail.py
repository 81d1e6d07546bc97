"""What arrives, in the order of arrival: an event of yesterday that comes late is as new as one of now.

Nothing is held open or waited for. Each look costs a stat of every folder of days and of every day's files; only days
whose files changed are asked, by the index on `arrived`.
"""

import os
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from eyelet_ingest.store import layout, select
from eyelet_ingest.store.answers import Row, Unreadable
from eyelet_ingest.store.catalog import Part
from eyelet_ingest.store.fanout import Lent
from eyelet_ingest.store.fetched import read_as, row_of
from eyelet_ingest.store.roots import Roots
from eyelet_ingest.store.search import Search
from eyelet_ingest.store.select import Filter

PAGE_ROWS = 200  # of one day, in one look
# A file that changed this recently may change again within the same tick of the file system's clock.
SETTLED_NS = 2_000_000_000

Looks = tuple[tuple[int, int, int], ...]


class Tail:
    """Asked with `more`, again and again, by one thread. What was there when it was made is not given.

    `unreadable` are the days that could not be read at the last look.
    """

    def __init__(self, roots: Roots, where: Filter, cut_chars: int | None = None) -> None:
        self.roots, self.where, self.cut_chars = roots, where, cut_chars
        self.unreadable: tuple[Unreadable, ...] = ()
        self._after: dict[str, int] = {}  # path of a day → the `arrived` up to which it was given
        self._looks: dict[str, Looks] = {}  # path of a day → its files, as they were when it had no more to give
        with Search(roots, where) as question:
            question.lacks = None  # how far it was read is asked of every day
            now = {part.path: look_at(part.path) for part in question.parts}
            for part, arrived in question.each(question.parts, _last_arrived):
                self._after[part.path] = arrived
                self._keep(part.path, now[part.path])

    def more(self) -> list[Row]:
        """What arrived since the last look, each event once; at most PAGE_ROWS of a day. Empty: wait, and ask again.

        RootError where a single root cannot be read.
        """
        with Search(self.roots, self.where) as question:
            question.lacks = None
            now = {part.path: look_at(part.path) for part in question.parts}
            changed = [part for part in question.parts if self._looks.get(part.path) != now[part.path]]
            self._forget(set(now))
            after = {part: self._after.get(part.path, 0) for part in changed}
            rows: list[Row] = []
            for part, read in question.each(list(after), partial(self._arrivals, question, after)):
                found = [row_of(part.context, row) for row in read]
                if self.roots.several:
                    found = [{**row, "root": part.root} for row in found]
                self._take(part, found, now[part.path])
                rows += found
            self.unreadable = question.truth().unreadable
        return sorted(rows, key=lambda row: (int(str(row["arrived"])), str(row["context_name"]), int(str(row["id"]))))

    def _arrivals(self, question: Search, after: Mapping[Part, int], lent: Lent, part: Part) -> list[tuple[Any, ...]]:
        """What matches and arrived after the `arrived` given for the partition, in that order, at most PAGE_ROWS."""
        in_range, params = question.in_range(part)
        by_index = " indexed by hooks_arrived" if "hooks_arrived" in lent.indexes else ""
        clauses = ["arrived > ?", *in_range, *question.clauses]
        values = [after[part], *params, *question.params]
        columns = read_as(self.cut_chars)
        if question.text:
            ids = question.text.arrived(lent.conn, clauses, values, by_index, PAGE_ROWS)
            sql = f"select {columns} from hooks where id in ({', '.join('?' * len(ids))}) order by arrived"  # noqa: S608
            values = list(ids)
        else:
            sql = f"select {columns} from hooks{by_index}{select.where_sql(clauses)} order by arrived limit 0 + ?"  # noqa: S608
            values.append(PAGE_ROWS)
        found: list[tuple[Any, ...]] = lent.conn.execute(sql, values).fetchall()
        return found

    def _take(self, part: Part, found: list[Row], look: Looks) -> None:
        if found:
            self._after[part.path] = int(str(found[-1]["arrived"]))
        else:
            self._after.setdefault(part.path, 0)
        if len(found) < PAGE_ROWS:
            self._keep(part.path, look)
        else:
            self._looks.pop(part.path, None)

    def _keep(self, path: str, look: Looks) -> None:
        """Ask again only after a change, where one would show."""
        if is_settled(look):
            self._looks[path] = look

    def _forget(self, there: set[str]) -> None:
        """Days that went."""
        for path in [path for path in self._after if path not in there]:
            del self._after[path]
            self._looks.pop(path, None)


def _last_arrived(lent: Lent, _: Part) -> int:
    """The `arrived` of the newest arrival in a partition, 0 where it has none."""
    newest = lent.conn.execute("select max(arrived) from hooks").fetchone()[0] if lent.ready else 0
    return int(newest or 0)


def is_settled(look: Looks) -> bool:
    """Whether a change since would show in the times of the files."""
    return bool(look) and time.time_ns() - max(one[0] for one in look) > SETTLED_NS


def look_at(path: str) -> Looks:
    """What changes with every commit to a day: time, size and number of its files, as far as they are there."""
    found = []
    for name in (path, layout.side_path(path, "-wal")):
        try:
            there = os.stat(name)
        except OSError:
            continue
        found.append((there.st_mtime_ns, there.st_size, there.st_ino))
    return tuple(found)
