"""Days as databases of Datasette, when a URL asks for them.

A day is there for the request that asked for it and for no other: `datasette.databases` shows it only within that
request, after the actor's permission was checked. So no front page, list of databases, refresh of schemas or attached
`_memory` ever walks the days, however many there are, and none is seen by whoever may not see it.

What stays between requests is small: up to `max_mounted_days` Day objects, and their connections in one pool of
`max_open_files`.
"""

import asyncio
import os
import stat
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Generator, Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import partial
from typing import Any

from datasette_eyelet import compat
from eyelet_ingest.errors import PartitionUnreadable
from eyelet_ingest.store import layout
from eyelet_ingest.store.connect import driver, open_reader, remedy
from eyelet_ingest.store.handles import MAX_OPEN, Handles
from eyelet_ingest.store.layout import PartitionKey

MAX_MOUNTED_DAYS = 64

File = tuple[int, int]
NOT_READ = -1  # no version of a schema is negative
# What SQLite says of a file that is no good, and of one that it cannot read
_BROKEN = ("malformed", "not a database", "corrupt")
_FAILED = ("disk I/O error", "unable to open")
Told = Callable[[Any, str], Awaitable[None]]

# The databases that the running request reads. Asyncio gives each request's task its own value.
_shown: "ContextVar[tuple[compat.ReadOnlyDatabase, ...]]" = ContextVar("eyelet_shown", default=())


class NoSuchDay(PartitionUnreadable):
    """Nothing was recorded on that day, or it was removed."""


class BrokenDay(PartitionUnreadable, compat.ViewError, driver().DatabaseError):  # type: ignore[misc]  # have no types
    """What a day turned out to be while Datasette read it. Of an error of its own kind it prints no traceback; where it
    can do without the answer, as for a count, it looks for SQLite's."""

    def __init__(self, path: str, reason: str, hint: str) -> None:
        compat.ViewError.__init__(self, reason, status=503)
        PartitionUnreadable.__init__(self, "read", path, reason, hint)


class Day(compat.ReadOnlyDatabase):
    """One partition as a database of Datasette: read-only, its connections borrowed from a pool.

    It is the file that was there when it was made, by device and inode: once another is there, it reads nothing more.
    So a request never meets two files, and `schema_version` is its own for good.
    """

    def __init__(self, datasette: Any, key: PartitionKey, path: str, file: File, handles: Handles) -> None:
        super().__init__(datasette, path=path, is_mutable=False)
        self.key, self.file, self.handles = key, file, handles
        self.name = self.route = key.mount_name
        self.schema_version = NOT_READ
        self.has_events = True

    async def read(self, fn: Any) -> Any:
        """`fn(connection)` in a thread of Datasette's, or here where it has none."""
        if self.ds.executor is None:
            return self._with_reader(fn)
        work = partial(copy_context().run, self._with_reader, fn)
        return await asyncio.get_running_loop().run_in_executor(self.ds.executor, work)

    async def version(self) -> int:
        """The version of its schema now; PartitionUnreadable of a file that holds no table at all."""
        version, tables = await self.read(_version_and_tables)
        if not tables:
            raise PartitionUnreadable(
                "read", self.path, "it is empty", "it is being made at this moment, or was damaged"
            )
        return int(version)

    async def read_by(self, run: Callable[..., Awaitable[Any]], fn: Any) -> Any:
        """`fn(connection)` as `run(work, …)` runs work: for what would keep one of Datasette's few threads long."""
        return await run(self._with_reader, fn)

    def connect(self, write: bool = False) -> Any:
        """A connection of the caller's own, to close. There is none that writes."""
        if write:
            raise PartitionUnreadable("write", self.path, "days are read-only here", "use the log API or eyelet ingest")
        return open_reader(self.path)

    def close(self) -> None:
        self.handles.drop(self.path)

    @property
    def hash(self) -> None:
        """A day of today grows: nothing may be kept by its hash."""
        return None

    @property
    def cached_table_counts(self) -> None:
        return None

    @property
    def size(self) -> int:
        """Bytes on disk, 0 where it is gone."""
        try:
            return os.path.getsize(self.path)
        except OSError:
            return 0

    @property
    def mtime_ns(self) -> int:
        try:
            return os.stat(self.path).st_mtime_ns
        except OSError:
            return 0

    def _with_reader(self, fn: Any) -> Any:
        try:
            with self.handles.reader(self.path, self._prepare) as conn:
                if _file_at(self.path) != self.file:
                    raise changed(self.path)
                return fn(conn)
        except PartitionUnreadable:
            if _file_at(self.path) is None:
                raise _no_such_day(self.path) from None
            raise
        except driver().DatabaseError as error:
            if not is_broken(error):
                raise
            raise BrokenDay(self.path, str(error), remedy(self.path, error)) from error

    def _prepare(self, conn: Any) -> None:
        self.ds._prepare_connection(conn, self.name)


