"""Deleting from archives: an archive is unpacked, its rows go, and it is packed again in one step; or it goes whole."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from eyelet_ingest.errors import EyeletError, PartitionUnreadable
from eyelet_ingest.store import archives, connect, layout, removal, schema, unpacking
from eyelet_ingest.store.answers import Unreadable
from eyelet_ingest.store.deletion import DayByDay, DayDeleted
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.places import Walked
from eyelet_ingest.store.tombstones import Tombstones
from eyelet_ingest.store.wanted import Wanted

NAME = "archive"


class Archives(Walked):
    """The archived days of one root, as a place (`places.Place`)."""

    name = NAME

    def _walk(self, wanted: Wanted, *, go: bool) -> list[DayDeleted]:
        found = []
        for key in archives.keys(self.root):
            if not wanted.meets(key) or not wanted.pieces(key.context):
                continue
            whole = wanted.takes_whole(key)
            try:
                events = self._of_day(key, wanted, whole, go)
            except EyeletError as bad:
                self.failed.append(Unreadable(key.context, key.date, f"its archive: {bad.reason} ({bad.hint})"))
                continue
            if events or whole:
                found.append(DayDeleted(key, events, whole, NAME))
            # The days were walked before: one that was brought back meanwhile holds what is to go.
            if go and connect.is_there(layout.db_path(self.root, key)):
                again = DayByDay(self.root, wanted).done(key)
                found += [again] if again is not None else []
        return found

    def _of_day(self, key: PartitionKey, wanted: Wanted, whole: bool, go: bool) -> int | None:
        path = archives.path_of(self.root, key)
        events: int | None = None
        try:
            with opened(self.root, key) as (conn, facts, made):
                events = self._gone(conn, key, wanted, go and not whole)
                if go:
                    self._remember(conn, key, wanted)
                if go and events and not whole:
                    make_indexes(conn, facts["without"])
                    conn.close()
                    small = os.path.join(made, "small.db")
                    archives.pack(os.path.join(made, "day.db"), small, facts["seals"])
                    archives.put(small, path)
        except PartitionUnreadable:
            if not whole:
                raise
        if go and whole:
            self.remove(key)
        return events

    def remove(
        self, key: PartitionKey, deadline_ms: int = archives.DEADLINE_MS, before: Callable[[], object] | None = None
    ) -> bool:
        """The archive goes as a whole, and the folders above it that are empty then; `before` is called when nobody
        else can have it any more. False where there was none; PartitionError where it cannot be removed."""
        path = archives.path_of(self.root, key)
        try:
            with archives.alone(self.root, key, deadline_ms):
                was_there = os.path.lexists(path)
                if was_there and before is not None:
                    before()
                if was_there:
                    os.unlink(path)
        except OSError as bad:
            hint = "may you write in this folder?"
            raise PartitionUnreadable("remove", path, bad.strerror or str(bad), hint) from bad
        removal.remove_empty(os.path.dirname(path), self.root)
        return was_there

    def _gone(self, conn: Any, key: PartitionKey, wanted: Wanted, go: bool) -> int:
        """How many events go; with `go` they went, in a copy of the archive. They stand in `temp.going` then."""
        conn.execute("create temp table going (id integer primary key, uid blob)")
        for condition, params in wanted.pieces(key.context):
            conn.execute(f"insert or ignore into temp.going select id, uid from hooks{condition}", params)  # noqa: S608
        if go:
            with connect.transaction(conn):
                conn.execute("delete from hooks where id in (select id from temp.going)")
        return int(conn.execute("select count(*) from temp.going").fetchone()[0])

    def _remember(self, conn: Any, key: PartitionKey, wanted: Wanted) -> None:
        if not wanted.by_age:
            uids = conn.execute("select uid from temp.going where uid is not null order by uid")
            Tombstones.of(self.root).remember(key.context, (uid for (uid,) in uids))


@contextmanager
def opened(root: str, key: PartitionKey) -> Iterator[tuple[Any, dict[str, Any], str]]:
    """Alone with an archive: a connection to a copy of what it holds, which may be changed; what it says of itself; and
    the folder of the copy, which goes at the end. PartitionUnreadable where it is damaged."""
    path = archives.path_of(root, key)
    with archives.alone(root, key) as made:
        name = os.path.join(made, "day.db")
        unpacking.decompress(path, name)
        conn = connect.open_writer(name)
        try:
            yield conn, unpacking.facts_of(conn, path), made
        except conn.DatabaseError as bad:
            raise PartitionUnreadable("read", path, str(bad), "restore the archive from a back-up") from bad
        finally:
            conn.close()


def make_indexes(conn: Any, without: list[str]) -> None:
    """What a day has and its archive does not: packing it again takes them away, and notes which they were."""
    statements = schema.index_statements()
    with connect.transaction(conn):
        for name in without:
            if name in statements:
                conn.execute(statements[name])
