"""The only file that knows two Datasette versions exist: 0.65 and the 1.0 alphas.

The hook implementations here import `permissions` when they are called: it asks this file in turn. It is longer than
other files, because nothing of this may stand elsewhere.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from inspect import iscoroutine
from typing import Any

import click
from datasette.database import Database, QueryInterrupted, Results
from datasette.plugins import pm
from datasette.utils import StartupError, await_me_maybe
from datasette.utils.asgi import Forbidden, NotFound, Request
from datasette.views.base import DatasetteError as ViewError
from pluggy import HookimplMarker

from datasette_eyelet.refused import Refused, TookTooLong
from eyelet_ingest.errors import EyeletError
from eyelet_ingest.store.connect import driver

__all__ = ["QueryInterrupted", "ViewError"]

hookimpl = HookimplMarker("datasette")

_IS_1_0 = hasattr(Database, "_execute_fn")


class WrongSetting(StartupError, click.ClickException):  # type: ignore[misc]  # Datasette has no types
    """Stops the server with one line: 1.0 turns a StartupError into it, in 0.65 nobody does but click itself."""


async def allowed(datasette: Any, actor: dict[str, Any] | None, action: str, context: str | None) -> bool:
    """What Datasette, with every plugin's and setting's say, answers; nobody is allowed by default."""
    if hasattr(datasette, "allowed"):
        resource = _context_class()(context) if context is not None else None
        return bool(await datasette.allowed(action=action, resource=resource, actor=actor))
    return bool(await datasette.permission_allowed(actor, action, resource=context, default=False))


async def allowed_contexts(
    datasette: Any, actor: dict[str, Any] | None, action: str, contexts: list[str]
) -> frozenset[str]:
    """Those of these contexts in which the actor may do this."""
    if hasattr(datasette, "allowed_resources"):
        pages = await datasette.allowed_resources(action, actor, limit=1_000)
        there = set(contexts)
        return frozenset([found.parent async for found in pages.all() if found.parent in there])
    return frozenset([context for context in contexts if await allowed(datasette, actor, action, context)])


@cache
def _context_class() -> Any:
    """1.0: a context as a thing that actions are about. Its names are safe, so they may stand in SQL."""
    from datasette.permissions import Resource

    from datasette_eyelet import instance

    class EyeletContext(Resource):  # type: ignore[misc]  # Datasette has no types
        name = "eyelet-context"

        def __init__(self, context: str) -> None:
            super().__init__(parent=context)

        @classmethod
        async def resources_sql(cls, datasette: Any, actor: Any = None) -> str:
            try:
                names = instance.of(datasette).store.contexts()
            except EyeletError:
                names = []
            return f"select value as parent, null as child from json_each('{json.dumps(names)}')"  # noqa: S608

    return EyeletContext


@hookimpl(specname="permission_allowed", trylast=True)
def permissions_of_0_65(datasette: Any, actor: dict[str, Any] | None, action: str, resource: Any) -> Any:
    """True where this actor may, None where we have no say. In 0.65 nobody grants root a plugin's action for us.

    Last, because in 0.65 the last answer counts: what a setting says of a database does not open a day of ours.
    """
    from datasette_eyelet import mounts, permissions

    if action in permissions.ACTIONS:
        if actor is not None and actor.get("id") == "root":
            return True
        contexts = permissions.granted(datasette, actor, action)
        return True if contexts is None or resource in contexts else None
    name = resource if isinstance(resource, str) else resource[0] if resource else None
    if not isinstance(name, str) or not mounts.is_ours(datasette, name):
        return None

    async def refused() -> bool | None:
        return None if await permissions.may_see_database(datasette, actor, name) else False

    return refused()


@hookimpl(specname="register_actions")
def actions_of_1_0() -> list[Any]:
    from datasette.permissions import Action

    from datasette_eyelet import permissions

    return [
        Action(name=name, description=description, resource_class=_context_class())
        for name, description in permissions.ACTIONS.items()
    ]


@hookimpl(specname="permission_resources_sql")
def permissions_of_1_0(datasette: Any, actor: dict[str, Any] | None, action: str) -> Any:
    """A yes with its reason, or None; and a no to every database of ours that this request does not read.

    1.0 grants everything to its root user by itself.
    """
    from datasette_eyelet import permissions

    if action not in permissions.ACTIONS:
        return _nothing_of_other_requests(datasette, actor, action)
    return _granted_in_1_0(datasette, actor, action)


def _granted_in_1_0(datasette: Any, actor: dict[str, Any] | None, action: str) -> Any:
    from datasette.permissions import PermissionSQL

    from datasette_eyelet import permissions, settings

    contexts = permissions.granted(datasette, actor, action)
    reason = f"the settings of the plugin {settings.PLUGIN}"
    if contexts is None:
        return PermissionSQL.allow(reason=reason)
    if not contexts:
        return None
    return PermissionSQL(
        sql="select value as parent, null as child, 1 as allow, :eyelet_reason as reason "
        "from json_each(:eyelet_contexts)",
        params={"eyelet_contexts": json.dumps(sorted(contexts)), "eyelet_reason": reason},
    )


async def _nothing_of_other_requests(datasette: Any, actor: dict[str, Any] | None, action: str) -> Any:
    """1.0 keeps the names of what was ever mounted, its tables and queries; only the request that reads a day, and so
    may see it, finds them there."""
    from datasette.permissions import PermissionSQL

    from datasette_eyelet import mounts, permissions

    known = datasette.actions.get(action)
    if known is None or known.resource_class is None:
        return None
    shown = [name for name in datasette.databases if not mounts.is_ours(datasette, name)]
    shown += [
        name
        for name in datasette.databases
        if name not in shown and await permissions.may_see_database(datasette, actor, name)
    ]
    return PermissionSQL(
        sql="""
            select name as parent, null as child, 0 as allow, 'not a database that this request reads' as reason from (
                select database_name as name from catalog_databases union select database_name from queries
            ) where (name glob '*-[0-9][0-9][0-9][0-9]-[0-9][0-9][0-9]' or name = 'eyelet' or name glob 'eyelet-*')
                and name not in (select value from json_each(:eyelet_shown))
        """,
        params={"eyelet_shown": json.dumps(shown)},
    )


class ReadOnlyDatabase(Database):  # type: ignore[misc]  # Datasette has no types
    """A Database whose every read goes through `read(fn)`, a coroutine of the subclass: 0.65 and 1.0 keep connections
    of their own otherwise, one for each thread and never closed."""

    is_of_eyelet = True
    has_events = True  # whether its table `hooks` can be shown as ours

    schema_version = -1

    async def execute(self, sql: str, params: Any = None, **named: Any) -> Any:
        """As the Database's; but the version of the schema, asked after for every database there is, costs nothing:
        1.0 hears what was last seen, 0.65 None, which it takes for one it knows. It needs no list of our tables."""
        if sql == "PRAGMA schema_version":
            return Results([(self.schema_version if _IS_1_0 else None,)], False, None)
        # Datasette would print a query that fails, its parameters too, which may be what somebody looks for: a secret.
        try:
            return await super().execute(sql, params, **{**named, "log_sql_errors": False})
        except driver().ProgrammingError as error:
            is_of_a_row = "p0" in (params or {})  # 0.65, at the address of a row with half a key
            if is_of_a_row and "You did not supply a value for binding" in str(error):
                raise NotFound("Record not found: its key has more parts") from error
            raise
        except (driver().Warning, ValueError, OverflowError) as error:
            # Several statements, a NUL in one, or a number beyond 64 bits: Datasette knows none for a mistake in SQL.
            raise Refused(str(error)) from error
        except QueryInterrupted as error:
            raise TookTooLong(error.e, sql, params) from error
        except driver().OperationalError as error:
            # A time that ends while SQLite looks at the columns of a view is told in these words.
            if str(error).startswith("expected 0 columns for ''"):
                raise TookTooLong(error, sql, params) from error
            raise Refused(str(error)) from error

    if _IS_1_0:

        async def _execute_fn(self, fn: Any) -> Any:
            return await self.read(fn)

    else:

        async def execute_fn(self, fn: Any) -> Any:
            return await self.read(fn)


def one_value(value: object, sql: str) -> Any:
    """Results of one row of one value; QueryInterrupted where there is none."""
    if value is None:
        raise TookTooLong(None, sql, None)
    return Results([(value,)], False, [("count(*)",)])


_CATALOGS = (
    "catalog_columns",
    "catalog_foreign_keys",
    "catalog_indexes",
    "catalog_views",
    "catalog_tables",
    "catalog_databases",
)


async def catalog_day(datasette: Any, day: Any, mount: Callable[[], None]) -> None:
    """Mount the day, by `mount()`. 1.0 lists tables and asks permissions from a catalog of its own: there it is entered
    first, and mounted before a refresh can take it for one that is gone."""
    if not _IS_1_0:
        mount()
        return
    from datasette.utils.internal_db import populate_schema_tables

    async with datasette._refresh_schemas_lock:
        await populate_schema_tables(datasette.get_internal_database(), day, day.schema_version)
        mount()


async def uncatalog_day(datasette: Any, name: str) -> None:
    """Take it out again."""
    if not _IS_1_0:
        return

    def delete(conn: Any) -> None:
        for table in _CATALOGS:
            conn.execute(f"delete from {table} where database_name = ?", [name])  # noqa: S608  names from above

    async with datasette._refresh_schemas_lock:
        await datasette.get_internal_database().execute_write_fn(delete)


def keep_days_cataloged(datasette: Any, showing_all: Any) -> None:
    """1.0 deletes from its catalog what `datasette.databases` does not show: while it looks, show every mounted day."""
    if not _IS_1_0:
        return
    refresh = datasette._refresh_schemas

    async def refresh_with_days() -> None:
        with showing_all():
            await refresh()

    datasette._refresh_schemas = refresh_with_days


async def may_download(datasette: Any, actor: dict[str, Any] | None, name: str) -> bool:
    """Whether the actor may take the whole file of that database, as Datasette's own download asks."""
    return await _may_with(datasette, actor, "view-database-download", name)