class Days:
    """The mounted days of one root, the one used last at the end. Of the event loop alone but for `release`.

    `entered(datasette, name)` is awaited when a day with events is mounted or its schema changed, `left` when it is
    unmounted, or mounted without a table of events.
    """

    def __init__(self, datasette: Any, root: str, settings: dict[str, Any], entered: Told, left: Told) -> None:
        self.datasette, self.root, self.entered, self.left = datasette, root, entered, left
        self.max_mounted = settings.get("max_mounted_days", MAX_MOUNTED_DAYS)
        self.handles = Handles(max_open=settings.get("max_open_files", MAX_OPEN))
        self.mounted: OrderedDict[str, Day] = OrderedDict()
        self.over_days: OrderedDict[str, Any] = OrderedDict()  # the databases of one context each (`contexts.py`)
        self._mounting = asyncio.Lock()
        self.pins: dict[str, int] = {}

    @contextmanager
    def pinned(self, name: str) -> Generator[None, None, None]:
        """Within this block nobody unmounts the database of this name to make room."""
        self.pins[name] = self.pins.get(name, 0) + 1
        try:
            yield
        finally:
            self.pins[name] -= 1
            if not self.pins[name]:
                del self.pins[name]

    async def mount(self, key: PartitionKey) -> Day:
        """The day, mounted, and staying so while it is pinned.

        NoSuchDay where nothing is there, PartitionUnreadable where it cannot be opened.
        """
        path = layout.db_path(self.root, key)
        name = key.mount_name
        file = _file_at(path)
        if file is None:
            await self._unmount(name)
            raise _no_such_day(path)
        day = self.mounted.get(name)
        try:
            if day is None or day.file != file:
                day = Day(self.datasette, key, path, file, self.handles)
            version = await day.version()
            if day.schema_version != version:
                day = await self._enter(Day(self.datasette, key, path, file, self.handles), version)
        except driver().Error as error:
            raise broken(path, error) from error
        if name in self.mounted:
            self.mounted.move_to_end(name)
        await self._unmount_excess()
        return day

    async def _enter(self, day: Day, version: int) -> Day:
        """The day of that name that is mounted, of this file and this version of its schema."""
        async with self._mounting:
            there = self.mounted.get(day.name)
            if there is not None and (there.file, there.schema_version) == (day.file, version):
                return there
            day.schema_version, day.has_events = version, await day.read(_has_events)
            await compat.catalog_day(self.datasette, day, partial(self.mounted.__setitem__, day.name, day))
            await (self.entered if day.has_events else self.left)(self.datasette, day.name)
            return day

    def release(self, key: PartitionKey, wait_s: float = 0.0) -> bool:
        """Close what is open on a day that is about to be removed or rewritten; from any thread. True when nothing is
        open on it any more, but what a question over all days reads at this moment. The next request mounts what is
        there then."""
        for database in (*self.datasette.databases.values(), *list(self.over_days.values())):
            if getattr(database, "is_over_days", False):
                database.close()
        return self.handles.drop(layout.db_path(self.root, key), wait_s)

    def close(self) -> None:
        self.handles.close()

    async def _unmount_excess(self) -> None:
        for name in list(self.mounted)[: max(len(self.mounted) - self.max_mounted, 0)]:
            if name not in self.pins:
                await self._unmount(name)

    async def _unmount(self, name: str) -> None:
        day = self.mounted.pop(name, None)
        if day is not None:
            day.close()
            async with self._mounting:
                if name not in self.mounted:
                    await self.left(self.datasette, name)
                    await compat.uncatalog_day(self.datasette, name)


