"""The only file that knows two Datasette versions exist: 0.65 and the 1.0 alphas.

The hook implementations here import `permissions` when they are called: it asks this file in turn.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click
from datasette.plugins import pm
from datasette.utils import StartupError, await_me_maybe
from datasette.utils.asgi import Request
from pluggy import HookimplMarker

hookimpl = HookimplMarker("datasette")


class WrongSetting(StartupError, click.ClickException):  # type: ignore[misc]  # Datasette has no types
    """Stops the server with one line: 1.0 turns a StartupError into it, in 0.65 nobody does but click itself."""


async def allowed(datasette: Any, actor: dict[str, Any] | None, action: str) -> bool:
    """What Datasette, with every plugin's and setting's say, answers; nobody is allowed by default."""
    if hasattr(datasette, "allowed"):
        return bool(await datasette.allowed(action=action, actor=actor))
    return bool(await datasette.permission_allowed(actor, action, default=False))


@hookimpl(specname="permission_allowed")
def permissions_of_0_65(datasette: Any, actor: dict[str, Any] | None, action: str) -> bool | None:
    """True where this actor may, None where we have no say. In 0.65 nobody grants root a plugin's action for us."""
    from datasette_eyelet import permissions

    if action not in permissions.ACTIONS:
        return None
    is_root = actor is not None and actor.get("id") == "root"
    return True if is_root or permissions.granted_by_settings(datasette, actor, action) else None


@hookimpl(specname="register_actions")
def actions_of_1_0() -> list[Any]:
    from datasette.permissions import Action

    from datasette_eyelet import permissions

    return [Action(name=name, description=description) for name, description in permissions.ACTIONS.items()]


@hookimpl(specname="permission_resources_sql")
def permissions_of_1_0(datasette: Any, actor: dict[str, Any] | None, action: str) -> Any:
    """A yes with its reason, or None. 1.0 grants everything to its root user by itself."""
    from datasette.permissions import PermissionSQL

    from datasette_eyelet import permissions

    if permissions.granted_by_settings(datasette, actor, action):
        return PermissionSQL.allow(reason=f"the allow block of the plugin {permissions.PLUGIN}")
    return None


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
    for answer in pm.hook.actor_from_request(datasette=datasette, request=Request(scope, None)):
        actor = await await_me_maybe(answer)
        if actor:
            return bool(actor.get("id") == "root")
    return False


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

    def __init__(self, given: dict[str, Any], configure: Callable[[str, dict[str, Any]], dict[str, Any]]) -> None:
        super().__init__(given)
        self._configure = configure

    def get(self, name: str, default: Any = None) -> Any:
        found = self._configure(name, super().get(name) or {})
        return found or super().get(name, default)


def configure_databases(datasette: Any, configure: Callable[[str, dict[str, Any]], dict[str, Any]]) -> None:
    """1.0: from now on a database's configuration is `configure(name, what the site gives it)`."""
    config = getattr(datasette, "config", None)
    if isinstance(config, dict):
        given = config.get("databases") or {}
        datasette.config = {**config, "databases": _ConfiguredDatabases(given, configure)}


async def take_titles_from_config(datasette: Any) -> None:
    """1.0 takes titles from `-m` alone: where it was given none, those of the file given with `-c` count."""
    config = getattr(datasette, "config", None)
    if not isinstance(config, dict):
        return
    there = await datasette.get_instance_metadata()
    for key in ("title", "description"):
        if isinstance(config.get(key), str) and key not in there:
            await datasette.set_instance_metadata(key, config[key])
