"""The databases over days: `eyelet`, of all contexts, and `eyelet-<context>`, of one.

Their table `hooks` holds the events of every day, their table `partitions` a row for each day. Both are made of what
is on disk whenever somebody asks (`eyelet_connections.py`); nothing is kept, and nothing can be written.
"""

import asyncio
import zlib
from contextvars import copy_context
from copy import deepcopy
from functools import partial
from typing import Any

import click
from markupsafe import Markup

from datasette_eyelet import compat, eyelet_counts, instance, queries, text_function
from datasette_eyelet.eyelet_connections import Connections
from datasette_eyelet.refused import Refused
from datasette_eyelet.scope import ALL, Scope
from eyelet_ingest.errors import EyeletError, PartitionUnreadable
from eyelet_ingest.store import all_days, mistakes
from eyelet_ingest.store.across import PARTITIONS, Across
from eyelet_ingest.store.catalog import Catalog, Part
from eyelet_ingest.store.counters import Asked
from eyelet_ingest.store.layout import key_from_mount_name
from eyelet_ingest.store.roots import Roots
from eyelet_ingest.store.store import Store

NAME = ALL
TABLE = "hooks"
# What the views are made of: no page of its own in the list.
HIDDEN = (*(name for name in all_days.RELATIONS if name != TABLE), all_days.TEXT_INDEX)
TABLES = ("partitions", *all_days.RELATIONS)
_NAMES = frozenset((*TABLES, *all_days.VIEWS))
# What 0.65 asks before each look at what may be seen of a table, for the front page 26 times: how its name is spelled.
_SPELLED = "select name from sqlite_master where type in ('table', 'view') and name = ? collate nocase"
LONGEST_COUNT_MS = 60_000
MAX_OPEN = 128  # days of one connection: 30 MB of a server's memory, and most requests meet the same one