async def may_run_sql(datasette: Any, actor: dict[str, Any] | None, name: str) -> bool:
    """Whether the actor may run SQL of their own in that database, as Datasette's own page asks."""
    return await _may_with(datasette, actor, "execute-sql", name)


async def _may_with(datasette: Any, actor: dict[str, Any] | None, action: str, name: str) -> bool:
    if _IS_1_0:
        from datasette.resources import DatabaseResource

        return bool(await datasette.allowed(action=action, resource=DatabaseResource(name), actor=actor))
    try:
        await datasette.ensure_permissions(actor, [(action, name), ("view-database", name), "view-instance"])
    except Forbidden:
        return False
    return True


def sql_path(datasette: Any, name: str) -> str:
    """Where that database takes SQL."""
    return str(datasette.urls.path(f"/{name}")) + ("/-/query" if _IS_1_0 else "")


async def actor_of(datasette: Any, scope: dict[str, Any]) -> dict[str, Any] | None:
    """Who asks, as Datasette will find it out again."""
    request = Request(scope, None)
    found: dict[str, Any] | None = None
    for answer in pm.hook.actor_from_request(datasette=datasette, request=request):
        if found:
            if iscoroutine(answer):
                answer.close()
        else:
            found = await await_me_maybe(answer)  # the very object: the rights of a token hang on it
    return found or scope.get("actor") or None


