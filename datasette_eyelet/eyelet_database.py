"""The database `eyelet`: what there is over all days at once. So far its table `partitions`, one row a day.

Each connection is a database in memory of its own, so that no reader waits for another's refreshing, or fails on it.
Before a connection is read it is filled anew where the catalog changed since: new days are there at once.
"""

import asyncio
import threading
import zlib
from contextvars import copy_context
from copy import deepcopy
from functools import partial
from typing import Any

import click
from markupsafe import Markup

from datasette_eyelet import compat, instance
from datasette_eyelet.permissions import EYELET_DATABASE
from eyelet_ingest.errors import EyeletError, PartitionUnreadable
from eyelet_ingest.store.connect import driver
from eyelet_ingest.store.layout import PartitionKey, key_from_mount_name

NAME = EYELET_DATABASE
PARTITIONS = "partitions"
TABLES = (PARTITIONS,)

SCHEMA = """
create table partitions (
    context_name text not null,
    date text not null,
    year integer not null,
    day integer not null,
    database text not null,
    primary key (context_name, date)
) without rowid
"""


class EyeletDatabase(compat.ReadOnlyDatabase):
    """What is asked of it is asked of the catalog. Whoever may view all contexts may see it, by its name.

    `_lock` guards `_idle` (the connections that wait: never more than Datasette has threads), `_keys` and `_state`.
    """

    schema_version = zlib.crc32(SCHEMA.encode())

    def __init__(self, datasette: Any) -> None:
        super().__init__(datasette, is_mutable=False, is_memory=True)
        self._held = instance.of(datasette)
        self._lock = threading.Lock()
        self._idle: list[Any] = []
        self._keys: list[PartitionKey] = []
        self._state = 1
        self._shape: dict[tuple[str, ...], Any] = {}  # what the schema, which stays, answers; of the event loop

    async def read(self, fn: Any) -> Any:
        """`fn(connection)` in a thread of Datasette's, or here where it has none."""
        if self.ds.executor is None:
            return self._with_reader(fn)
        work = partial(copy_context().run, self._with_reader, fn)
        return await asyncio.get_running_loop().run_in_executor(self.ds.executor, work)

    def connect(self, write: bool = False) -> Any:
        """A connection of the caller's own, to close. There is none that writes."""
        if write:
            raise PartitionUnreadable("write", f"the database {NAME}", "it only shows what there is")
        conn = driver().connect(":memory:", isolation_level=None, check_same_thread=False)
        conn.execute(SCHEMA)
        self._refresh(conn)
        return conn

    def close(self) -> None:
        with self._lock:
            while self._idle:
                self._idle.pop().close()

    async def table_counts(self, limit: int = 10) -> dict[str, int]:
        """Known without counting, whatever else comes to stand here."""
        return {PARTITIONS: await self.read(lambda _: len(self._now()[0]))}

    # The front page asks all of these each time it is shown.

    async def table_names(self) -> Any:
        return await self._once(super().table_names)

    async def view_names(self) -> Any:
        return await self._once(super().view_names)

    async def hidden_table_names(self) -> Any:
        return await self._once(super().hidden_table_names)

    async def table_columns(self, table: str) -> Any:
        return await self._once(super().table_columns, table)

    async def primary_keys(self, table: str) -> Any:
        return await self._once(super().primary_keys, table)

    async def fts_table(self, table: str) -> Any:
        return await self._once(super().fts_table, table)

    async def get_all_foreign_keys(self) -> Any:
        return await self._once(super().get_all_foreign_keys)

    async def _once(self, ask: Any, *table: str) -> Any:
        """The answer of the first time; whatever else a URL calls a table is not remembered."""
        key = (ask.__name__, *table)
        if key not in self._shape:
            answer = await ask(*table)
            if table and table[0] not in TABLES:
                return answer
            self._shape[key] = answer
        return deepcopy(self._shape[key])

    def _with_reader(self, fn: Any) -> Any:
        with self._lock:
            conn = self._idle.pop() if self._idle else None
        if conn is None:
            conn = self.connect()
            self.ds._prepare_connection(conn, self.name)
        try:
            self._refresh(conn)
            return fn(conn)
        finally:
            with self._lock:
                self._idle.append(conn)

    def _refresh(self, conn: Any) -> None:
        """Fills the table where the catalog is no longer what this connection holds (its `user_version`)."""
        keys, state = self._now()
        if conn.execute("pragma user_version").fetchone()[0] == state:
            return
        rows = ((key.context, key.date, key.year, key.day, key.mount_name) for key in keys)
        conn.execute("pragma query_only = 0")
        conn.execute("begin")
        conn.execute("delete from partitions")
        conn.executemany("insert into partitions values (?, ?, ?, ?, ?)", rows)
        conn.execute(f"pragma user_version = {state:d}")
        conn.execute("commit")
        conn.execute("pragma query_only = 1")

    def _now(self) -> tuple[list[PartitionKey], int]:
        """The days there are, and the number of their state. None are there where the root cannot be listed."""
        try:
            keys = self._held.store.catalog.partitions()
        except EyeletError:
            keys = []
        with self._lock:
            if keys is not self._keys and keys != self._keys:
                self._state += 1
            self._keys = keys
            return keys, self._state


def register(datasette: Any) -> None:
    """Adds the database. A file of the user's that is called `eyelet` keeps its name, and ours is left out."""
    if NAME not in datasette.databases:
        datasette.add_database(EyeletDatabase(datasette), name=NAME)
    elif not is_there(datasette):
        click.echo(
            f"datasette-eyelet: a database called {NAME} is served already, so the table of all days is left out; "
            "rename the file to have both.",
            err=True,
        )


def is_there(datasette: Any) -> bool:
    """Whether the database `eyelet` is the one described here, and not a file of the user's."""
    return isinstance(datasette.databases.get(NAME), EyeletDatabase)


def day_link(datasette: Any, database: str, column: str, value: object) -> Markup | None:
    """A cell of our column `database` as a link to that day; None for every other cell."""
    if column != "database" or database != NAME or not isinstance(value, str) or not is_there(datasette):
        return None
    if key_from_mount_name(value) is None:
        return None
    return Markup('<a href="{}">{}</a>').format(datasette.urls.path(f"/{value}"), value)
