"""All days as one database in memory: the table `hooks` over every day, its companions, and `partitions`.

With the extension (`load_extension`) these are virtual tables, which look for the days themselves. Without it they are
views of the newest days (`attached.py`), and `covers` says which, and why.
"""

import operator
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from eyelet_ingest.errors import EyeletError
from eyelet_ingest.store import all_days, attached, connect, layout, manifest
from eyelet_ingest.store.answers import Unreadable
from eyelet_ingest.store.catalog import Part
from eyelet_ingest.store.roots import Roots

MAX_OPEN = 400  # 83 MB where a year of days were asked, 145 with a large statement in each
LOOK_AGAIN_S = 10.0  # at the bytes of the days that `partitions` tells, where nothing else changed

PARTITIONS = """
create table partitions (
    context_name text not null,
    date text not null,
    year integer not null,
    day integer not null,
    database text not null,
    start_us integer not null,
    end_us integer not null,
    bytes integer,
    sealed integer not null,
    primary key (context_name, date)
) without rowid
"""
_FILL = "insert or ignore into partitions values (?, ?, ?, ?, ?, ?, ?, ?, ?)"

_MET = (
    "select context_name, date, min(error) from eyelet_trouble group by context_name, date order by date desc limit 100"
)


@dataclass(frozen=True, slots=True)
class Covers:
    """What of all days the tables hold. With the extension it is all of them; else those `attached`, newest first,
    `left_out` being how many more there are and `reason` why the extension is not used."""

    extended: bool
    attached: tuple[Part, ...] = ()
    left_out: int = 0
    troubles: tuple[Unreadable, ...] = ()
    reason: str = ""


