"""The store: everything one may do with a root of partitions, behind one object that somebody opens and closes.

It is longer than other files because each thing one may do is a method; the work stands in the modules they call.
"""

import os
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from eyelet_ingest.errors import PartitionError, RootError
from eyelet_ingest.events import Event
from eyelet_ingest.store import identity, layout, roles, spool, text_room, writer
from eyelet_ingest.store.answers import Unreadable
from eyelet_ingest.store.asking import Asking
from eyelet_ingest.store.catalog import Catalog
from eyelet_ingest.store.counters import Asked, Counters
from eyelet_ingest.store.cursor import ROOTS_MAX
from eyelet_ingest.store.handles import IDLE_S, Handles
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.roots import Roots
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.tending import Tending
from eyelet_ingest.store.text_rounds import TextRounds

if TYPE_CHECKING:  # imported by the methods that need them: a query pays for none of them at its start
    from eyelet_ingest.store.backup import Made
    from eyelet_ingest.store.checkpoint import Checkpointed
    from eyelet_ingest.store.cleaning import Cleaning
    from eyelet_ingest.store.columns import Column
    from eyelet_ingest.store.deletion import BeforeRemoval, Deleted
    from eyelet_ingest.store.export import ExportLines
    from eyelet_ingest.store.importing import Imported
    from eyelet_ingest.store.maintenance import Maintained, Maintenance
    from eyelet_ingest.store.redacted import Redacted
    from eyelet_ingest.store.restoring import Restored
    from eyelet_ingest.store.retention import Retained, Rules
    from eyelet_ingest.store.scanning import Looker, Scan
    from eyelet_ingest.store.sync import Synced
    from eyelet_ingest.store.timings import Timings
    from eyelet_ingest.store.tombstones import Sieve
    from eyelet_ingest.store.transfer import Clean
    from eyelet_ingest.store.wanted import Wanted
    from eyelet_ingest.store.writers import Writers

    Deletions = Literal["ignore", "respect", "forget"]

APPEND_DEADLINE_MS = 30_000  # for one partition of one batch
DRAIN_DEADLINE_MS = 10_000
MAX_OPEN_DAYS = 128  # two contexts' two months; 30 MB
FILES_A_DAY = 3  # the database, its WAL and the index of that


