"""What arrives, in the order of arrival: an event of yesterday that comes late is as new as one of now.

Nothing is held open or waited for. Each look costs a stat of every folder of days and of every day's files; only days
whose files changed are asked, by the index on `arrived`.
"""

import os
import time

from eyelet_ingest.store.answers import Row, Unreadable
from eyelet_ingest.store.catalog import Part
from eyelet_ingest.store.roots import Roots
from eyelet_ingest.store.search import Search
from eyelet_ingest.store.select import Filter

PAGE_ROWS = 200  # of one day, in one look
# A file that changed this recently may change again within the same tick of the file system's clock.
SETTLED_NS = 2_000_000_000

_Looks = tuple[tuple[int, int, int], ...]


class Tail:
    """Asked with `more`, again and again, by one thread. What was there when it was made is not given.

    `unreadable` are the days that could not be read at the last look.
    """

    def __init__(self, roots: Roots, where: Filter, cut_chars: int | None = None) -> None:
        self.roots, self.where, self.cut_chars = roots, where, cut_chars
        self.unreadable: tuple[Unreadable, ...] = ()
        self._after: dict[str, int] = {}  # path of a day → the `arrived` up to which it was given
        self._looks: dict[str, _Looks] = {}  # path of a day → its files, as they were when it had no more to give
        with Search(roots, where) as question:
            now = {part.path: _look(part.path) for part in question.parts}
            for part, arrived in question.last_arrived(question.parts):
                self._after[part.path] = arrived
                self._keep(part.path, now[part.path])

    def more(self) -> list[Row]:
        """What arrived since the last look, each event once; at most PAGE_ROWS of a day. Empty: wait, and ask again.

        RootError where a single root cannot be read.
        """
        with Search(self.roots, self.where) as question:
            now = {part.path: _look(part.path) for part in question.parts}
            changed = [part for part in question.parts if self._looks.get(part.path) != now[part.path]]
            self._forget(set(now))
            after = {part: self._after.get(part.path, 0) for part in changed}
            rows: list[Row] = []
            for part, found in question.arrivals(after, PAGE_ROWS, self.cut_chars):
                self._take(part, found, now[part.path])
                rows += found
            self.unreadable = question.truth().unreadable
        return sorted(rows, key=lambda row: (int(str(row["arrived"])), str(row["context_name"]), int(str(row["id"]))))

    def _take(self, part: Part, found: list[Row], look: _Looks) -> None:
        if found:
            self._after[part.path] = int(str(found[-1]["arrived"]))
        else:
            self._after.setdefault(part.path, 0)
        if len(found) < PAGE_ROWS:
            self._keep(part.path, look)
        else:
            self._looks.pop(part.path, None)

    def _keep(self, path: str, look: _Looks) -> None:
        """Ask again only after a change, where one would show."""
        if look and time.time_ns() - max(one[0] for one in look) > SETTLED_NS:
            self._looks[path] = look

    def _forget(self, there: set[str]) -> None:
        """Days that went."""
        for path in [path for path in self._after if path not in there]:
            del self._after[path]
            self._looks.pop(path, None)


def _look(path: str) -> _Looks:
    """What changes with every commit to a day: time, size and number of its files, as far as they are there."""
    found = []
    for name in (path, path + "-wal"):
        try:
            there = os.stat(name)
        except OSError:
            continue
        found.append((there.st_mtime_ns, there.st_size, there.st_ino))
    return tuple(found)