def csv_that_works(scope: dict[str, Any]) -> dict[str, Any]:
    """1.0a41 answers the CSV of a table that holds a BLOB with "No item with that key", unless primary keys are asked
    for; 0.65 takes no notice."""
    query = scope.get("query_string", b"")
    return {**scope, "query_string": query + (b"&" if query else b"") + b"_extra=primary_keys"} if _IS_1_0 else scope


def has_permission_settings(datasette: Any) -> bool:
    """Whether Datasette's own `permissions:` settings can grant an action of ours: 1.0 only."""
    return hasattr(datasette, "allowed")


def environment(datasette: Any, request: Any) -> Any:
    """The Jinja environment of a request."""
    if hasattr(datasette, "get_jinja_environment"):
        return datasette.get_jinja_environment(request)
    return datasette.jinja_env


def enable_root(datasette: Any) -> None:
    """What `datasette --root` does besides printing its link: in 1.0 the root user is nobody without it."""
    if hasattr(datasette, "root_enabled"):
        datasette.root_enabled = True


async def is_root(datasette: Any, scope: dict[str, Any]) -> bool:
    """Whether the request is root's already: 0.65 would answer its second sign-in with a 403."""
    actor = await actor_of(datasette, scope)
    return actor is not None and actor.get("id") == "root"