class Databases(MutableMapping[str, Any]):
    """`datasette.databases`: those it was given, and the days that the running request reads."""

    def __init__(self, given: Any, days: Days) -> None:
        self.given, self.days = OrderedDict(given), days

    def __getitem__(self, name: str) -> Any:
        if name in self.given:
            return self.given[name]
        return self._of_request()[name]

    def __setitem__(self, name: str, database: Any) -> None:
        self.given[name] = database

    def __delitem__(self, name: str) -> None:
        del self.given[name]

    def __iter__(self) -> Iterator[str]:
        yield from self.given
        yield from (name for name in self._of_request() if name not in self.given)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def copy(self) -> "Databases":
        return Databases(self.given, self.days)

    def _of_request(self) -> dict[str, Any]:
        return {shown.name: shown for shown in _shown.get() if shown.ds is self.days.datasette}


def serve_days(datasette: Any, days: Days) -> None:
    """From now on this Datasette finds the days its requests ask for."""
    if not isinstance(datasette.databases, Databases):
        datasette.databases = Databases(datasette.databases, days)
        _attach_no_day(datasette)
        compat.keep_days_cataloged(datasette, lambda: showing(*days.mounted.values(), *days.over_days.values()))


def _attach_no_day(datasette: Any) -> None:
    """With `--crossdb` Datasette attaches every database it sees to a connection of `_memory`, which stays and which
    strangers may ask: while one is made, no day is seen but the connection's own."""
    prepare = datasette._prepare_connection

    def prepared(conn: Any, name: str) -> None:
        with showing(*(day for day in _shown.get() if day.name == name)):
            prepare(conn, name)

    datasette._prepare_connection = prepared


def changed(path: str) -> PartitionUnreadable:
    """The day is another one than at the beginning of the request."""
    return PartitionUnreadable("read", path, "it was replaced or rewritten while it was read", "ask again")


async def trouble_with(day: Day) -> PartitionUnreadable | None:
    """Why the day is no longer what it was when the request began; None where it is."""
    try:
        return None if await day.version() == day.schema_version else changed(day.path)
    except PartitionUnreadable as error:
        return error
    except driver().Error as error:
        return broken(day.path, error)


def is_broken(error: Exception) -> bool:
    """Whether SQLite says that the file is no good, in a query that is: damage is a plain DatabaseError, as "malformed
    JSON", say, is not."""
    if type(error) is driver().DatabaseError:
        return any(text in str(error) for text in _BROKEN)
    return isinstance(error, driver().OperationalError) and any(text in str(error) for text in _FAILED)


def broken(path: str, error: Exception) -> PartitionUnreadable:
    """What SQLite says of a day that is no good, with what helps."""
    return PartitionUnreadable("read", path, str(error), remedy(path, error))


def is_ours(datasette: Any, name: str) -> bool:
    """Whether that is a database of ours which the running request could name: a day, or the one over all contexts."""
    return getattr(datasette.databases.get(name), "is_of_eyelet", False)


def day_of_request(datasette: Any) -> Day | None:
    """The day that the running request reads."""
    return next((day for day in _shown.get() if isinstance(day, Day) and day.ds is datasette), None)


@contextmanager
def showing(*days: compat.ReadOnlyDatabase) -> Generator[None, None, None]:
    """Within this block the running request sees these databases and no other of ours: inside another's, by
    `datasette.client`, it does not see the other's."""
    token = _shown.set(days)
    try:
        yield
    finally:
        _shown.reset(token)


def _no_such_day(path: str) -> NoSuchDay:
    return NoSuchDay("open", path, "nothing was recorded on that day, or it was removed")


def _file_at(path: str) -> File | None:
    """The device and inode of the file at `path`, None where there is none."""
    try:
        there = os.stat(path)
    except OSError:
        return None
    return (there.st_dev, there.st_ino) if stat.S_ISREG(there.st_mode) else None


def _version_and_tables(conn: Any) -> tuple[int, int]:
    (version,) = conn.execute("pragma schema_version").fetchone()
    (tables,) = conn.execute("select count(*) from sqlite_master").fetchone()
    return version, tables


def _has_events(conn: Any) -> bool:
    """Whether its table `hooks` can be shown as ours: anybody may put a file of his own in the place of a day."""
    sql = "select count(*) from pragma_table_info('hooks') where name in ('id', 'src')"
    return bool(conn.execute(sql).fetchone()[0] == 2)