@dataclass(frozen=True, slots=True)
class Refused:
    """Events of one partition that it could not take, and why: the caller still has them and must keep them."""

    key: PartitionKey
    events: list[Event]
    error: PartitionError


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of a batch: events stored, events known already, the partitions that hold them, what was refused.

    `dead` is how many were not stored because they were deleted or retired earlier.
    """

    stored: int
    duplicates: int
    partitions: frozenset[PartitionKey]
    refused: list[Refused] = field(default_factory=list)
    dead: int = 0


class Store(Tending, Asking):
    """The partitions under `root`, which is written and read, and under the roots `also`, which are read with it.

    A root is a folder, by its path or as a `file:` URI; `file:NAME?mode=memory` is one in memory (`in_memory`).
    May be shared by threads; no writer stays open between calls, but in a `bulk`. For reading, at most `max_open` days
    stay open for the next question, none longer than `idle_s`; without a number as many as are good for most.
    Of several roots rows carry their `root`, and one that cannot be read is named in the answer; events are written to
    the first, and deleted there alone. Cursors hold for the same roots in the same order.
    """

    def __init__(
        self, root: str, *, also: Sequence[str] = (), max_open: int | None = None, idle_s: float = IDLE_S
    ) -> None:
        roles.check()  # a wrong setting is said at once, not at some day of some search
        text_room.setting()
        self.root = _absolute(root)
        if os.path.exists(self.root) and not os.path.isdir(self.root):
            raise RootError("open", self.root, "it is a file, not a folder", "name a folder with --root or EYELET_ROOT")
        named = {os.path.realpath(self.root)}  # one folder by two names is one root
        others: list[str] = []
        for other in map(_absolute, also):
            if (real := os.path.realpath(other)) not in named:
                named.add(real)
                others.append(other)
        if len(others) > ROOTS_MAX:
            raise RootError("open", self.root, f"more than {ROOTS_MAX} further roots", "name fewer")
        catalogs = [_catalog(one, at) for at, one in enumerate((self.root, *others))]
        self._handles = Handles(_most_days_open() if max_open is None else max_open, idle_s)
        self._asked = Asked()
        self.roots = Roots(catalogs, self._handles, self._asked)
        self._only: frozenset[str] | None = None
        self._lent = weakref.WeakSet()
        self._maintaining = threading.Lock()
        self._maintenance: list[Maintenance] = []  # guarded by _maintaining; one, as soon as there was a need
        self._text_rounds = TextRounds(self.root)
        self._writers: list[Writers] = []  # one, as soon as there was a bulk; shared with the stores limited from this

    @classmethod
    def in_memory(cls, name: str = "") -> "Store":
        """A store that leaves no file, for tests and for what need not stay. Stores of one process that give the same
        name see the same events, until the last of them is closed; without a name it has its events to itself.

        The same as a Store of the root `file:NAME?mode=memory`.
        """
        from urllib.parse import quote

        return cls(f"file:{quote(name, safe='', errors='surrogatepass')}?mode=memory")

    @property
    def catalog(self) -> Catalog:  # type: ignore[override]  # what Tending takes for granted
        """The partitions under `root`."""
        return self.roots.first

    def limited_to(self, contexts: frozenset[str] | None) -> "Store":
        """This store as far as these safe contexts go, all of them where None: it answers as if no other were there."""
        if contexts is None:
            return self
        limited = copy(self)
        limited.roots = self.roots.limited_to(contexts)
        limited._only = contexts if self._only is None else contexts & self._only
        return limited

    def alone(self) -> "Store":
        """This store as far as its first root goes, through the same connections."""
        if not self.roots.several:
            return self
        first = copy(self)
        first.roots = self.roots.alone()
        return first

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the days that are open, and the writers of a bulk that still goes on; closing twice is closing once.

        A question asked later opens what it needs; but of a root in memory nothing is left after its last Store.
        """
        for writers in self._writers:
            writers.close()
        self._take_back()
        self._handles.close()
        for catalog in self.roots.catalogs:
            catalog.close()

    def release(self, key: PartitionKey, wait_s: float = 0.0) -> bool:
        """Close what is open here on a day that is about to be removed or rewritten; from any thread. True when nothing
        is open on it any more: who reads it now is waited for as long as said."""
        self._take_back(key)
        return self._handles.drop(layout.db_path(self.root, key), wait_s)

    def counters(self) -> Counters:
        """What reading has cost so far: connections opened and lent again, partitions scanned, slow ones, errors."""
        return Counters(**self._handles.counts(), **self._asked.sums())

    @property
    def timings(self) -> "Timings":  # type: ignore[override]  # what Tending takes for granted
        """How long what this Store did took, since it was last asked: to be kept by a `Meter`."""
        return self._asked.timings

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
        self,
        events: Iterable[Event],
        context: str = layout.DEFAULT_CONTEXT,
        *,
        deadline_ms: int = APPEND_DEADLINE_MS,
        deleted: "Deletions" = "ignore",
    ) -> Appended:
        """Store events of the context given by name: each in its UTC day, each uid once, one transaction a partition.

        Every event needs its `uid` and `time_us`; one of a time that no partition has (outside 1970–2254) gets that of
        now, and is marked. A partition that cannot take its events within `deadline_ms` hinders no other: they come
        back in `refused`. Events that may not be new to the root are kept out where they were `deleted` earlier
        ("respect"), or come back all the same ("forget").
        """
        return self.append_many(((context, event) for event in events), deadline_ms=deadline_ms, deleted=deleted)

    def append_many(
        self,
        events: Iterable[tuple[str, Event]],
        *,
        deadline_ms: int = APPEND_DEADLINE_MS,
        deleted: "Deletions" = "ignore",
    ) -> Appended:
        """`append` of events that each come with the given name of their context."""
        started_ns, told = time.perf_counter_ns(), [0, 0]
        identity.make_private_dir(self.root)
        days: dict[tuple[PartitionKey, str], list[Event]] = {}
        bounds, last_context, day = (0, 0), "", []  # they come mostly in order: the last one's day is the next one's
        for context, event in events:
            if context != last_context or not bounds[0] <= event.time_us < bounds[1]:
                key = writer.key_of(layout.safe_context(context), event, time.time_ns() // 1_000)
                bounds, last_context, day = key.bounds_us, context, days.setdefault((key, context), [])
            day.append(event)
        stored = duplicates = dead = 0
        held, refused = set(), []
        for (key, context), some in days.items():
            sift = self._sieve(key, deleted)
            try:
                fresh = self._insert(key, context, some, time.monotonic_ns() + deadline_ms * 1_000_000, sift, told)
            except PartitionError as bad:
                refused.append(Refused(key, some, bad))
                continue
            stored += fresh
            kept_out = sift.dead if sift else 0
            duplicates += len(some) - fresh - kept_out
            dead += kept_out
            if kept_out < len(some):
                held.add(key)
        if refused:
            self._asked.refused(len(refused))
        took_us = (time.perf_counter_ns() - started_ns) // 1_000
        self._asked.timings.add("append", took_us, len(refused), *told)
        return Appended(stored, duplicates, frozenset(held), refused, dead)

    def _insert(
        self,
        key: PartitionKey,
        context: str,
        events: list[Event],
        deadline_ns: int,
        sift: "Sieve | None",
        told: list[int],
    ) -> int:
        rows = [writer.row_of(event) for event in events]
        if self._writers and self._writers[0].bulks:
            return self._writers[0].insert(key, context, rows, deadline_ns, sift, told)
        return writer.insert(self.root, key, context, rows, deadline_ns, sift=sift, told=told)

    def _sieve(self, key: PartitionKey, deleted: "Deletions") -> "Sieve | None":
        if deleted == "ignore":
            return None
        from eyelet_ingest.store.tombstones import Sieve, Tombstones

        day = layout.db_path(self.root, key)
        return Sieve(Tombstones.of(self.root), key.context, force=deleted == "forget", day=day)

    def checkpoint(self, key: PartitionKey | None = None, mode: str = "passive") -> "list[Checkpointed]":
        """Bring what stands in the WAL of one day, or of every day that has one, into its file; BadInput for a mode
        that is none of passive, full, restart and truncate. What goes wrong is said in the result, never raised.
        """
        from eyelet_ingest.store.checkpoint import checkpoint

        done = []
        for one in self.catalog.partitions() if key is None else [key]:
            started_ns = time.perf_counter_ns()
            tried = checkpoint(self.root, [one], mode, only_with_wal=not key)
            for result in tried:
                took_us = (time.perf_counter_ns() - started_ns) // 1_000
                self.timings.add("checkpoint", took_us, bool(result.error and not result.busy), 0, result.busy)
            done += tried
        return done

    def try_checkpoint(self, key: PartitionKey, mode: str = "passive") -> "Checkpointed":
        """Checkpoint a day where nobody is in the way of it: without waiting for its lock, and hardly for readers."""
        from eyelet_ingest.store.checkpoint import attempt

        started_ns = time.perf_counter_ns()
        done = attempt(self.root, key, mode)
        if done.mode:
            self.timings.add("checkpoint", (time.perf_counter_ns() - started_ns) // 1_000, bool(done.error))
        return done

    def maintain(self, deadline_ms: float, first: Iterable[PartitionKey] = ()) -> "Maintained":
        """Give finished days what makes questions about them cheap, those of `first` before others, for about
        `deadline_ms`: statistics and what SQLite's planner wants to know. It yields to whoever writes, and may be
        stopped anywhere. To be called again and again; where another thread is at it, it does nothing.
        """
        from eyelet_ingest.store.maintenance import Maintained, Maintenance

        if not self._maintaining.acquire(blocking=False):
            return Maintained(0, 0, 0, [])
        try:
            if not self._maintenance:
                self._maintenance.append(Maintenance(self.root))
            return self._maintenance[0].run(self.catalog.partitions(), deadline_ms, first)
        finally:
            self._maintaining.release()

    def make_columns(
        self, columns: "Sequence[Column]", days: Iterable[PartitionKey] | None = None
    ) -> "tuple[int, list[PartitionError]]":
        """Give these days, or all, the plugins' columns that they lack; how many got some, and what went wrong."""
        from eyelet_ingest.store.columns import make

        return make(self.root, self.catalog.partitions() if days is None else sorted(days), columns)

    def export_lines(self, where: Filter, progress: "Callable[[int, int], object] | None" = None) -> "ExportLines":
        """The lines that `import_files` takes, exact to the byte, of the first root alone: to be iterated once.
        `progress` is told how many days are done, and of how many. Write them with `export.write_file`."""
        from eyelet_ingest.store.export import ExportLines

        return ExportLines(self.roots.alone(), where, progress)

    def import_files(
        self,
        paths: Iterable[str],
        *,
        context: str | None = None,
        force: bool = False,
        dry_run: bool = False,
        clean: "Clean | None" = None,
    ) -> "Imported":
        """Store the events of exports at `paths`, all in `context` where one is given; what was deleted here stays
        away, unless `force`. What could not be taken is named in the result, never raised. They come as they are,
        unless `clean` takes something from them, as `incoming.Incoming` does."""
        from eyelet_ingest.store.importing import Importing, import_files

        return import_files(Importing(self.root, context=context, force=force, dry_run=dry_run, clean=clean), paths)

    def backup(
        self,
        target: str,
        keys: Iterable[PartitionKey] | None = None,
        *,
        dry_run: bool = False,
        progress: "Callable[[int, int], object] | None" = None,
    ) -> "Made":
        """Copy these days, or all, and what else makes the root whole to the folder `target`, while others write. What
        did not change since the last time is left alone. Days that cannot be copied are named in the result."""
        from eyelet_ingest.store.backup import backup

        if not dry_run:
            self.drain_spool()
        days = self.catalog.partitions() if keys is None else keys
        return backup(self.catalog, _absolute(target), days, dry_run=dry_run, progress=progress)

    def restore(
        self,
        source: str,
        keys: Iterable[PartitionKey] | None = None,
        *,
        dry_run: bool = False,
        replace: bool = False,
        force: bool = False,
        who: str = "library",
        progress: "Callable[[int, int], object] | None" = None,
    ) -> "Restored":
        """Bring these days of a backup, or all, into the root: whole where they are missing, else the events they lack;
        with `replace` the backup's days stand in place of its own. Audited under the name `who`. Days that cannot be
        restored are named in the result."""
        from eyelet_ingest.store.restoring import restore

        return restore(
            self.root,
            _absolute(source),
            keys,
            dry_run=dry_run,
            replace=replace,
            force=force,
            who=who,
            let_go=self.release,
            progress=progress,
        )

    def sync(
        self,
        sources: Iterable[str],
        *,
        contexts: Sequence[str] = (),
        force: bool = False,
        dry_run: bool = False,
        progress: "Callable[[int], object] | None" = None,
        clean: "Clean | None" = None,
    ) -> "list[Synced]":
        """Store what is new in other roots, each a folder or `ssh://host/path`, of these contexts or of all. What was
        deleted here stays away, unless `force`. A source that cannot be read raises nothing: its result says so.
        `clean` as for `import_files`."""
        from eyelet_ingest.store.sync import sync

        return sync(self.root, sources, contexts=contexts, force=force, dry_run=dry_run, progress=progress, clean=clean)

    def delete(
        self,
        where: Filter,
        *,
        projects: Sequence[str] = (),
        prompts: Sequence[str] = (),
        dry_run: bool = False,
        before_removal: "BeforeRemoval | None" = None,
    ) -> "Deleted":
        """Delete what matches wherever it is recorded: rows, and days that lie whole in the range as folders; spool,
        quarantine, archives. It is remembered, so that no import brings it back.

        `projects` are folders, each with what lies below; `prompts` identifiers, each with all that followed from it.
        `before_removal` is called with the key of a day before its files go; what this Store has open is closed by
        itself. BadInput for a filter without conditions.
        Days that could not be served are named in the result, never raised.
        """
        from eyelet_ingest.store.wanted import wanted

        what = wanted(where, self._only, projects=tuple(projects), prompts=tuple(prompts))
        return self._delete(what, dry_run, before_removal)

    def redact(
        self,
        cleaning: "Cleaning",
        where: Filter | None = None,
        *,
        projects: Sequence[str] = (),
        dry_run: bool = False,
        before_rewriting: "BeforeRemoval | None" = None,
    ) -> "Redacted":
        """Take what `cleaning` says (`past.Pattern`, `past.Rules`) out of all that is stored, or of what matches: days,
        archives, spool, JSON files, quarantine, in side roots too. The events stay, with their ids and uids.

        `before_rewriting` is called with the key of each day that is looked at; what this Store has open is closed by
        itself. What could not be served is named in the result, never raised; RootError where no receipt can be made.
        """
        from eyelet_ingest.store.redacting import redact
        from eyelet_ingest.store.wanted import redacted

        where = Filter() if where is None else where
        what, said = redacted(where, self._only, tuple(projects))
        let_go = self._letting_go(before_rewriting)
        done = redact(self.catalog, what, cleaning, dry_run=dry_run, let_go=let_go, asked=said)
        for side in self._alongside():
            with side:
                done.add(side.redact(cleaning, where, projects=projects, dry_run=dry_run))
        return done

    def scan_secrets(self, looker: "Looker", where: Filter | None = None, *, suspicions: bool = False) -> "Scan":
        """Look for secrets in all that is stored, or in what matches: days, archives, spool, JSON files, quarantine;
        in the root's other files where everything is asked for. To be iterated once, a Finding at a time.

        `looker` is a `looking.Looker`. What cannot be read is named in the scan's `failed`, never raised.
        """
        from eyelet_ingest.store.scanning import Scan
        from eyelet_ingest.store.wanted import redacted

        what, _ = redacted(Filter() if where is None else where, self._only, ())
        return Scan(self.catalog, what, looker, suspicions)

    def finish_redactions(self) -> None:
        """Finish what deletions and redactions that were stopped left to be done: bytes to erase, days to seal."""
        from eyelet_ingest.store.redacting import finish

        finish(self.catalog)
        for side in self._alongside():
            with side:
                side.finish_redactions()

    def delete_by_src(self, pattern: str, *, dry_run: bool = False) -> "Deleted":
        """Delete the events of this src and of what lies below its dots; `x*` is a plain prefix."""
        return self.delete(Filter(src=(pattern,)), dry_run=dry_run)

    def delete_older_than(
        self,
        time_us: int,
        *,
        contexts: Sequence[str] = (),
        dry_run: bool = False,
        before_removal: "BeforeRemoval | None" = None,
    ) -> "Deleted":
        """Retire what is older, of these contexts or of all: whole days with side files and empty folders, the rows of
        the day that the time lies in. From then on no import brings anything older into these contexts."""
        from eyelet_ingest.store.deletion import retire
        from eyelet_ingest.store.wanted import wanted

        now_us = time.time_ns() // 1_000
        # What bears a time yet to come is remembered by itself: a horizon there would keep out what is to happen.
        where = Filter(until_us=time_us, contexts=tuple(contexts))
        what = wanted(where, self._only, by_age=time_us <= now_us)
        if not dry_run:
            self.drain_spool()  # what waits goes with its day
            retire(self.catalog, what, min(time_us, now_us))
            for side in self._alongside():
                with side:
                    retire(side.catalog, what, min(time_us, now_us))
        return self._delete(what, dry_run, before_removal)

    def retention(self) -> "Rules":
        """What is kept, as `retention.json` says; RootError for a file that says no rules."""
        from eyelet_ingest.store import retention

        return retention.read(self.root)

    def set_retention(self, rules: "Rules") -> None:
        """Keep these rules; from now on they run by themselves."""
        from eyelet_ingest.store import retention

        retention.write(self.root, rules)

    def retain(
        self,
        *,
        deadline_ms: float | None = None,
        dry_run: bool = False,
        before_removal: "BeforeRemoval | None" = None,
        progress: "Callable[[int, int], object] | None" = None,
    ) -> "Retained":
        """Retire what the rules say, all of it or for about `deadline_ms`. RootError for rules that cannot be read.
        With a deadline, what deletions left behind is erased first, and days that others work on are left for later."""
        from eyelet_ingest.store import erasing, retention

        if deadline_ms is not None and not dry_run:
            erasing.finish(self.root, deadline_ms)
        return retention.retain(
            self.catalog,
            deadline_ms=deadline_ms,
            dry_run=dry_run,
            before_removal=self._letting_go(before_removal),
            progress=progress,
        )

    def _letting_go(self, before_removal: "BeforeRemoval | None") -> "BeforeRemoval":
        def let_go(key: PartitionKey) -> None:
            self.release(key)
            if before_removal is not None:
                before_removal(key)

        return let_go

    def _delete(self, what: "Wanted", dry_run: bool, before_removal: "BeforeRemoval | None") -> "Deleted":
        from eyelet_ingest.store.deletion import delete
        from eyelet_ingest.store.places import places

        if not dry_run:
            self.drain_spool()
        asked = what
        unread: list[Unreadable] = []
        if what.prompts:
            from eyelet_ingest.store.prompts import resolved

            what, unread = resolved(self.catalog, what)

        let_go = self._letting_go(before_removal)
        done = delete(self.catalog, what, dry_run=dry_run, before_removal=let_go, places=places(self.root))
        named = {(bad.context, bad.day) for bad in done.failed}
        done.failed.extend(bad for bad in unread if (bad.context, bad.day) not in named)
        for side in self._alongside():
            with side:
                done = done.and_of(side._delete(asked, dry_run, None))
        return done

    def _alongside(self) -> "Generator[Store, None, None]":
        """What is read beside this root, each as a store of its own, of the same contexts."""
        from eyelet_ingest.store import alongside

        for root in alongside.roots_of(self.root):
            yield Store(root).limited_to(self._only)

    def ids_of(self, context: str, events: Iterable[tuple[bytes, int]]) -> dict[bytes, int]:
        """The ids that events of the safe context, by uid and time in µs, were given when they were stored."""
        from eyelet_ingest.store.ids import ids_of

        return ids_of(self.root, context, events)

    def drain_spool(self) -> spool.Drained:
        """Store what captures had to leave in the spool; at once done where nothing waits."""
        started_ns = time.perf_counter_ns()
        done = spool.drain(self.root, time.monotonic_ns() + DRAIN_DEADLINE_MS * 1_000_000)
        if done.stored or done.left:  # nearly always nothing waits
            self.timings.add("drain", (time.perf_counter_ns() - started_ns) // 1_000, bool(done.left))
        return done


def _catalog(root: str, at: int) -> Catalog:
    if not root.startswith(layout.MEMORY):
        return Catalog(root, at)
    from eyelet_ingest.store.memory import MemoryCatalog

    return MemoryCatalog(root, at)


def _absolute(root: str) -> str:
    if root.startswith("file:"):
        from eyelet_ingest.store import memory

        root = memory.root_of(root)
        if root.startswith(layout.MEMORY):
            return root
    if "\0" in root:
        raise RootError("open", root.replace("\0", "\\0"), "no path holds a NUL", "name a folder")
    return os.path.abspath(os.path.expanduser(root))


def _most_days_open() -> int:
    """MAX_OPEN_DAYS, or fewer where this process may open few files: an eighth of them (1,024: 42 days), as a
    server has as many of its own, and the days that Datasette shows."""
    try:
        import resource
    except ImportError:  # Windows
        return MAX_OPEN_DAYS
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return MAX_OPEN_DAYS
    return max(1, min(MAX_OPEN_DAYS, files // (8 * FILES_A_DAY)))
