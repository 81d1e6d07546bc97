"""The Datasette plugin: hook implementations only.

pluggy ignores the hooks that the running Datasette does not have, so those of 0.65 and of 1.0 stand side by side;
those of permissions come from `compat`.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from pluggy import HookimplMarker

from datasette_eyelet import instance, permissions, routes, sign_in
from datasette_eyelet.compat import actions_of_1_0, permissions_of_0_65, permissions_of_1_0
from datasette_eyelet.links import SEARCH
from datasette_eyelet.visible import visible

__all__ = ["actions_of_1_0", "permissions_of_0_65", "permissions_of_1_0"]

hookimpl = HookimplMarker("datasette")


@hookimpl
def register_commands(cli: Any) -> None:
    """`datasette eyelet …`: the third door to the one command group, and all that this package takes of it."""
    from eyelet_ingest.cli import cli as eyelet

    cli.add_command(eyelet, name="eyelet")


@hookimpl
def startup(datasette: Any) -> Callable[[], Awaitable[None]]:
    async def start() -> None:
        await instance.start(datasette)
        sign_in.start(datasette)

    return start


@hookimpl
def shutdown(datasette: Any) -> None:
    """Datasette 1.0."""
    instance.stop(datasette)


@hookimpl
def register_routes(datasette: Any) -> list[tuple[str, Callable[..., Awaitable[Any]]]]:
    return routes.ROUTES


@hookimpl
def asgi_wrapper(datasette: Any) -> Callable[[Any], Any]:
    return sign_in.landing_on_search(datasette)


@hookimpl
def menu_links(datasette: Any, actor: dict[str, Any] | None) -> Callable[[], Awaitable[list[dict[str, str]]]]:
    async def links() -> list[dict[str, str]]:
        if not await permissions.may_view(datasette, actor):
            return []
        return [{"href": datasette.urls.path(SEARCH), "label": "Eyelet"}]

    return links


@hookimpl
def prepare_jinja2_environment(env: Any) -> None:
    env.filters["visible"] = visible