def root_token(datasette: Any) -> str | None:
    """The token of the sign-in link, None once it was used. Both versions print it and offer no other way to it."""
    token: str | None = datasette._root_token
    return token


async def write_internal(datasette: Any, statements: Iterable[tuple[str, Sequence[tuple[object, ...]]]]) -> None:
    """1.0: run each statement for each of its rows in the internal database, all in one transaction. 0.65, which keeps
    neither queries nor metadata there, asks the plugin's hooks instead."""
    if not hasattr(datasette, "add_query"):
        return
    todo = list(statements)

    def write(conn: Any) -> None:
        for sql, rows in todo:
            conn.executemany(sql, rows)

    await datasette.get_internal_database().execute_write_fn(write)


class _ConfiguredDatabases(dict[str, Any]):
    """1.0 learns how to show a table from `config["databases"]` alone, by name. Here it also finds what it never
    lists: no page that shows the configuration names a day."""

    def __init__(self, config: dict[str, Any], configure: Callable[[str, dict[str, Any]], dict[str, Any]]) -> None:
        super().__init__(config.get("databases") or {})
        self._plugins = config.get("plugins") or {}
        self._configure = configure

    def get(self, name: str, default: Any = None) -> Any:
        given = super().get(name) or {}
        found = self._configure(name, given)
        if found is given:
            return super().get(name, default)
        # 1.0a41 forgets a plugin's own settings for a database that has any configuration.
        return {**found, "plugins": {**self._plugins, **(given.get("plugins") or {})}}


def configure_databases(datasette: Any, configure: Callable[[str, dict[str, Any]], dict[str, Any]]) -> None:
    """1.0: from now on a database's configuration is `configure(name, what the site gives it)`; the same where it has
    nothing to add."""
    config = getattr(datasette, "config", None)
    if isinstance(config, dict):
        datasette.config = {**config, "databases": _ConfiguredDatabases(config, configure)}


async def take_titles_from_config(datasette: Any) -> None:
    """1.0 takes titles from `-m` alone: where it was given none, those of the file given with `-c` count."""
    config = getattr(datasette, "config", None)
    if not isinstance(config, dict):
        return
    there = await datasette.get_instance_metadata()
    for key in ("title", "description"):
        if isinstance(config.get(key), str) and key not in there:
            await datasette.set_instance_metadata(key, config[key])


def metadata_of_site(datasette: Any, name: str) -> dict[str, Any]:
    """0.65: what the site's own metadata says of a database."""
    databases = datasette._metadata_local.get("databases") or {}
    found: dict[str, Any] = databases.get(name) or {}
    return found
