"""The only file that knows two Datasette versions exist: 0.65 and the 1.0 alphas."""

from collections.abc import Mapping
from typing import Any


async def allowed(datasette: Any, actor: dict[str, Any] | None, action: str) -> bool:
    """What Datasette, with every plugin's and setting's say, answers; nobody is allowed by default."""
    if hasattr(datasette, "allowed"):
        return bool(await datasette.allowed(action=action, actor=actor))
    return bool(await datasette.permission_allowed(actor, action, default=False))


def actions(named: Mapping[str, str]) -> list[Any]:
    """1.0: our actions, name → description, as Datasette registers them."""
    from datasette.permissions import Action

    return [Action(name=name, description=description) for name, description in named.items()]


def permission_sql(reason: str) -> Any:
    """1.0: a yes, with its reason for `/-/rules`."""
    from datasette.permissions import PermissionSQL

    return PermissionSQL.allow(reason=reason)


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


def root_token(datasette: Any) -> str | None:
    """The token of the sign-in link, None once it was used. Both versions print it and offer no other way to it."""
    token: str | None = datasette._root_token
    return token