class Across:
    """One connection to all days of these roots and contexts; for one thread at a time, and to be closed.

    `since_us` and `until_us` choose the days that are attached where the extension is not there. `conn` is another one
    after a `refresh` that had to begin anew; `prepare` is called with each. Where it `names_roots`, they are told by
    their paths, in SQL and what it says; else by their numbers, from 1 on. Of the days that were asked at most
    `max_open` stay open, fewer where this process may open few files (an eighth of them, three a day).
    """

    def __init__(
        self,
        roots: Roots,
        contexts: frozenset[str] | None = None,
        *,
        since_us: int | None = None,
        until_us: int | None = None,
        prepare: Any = None,
        may_extend: bool = True,
        names_roots: bool = True,
        max_open: int = MAX_OPEN,
    ) -> None:
        self._roots, self._contexts = roots, contexts
        self._range = since_us, until_us
        self._prepare, self._may_extend, self._names_roots = prepare, may_extend, names_roots
        self._max_open = max_open
        self._listed: list[object] | None = None
        self._parts: Sequence[Part] = ()
        self.troubles: tuple[Unreadable, ...] = ()
        self._filled_s = 0.0
        self._look()
        self._open()

    def refresh(self) -> Any:
        """The connection, as of now: new days are in it, and those that are gone are not."""
        changed = self._look()
        if self._mounted != self._to_mount():
            self.conn.close()
            self._open()
        if changed or time.monotonic() - self._filled_s > LOOK_AGAIN_S:
            self._fill()
        return self.conn

    def unreadable(self) -> tuple[Unreadable, ...]:
        """What was left out so far, as far as the last questions met it."""
        return (*self.troubles, *self.covers.troubles, *self._met())

    def close(self) -> None:
        self.conn.close()

    def _met(self) -> list[Unreadable]:
        """The days that the extension could not read when a statement came to them."""
        if not self.covers.extended:
            return []
        with suppress(self.conn.Error):
            found = self.conn.execute(_MET).fetchall()
            return [Unreadable(context or "", date or "", error) for context, date, error in found]
        return []

    def _open(self) -> None:
        self.conn = connect.open_memory()
        self.conn.execute(PARTITIONS)
        reason = self._load()
        if reason:
            done = attached.attach(self.conn, self._in_range(), self._root_column())
            self.covers = Covers(False, done.parts, done.left_out, done.troubles, reason)
        else:
            self._extend()
            self.covers = Covers(True)
        self._mounted = self._to_mount()
        if self._prepare is not None:
            self._prepare(self.conn)
        self._fill()

    def _load(self) -> str:
        """Loads the extension; "" or why it is not used."""
        if not self._may_extend:
            return "it was not asked for"
        if any(catalog.root.startswith(layout.MEMORY) for catalog in self._roots.catalogs):
            return "the extension reads folders, and this root is in memory"
        return connect.load_extension(self.conn)

    def _extend(self) -> None:
        """The virtual tables over every day, and the views on them; empty tables where no context may be seen, as none
        that is named means all of them to the extension."""
        roots = [os.path.abspath(catalog.root) for catalog in self._roots.catalogs]
        # Our views stand on virtual tables, which SQLite takes for dangerous in a schema that anybody may have written;
        # that of this database only we write, and nothing is attached to it.
        self.conn.execute("pragma trusted_schema = on")
        if not self._names_roots:
            roots = [str(self.conn.execute("select eyelet_root(?)", (root,)).fetchone()[0]) for root in roots]
        contexts = sorted(self._contexts or ())
        is_any = self._contexts is None or bool(contexts)
        for name in all_days.RELATIONS:
            made = all_days.virtual_table(name, roots, contexts, self._max_open) if is_any else all_days.stub(name)
            self.conn.execute(made)
        if is_any:
            self.conn.execute(all_days.text_index(roots, contexts))
        for statement in all_days.views():
            self.conn.execute(statement)

    def _root_column(self) -> dict[int, str] | None:
        """How each root is told, by its place; None where there is but one, and no column for it."""
        if not self._roots.several:
            return None
        return {
            catalog.at: os.path.abspath(catalog.root) if self._names_roots else str(catalog.at + 1)
            for catalog in self._roots.catalogs
        }

    def _look(self) -> bool:
        """Lists the days anew; False where they are what they were."""
        listed: list[object] = []
        for catalog in self._roots.catalogs:
            with suppress(EyeletError):
                listed.append(catalog.parts())  # the very same list while nothing changes
        before = self._listed
        if before is not None and len(listed) == len(before) and all(map(operator.is_, listed, before)):
            return False
        self._listed = listed
        try:
            parts, _, troubles = self._roots.between(None, None, tuple(self._contexts or ()))
        except EyeletError as bad:
            parts, troubles = [], [Unreadable("", "", str(bad), "")]
        self._parts = parts if self._contexts is None or self._contexts else ()
        self.troubles = tuple(troubles)
        return True

    def _in_range(self) -> Sequence[Part]:
        since_us, until_us = self._range
        return [
            part
            for part in self._parts
            if (since_us is None or part.end_us > since_us) and (until_us is None or part.first_us < until_us)
        ]

    def _to_mount(self) -> tuple[object, ...]:
        """What the connection was made for: where that is another, it is made anew. The extension looks for itself."""
        if self.covers.extended:
            return ()
        again = int(time.monotonic() / LOOK_AGAIN_S) if self.covers.troubles else 0
        newest = self._in_range()[-attached.MOST - len(self.covers.troubles) :]
        return (again, len(self._parts), *((part.path, connect.file_of(part.path)) for part in newest))

    def _fill(self) -> None:
        """`partitions` as of now: the days, their bytes, whether they are sealed."""
        self.conn.execute("pragma query_only = 0")
        with connect.transaction(self.conn):
            self.conn.execute("delete from partitions")
            self.conn.executemany(_FILL, map(_row, self._parts))
        self.conn.execute("pragma query_only = 1")
        self._filled_s = time.monotonic()


def _row(part: Part) -> tuple[object, ...]:
    key = part.key
    size: int | None = None
    with suppress(OSError):
        size = os.stat(part.path).st_size
    sealed = int(os.path.exists(manifest.path_of(part.root, key)))
    return key.context, key.date, key.year, key.day, key.mount_name, part.first_us, part.end_us, size, sealed
