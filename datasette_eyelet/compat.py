"""The only file that knows two Datasette versions exist: 0.65 and the 1.0 alphas.

The hook implementations here import `permissions` when they are called: it asks this file in turn.
"""

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