class EyeletDatabase(compat.ReadOnlyDatabase):
    """What is asked of it is asked of every day in its scope. Whoever may view that scope may see it, by its name."""

    is_over_days = True
    schema_version = zlib.crc32(f"{PARTITIONS}{all_days.RELATIONS}{all_days.VIEWS}".encode())

    def __init__(self, datasette: Any, scope: Scope) -> None:
        super().__init__(datasette, is_mutable=False, is_memory=True)
        self.scope = scope
        self.name = self.route = scope.name
        self._held = instance.of(datasette)
        self.connections = Connections(self._open)
        self.counting = eyelet_counts.Counting(self)
        self._shape: dict[tuple[str, ...], Any] = {}  # what the schema, which stays, answers; of the event loop

    async def read(self, fn: Any) -> Any:
        """`fn(connection)` in a thread of Datasette's, or here where it has none."""
        return await self.in_thread(self._with_reader, fn)

    async def in_thread(self, work: Any, *arguments: Any) -> Any:
        """`work(…)` in a thread of Datasette's, or here where it has none."""
        if self.ds.executor is None:
            return work(*arguments)
        whole = partial(copy_context().run, work, *arguments)
        return await asyncio.get_running_loop().run_in_executor(self.ds.executor, whole)

    def connect(self, write: bool = False) -> Any:
        """A connection of the caller's own, to close. There is none that writes."""
        if write:
            raise PartitionUnreadable("write", f"the database {self.name}", "it only shows what there is")
        return self._open().conn

    def close(self) -> None:
        self.connections.close()

    async def execute(self, sql: str, params: Any = None, **named: Any) -> Any:
        """As the Database's; what Datasette asks of its own accord over all rows is asked so that days can answer."""
        if sql == _SPELLED and params and params[0] in _NAMES:
            return compat.one_value(params[0], sql)
        if all_days.TEXT_INDEX in sql.lower():
            await self.read(partial(_expect_text_index, sql))
        return await self.counting.run(super().execute, sql, params, named)

    async def table_counts(self, limit: int = 10) -> dict[str, int | None]:
        """Of the tables to be listed: known without counting rows; None where `limit` milliseconds were not enough. As
        it starts, Datasette gives an hour to count what cannot change: ours does, and a start waits for no day."""
        limit = limit if limit <= LONGEST_COUNT_MS else 0
        days = await self.read(lambda conn: conn.execute("select count(*) from partitions").fetchone()[0])
        return {TABLE: await self.counting.events(limit), "partitions": days}

    async def attached_databases(self) -> list[Any]:
        """None that anybody should ask by its name."""
        return []

    # The front page asks all of these each time it is shown.

    async def table_names(self) -> Any:
        return await self._once(super().table_names)

    async def view_names(self) -> Any:
        return await self._once(super().view_names)

    async def hidden_table_names(self) -> Any:
        known = await self._once(super().hidden_table_names)  # of 0.65 the text index, too
        return list(dict.fromkeys([*known, *HIDDEN]))

    async def table_columns(self, table: str) -> Any:
        return [column.name for column in await self.table_column_details(table)]

    async def table_column_details(self, table: str) -> Any:
        """Without the hidden ones of virtual tables, but for the root where there are several."""
        shown = ("root",) if table == TABLE and self.roots().several else ()
        details = await self._once(super().table_column_details, table)
        return [column for column in details if column.hidden != 1 or column.name in shown]

    async def primary_keys(self, table: str) -> Any:
        """Of a view over attached days those of the table that stands for it."""
        if table == TABLE:
            columns = await self.table_columns(table)
            return ["context_name", "id", *(["root"] if "root" in columns else [])]
        if table in TABLES:
            return ["context_name", "date"] if table == "partitions" else []
        return await self._once(super().primary_keys, table)

    async def fts_table(self, table: str) -> Any:
        return await self._once(super().fts_table, table)

    async def get_all_foreign_keys(self) -> Any:
        return await self._once(super().get_all_foreign_keys)

    async def get_table_definition(self, table: str, type_: str = "table") -> Any:
        """Of a virtual table what it would be as a table: its columns, and not where they come from."""
        if table in all_days.RELATIONS and type_ == "table":
            return all_days.stub(table, table == TABLE and self.roots().several)
        return await super().get_table_definition(table, type_)

    async def _once(self, ask: Any, *table: str) -> Any:
        """The answer of the first time; whatever else a URL calls a table is not remembered."""
        key = (ask.__name__, *table)
        if key not in self._shape:
            answer = await ask(*table)
            if table and table[0] not in TABLES:
                return answer
            self._shape[key] = answer
        return deepcopy(self._shape[key])

    def store(self) -> Store:
        """The Store as far as this database goes. RootError where the root cannot be one."""
        return self._held.store_for(self._only)

    def roots(self) -> Roots:
        """What is read; a root that cannot be one holds no days, and our own pages say what is wrong with it."""
        try:
            return self._held.store.roots
        except EyeletError:
            return Roots([Catalog(self._held.root)], self._held.days.handles, Asked())

    def parts(self) -> list[Part]:
        """The days there are in its scope, oldest first; none where the root cannot be listed."""
        try:
            return self.roots().between(None, None, tuple(self._only or ()))[0]
        except EyeletError:
            return []

    @property
    def _only(self) -> frozenset[str] | None:
        return None if self.scope.context is None else frozenset([self.scope.context])

    def _open(self) -> Across:
        return Across(self.roots(), self._only, prepare=self._prepare, names_roots=False, max_open=MAX_OPEN)

    def _prepare(self, conn: Any) -> None:
        self.ds._prepare_connection(conn, self.name)
        text_function.register_over_days(self, conn)

    def _with_reader(self, fn: Any) -> Any:
        with self.connections.reader() as conn:
            return fn(conn)


async def register(datasette: Any) -> None:
    """Adds the database. A file of the user's that is called `eyelet` keeps its name, and ours is left out."""
    if NAME not in datasette.databases:
        datasette.add_database(EyeletDatabase(datasette, Scope(None)), name=NAME)
        await queries.add_to(datasette, NAME)
    elif not is_there(datasette):
        click.echo(
            f"datasette-eyelet: a database called {NAME} is served already, so the table of all days is left out; "
            "rename the file to have both.",
            err=True,
        )


def _expect_text_index(sql: str, conn: Any) -> None:
    """Refused where the statement asks for a text index that is not over all days."""
    if reason := mistakes.missing_text_index(conn, sql):
        raise Refused(f"{reason}: {text_function.NAME}('words') finds words without it")


def is_there(datasette: Any) -> bool:
    """Whether the database `eyelet` is the one described here, and not a file of the user's."""
    return isinstance(datasette.databases.get(NAME), EyeletDatabase)


def day_link(datasette: Any, database: str, column: str, value: object) -> Markup | None:
    """A cell of our column `database` as a link to that day; None for every other cell."""
    if (
        column != "database"
        or not isinstance(value, str)
        or not isinstance(datasette.databases.get(database), EyeletDatabase)
    ):
        return None
    if key_from_mount_name(value) is None:
        return None
    return Markup('<a href="{}">{}</a>').format(datasette.urls.path(f"/{value}"), value)
