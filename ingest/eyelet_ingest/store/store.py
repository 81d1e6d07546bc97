"""The store: everything one may do with a root of partitions, behind one object that somebody opens and closes."""

import os
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eyelet_ingest.errors import PartitionError, RootError
from eyelet_ingest.events import Event
from eyelet_ingest.store import identity, layout, spool, writer
from eyelet_ingest.store.catalog import Catalog
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.search import CountResult, Row, Search, SearchResult, Summary
from eyelet_ingest.store.select import Filter

if TYPE_CHECKING:  # imported by the methods that need them: a query pays for none of them at its start
    from eyelet_ingest.store.checkpoint import Checkpointed
    from eyelet_ingest.store.deletion import BeforeRemoval, Deleted
    from eyelet_ingest.store.export import Export
    from eyelet_ingest.store.sources import Sources
    from eyelet_ingest.store.writers import Writers

APPEND_DEADLINE_MS = 30_000  # for one partition of one batch
DRAIN_DEADLINE_MS = 10_000


@dataclass(frozen=True, slots=True)
class Refused:
    """Events of one partition that it could not take, and why: the caller still has them and must keep them."""

    key: PartitionKey
    events: list[Event]
    error: PartitionError


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of a batch: events stored, events known already, the partitions that hold them, what was refused."""

    stored: int
    duplicates: int
    partitions: frozenset[PartitionKey]
    refused: list[Refused] = field(default_factory=list)


class Store:
    """The partitions under `root`. May be shared by threads; no writer stays open between calls, but in a `bulk`."""

    def __init__(self, root: str) -> None:
        self.root = os.path.abspath(os.path.expanduser(root))
        if os.path.exists(self.root) and not os.path.isdir(self.root):
            raise RootError("open", self.root, "it is a file, not a folder", "name a folder with --root or EYELET_ROOT")
        self.catalog = Catalog(self.root)
        self._only: frozenset[str] | None = None
        self._writers: list[Writers] = []  # one, as soon as there was a bulk; shared with the stores limited from this

    def limited_to(self, contexts: frozenset[str] | None) -> "Store":
        """This store as far as these safe contexts go, all of them where None: it answers as if no other were there."""
        if contexts is None:
            return self
        limited = copy(self)
        limited.catalog, limited._only = self.catalog.limited_to(contexts), contexts
        return limited

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the writers of a bulk that is still going on; closing twice is closing once."""
        for writers in self._writers:
            writers.close()

    @contextmanager
    def bulk(self) -> Generator["Store", None, None]:
        """Within this block the days that are appended to stay open for writing, which one event at a time needs to be
        quick; they are closed at its end. May be nested, and entered by several threads.

        Other processes write, delete and remove days meanwhile as ever: no lock is held between two appends.
        """
        if not self._writers:
            from eyelet_ingest.store.writers import Writers

            self._writers.append(Writers(self.root))
        with self._writers[0]:
            yield self

    def append(
        self, events: Iterable[Event], context: str = layout.DEFAULT_CONTEXT, *, deadline_ms: int = APPEND_DEADLINE_MS
    ) -> Appended:
        """Store events of the context given by name: each in its UTC day, each uid once, one transaction a partition.

        Every event needs its `uid` and `time_us`; one of a time that no partition has (outside 1970–2254) gets that of
        now, and is marked. A partition that cannot take its events within `deadline_ms` hinders no other: they come
        back in `refused`.
        """
        return self.append_many(((context, event) for event in events), deadline_ms=deadline_ms)

    def append_many(self, events: Iterable[tuple[str, Event]], *, deadline_ms: int = APPEND_DEADLINE_MS) -> Appended:
        """`append` of events that each come with the given name of their context."""
        identity.make_private_dir(self.root)
        days: dict[tuple[PartitionKey, str], list[Event]] = {}
        bounds, last_context, day = (0, 0), "", []  # they come mostly in order: the last one's day is the next one's
        for context, event in events:
            if context != last_context or not bounds[0] <= event.time_us < bounds[1]:
                key = writer.key_of(layout.safe_context(context), event, time.time_ns() // 1_000)
                bounds, last_context, day = key.bounds_us, context, days.setdefault((key, context), [])
            day.append(event)
        stored = duplicates = 0
        held, refused = set(), []
        for (key, context), some in days.items():
            try:
                fresh = self._insert(key, context, some, time.monotonic_ns() + deadline_ms * 1_000_000)
            except PartitionError as bad:
                refused.append(Refused(key, some, bad))
                continue
            stored += fresh
            duplicates += len(some) - fresh
            held.add(key)
        return Appended(stored, duplicates, frozenset(held), refused)

    def _insert(self, key: PartitionKey, context: str, events: list[Event], deadline_ns: int) -> int:
        rows = [writer.row_of(event) for event in events]
        if self._writers:
            return self._writers[0].insert(key, context, rows, deadline_ns)
        return writer.insert(self.root, key, context, rows, deadline_ns)

    def checkpoint(self, key: PartitionKey | None = None, mode: str = "passive") -> "list[Checkpointed]":
        """Bring what stands in the WAL of one day, or of every day that has one, into its file; BadInput for a mode
        that is none of passive, full, restart and truncate. What goes wrong is said in the result, never raised.
        """
        from eyelet_ingest.store.checkpoint import checkpoint

        return checkpoint(self.root, self.catalog.partitions() if key is None else [key], mode, only_with_wal=not key)

    def search(
        self,
        where: Filter,
        *,
        limit: int = 100,
        after: str | None = None,
        oldest_first: bool = False,
        cut_chars: int | None = None,
    ) -> SearchResult:
        """One page of what matches, newest first; `after` is the `next` of the page before.

        Partitions that cannot be read are named in the result, never raised. BadInput for a cursor or limit that
        cannot be; RootError where the root itself cannot be read.
        """
        with Search(self.catalog, where) as question:
            return question.page(limit, after, oldest_first, cut_chars)

    def count(self, where: Filter) -> CountResult:
        """How many events match."""
        with Search(self.catalog, where) as question:
            return question.count()

    def summary(self, where: Filter) -> Summary:
        """Totals, and counts by type, tool, status and context."""
        with Search(self.catalog, where) as question:
            return question.summary()

    def error_codes(self, where: Filter) -> dict[str, int]:
        """Failures by code, most frequent first; '' for those without one."""
        with Search(self.catalog, where) as question:
            return question.error_codes()

    def sources(self, where: Filter, *, limit: int = 1_000, after: str | None = None) -> "Sources":
        """One page of the src there are, in order of name; BadInput for a condition beyond range, contexts and src."""
        from eyelet_ingest.store.sources import sources

        return sources(self.catalog, where, limit, after)

    def export(self, where: Filter) -> "Export":
        """Every whole row that matches, oldest first, in bounded memory: to be iterated once."""
        from eyelet_ingest.store.export import Export

        return Export(self.catalog, where)

    def delete(
        self, where: Filter, *, dry_run: bool = False, before_removal: "BeforeRemoval | None" = None
    ) -> "Deleted":
        """Delete what matches, what waits in the spool included: rows, and days that lie whole in the range as files.

        `before_removal` is called with the key of a day before its files go. BadInput for a filter without conditions.
        Days that could not be served are named in the result, never raised.
        """
        from eyelet_ingest.store.deletion import delete

        self.drain_spool()
        return delete(self.catalog, where, dry_run=dry_run, before_removal=before_removal)

    def event(self, context: str, id: int) -> Row | None:
        """One whole event, or None where there is none; PartitionError where its day cannot be read."""
        try:
            key = layout.key_for(layout.safe_context(context), id)
        except (ValueError, OverflowError, OSError):
            return None
        if self._only is not None and key.context not in self._only:
            return None
        with Search(self.catalog, Filter(contexts=(key.context,))) as question:
            row = question.event(key, id)
        if row is None and question.unreadable:
            raise PartitionError("read", layout.db_path(self.root, key), question.truth().unreadable[0].error)
        return row

    def contexts(self) -> list[str]:
        """The safe names of the contexts that have a partition, in order."""
        return sorted({key.context for key in self.catalog.partitions()})

    def newest_day(self, contexts: Sequence[str] = ()) -> PartitionKey | None:
        """The newest partition there is, of these contexts where some are given."""
        keys, _ = self.catalog.prune(contexts=[layout.safe_context(context) for context in contexts])
        return keys[-1] if keys else None

    def newest_event_us(self, where: Filter) -> int | None:
        """The time of the newest event that matches, or None."""
        rows = self.search(where, limit=1, cut_chars=0).rows
        return int(str(rows[0]["id"])) if rows else None

    def drain_spool(self) -> spool.Drained:
        """Store what captures had to leave in the spool; at once done where nothing waits."""
        return spool.drain(self.root, time.monotonic_ns() + DRAIN_DEADLINE_MS * 1_000_000)
