"""The Datasette plugin: hook implementations only.

pluggy ignores the hooks that the running Datasette does not have, so those of 0.65 and of 1.0 stand side by side;
those of permissions come from `compat`.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from pluggy import HookimplMarker

from datasette_eyelet import (
    actions,
    background,
    cells,
    compat,
    coverage,
    day_gate,
    day_table,
    describe,
    eyelet_database,
    front,
    instance,
    mounts,
    navigation,
    permissions,
    queries,
    responses,
    routes,
    sign_in,
    text_function,
    token_actor,
)
from datasette_eyelet.api import hook_gate
from datasette_eyelet.compat import actions_of_1_0, permissions_of_0_65, permissions_of_1_0
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
        await eyelet_database.register(datasette)
        sign_in.start(datasette)
        compat.configure_databases(datasette, partial(describe.configured, datasette))
        await compat.take_titles_from_config(datasette)

    return start


@hookimpl
def shutdown(datasette: Any) -> None:
    """Datasette 1.0."""
    instance.stop(datasette)


@hookimpl
def canned_queries(datasette: Any, database: str) -> dict[str, dict[str, Any]]:
    """Datasette 0.65. In 1.0 the queries of a database are entered when it is mounted."""
    return queries.canned(database) if describe.has_events(datasette, database) else {}


@hookimpl
def get_metadata(datasette: Any) -> dict[str, Any]:
    """Datasette 0.65. Of the day that the running request reads, and of no other."""
    return describe.metadata(datasette)


@hookimpl(tryfirst=True)
def actor_from_request(datasette: Any, request: Any) -> Callable[[], Awaitable[Any]] | None:
    """First: who shows a token of ours is its actor, whatever else the request carries."""
    return partial(token_actor.of_request, datasette, request) if token_actor.said_by(request) else None


@hookimpl
def register_routes(datasette: Any) -> list[tuple[str, Callable[..., Awaitable[Any]]]]:
    return routes.ROUTES


@hookimpl
def asgi_wrapper(datasette: Any) -> Callable[[Any], Any]:
    gate, landing = day_gate.guarding_days(datasette), sign_in.landing_on_search(datasette)
    return lambda app: landing(gate(app))


@hookimpl(specname="asgi_wrapper")
def stopping_at_the_end(datasette: Any) -> Callable[[Any], Any]:
    return instance.stopping_at_the_end(datasette)


@hookimpl(tryfirst=True)
def handle_exception(datasette: Any, request: Any, exception: Exception) -> Awaitable[Any]:
    return day_gate.unreadable_day(datasette, request, exception)


@hookimpl
def menu_links(datasette: Any, actor: dict[str, Any] | None) -> Callable[[], Awaitable[list[dict[str, str]]]]:
    async def links() -> list[dict[str, str]]:
        if not await permissions.may_view_any(datasette, actor):
            return []
        may_administer = await permissions.may(datasette, actor, permissions.ADMIN)
        return [
            {"href": datasette.urls.path(path), "label": "Eyelet" if name == "search" else f"Eyelet: {label.lower()}"}
            for name, label, path in (*navigation.ENTRIES, *(navigation.ADMINISTERED if may_administer else ()))
        ]

    return links


@hookimpl(specname="asgi_wrapper", tryfirst=True)
def taking_hooks(datasette: Any) -> Callable[[Any], Any]:
    """First, so that it is the innermost: other plugins' wrappers see every hook."""
    return hook_gate.taking_hooks(datasette)


@hookimpl(specname="asgi_wrapper")
def keeping_the_rounds(datasette: Any) -> Callable[[Any], Any]:
    return background.keeping(datasette)


@hookimpl(specname="asgi_wrapper")
def knowing_the_page(datasette: Any) -> Callable[[Any], Any]:
    return cells.knowing_the_page(datasette)


@hookimpl
def render_cell(row: Any, value: Any, column: str, table: str | None, database: str, datasette: Any) -> Any:
    return cells.render(row, value, column, table, database, datasette)


@hookimpl(specname="render_cell")
def link_to_day(value: Any, column: str, database: str, datasette: Any) -> Any:
    return eyelet_database.day_link(datasette, database, column, value)


@hookimpl
def extra_template_vars(
    view_name: str | None, request: Any, datasette: Any
) -> Callable[[], Awaitable[dict[str, Any]]] | None:
    if view_name != "index":
        return None
    return lambda: front.template_vars(datasette, request)


@hookimpl
def extra_css_urls(datasette: Any, database: str | None) -> list[str]:
    is_ours = database is not None and mounts.is_ours(datasette, database)
    return [responses.static_urls(datasette)["day_css"]] if is_ours else []


@hookimpl
def filters_from_request(datasette: Any, database: str, table: str, request: Any) -> Any:
    return day_table.filter_arguments(datasette, database, table, request)


@hookimpl
def prepare_connection(conn: Any, database: str, datasette: Any) -> None:
    text_function.register(datasette, conn, database)


@hookimpl
def database_actions(datasette: Any, database: str) -> list[dict[str, str]]:
    return actions.of_database(datasette, database)


@hookimpl
def table_actions(datasette: Any, database: str, table: str, request: Any) -> list[dict[str, str]]:
    return actions.of_table(datasette, database, table, request)


@hookimpl
def row_actions(datasette: Any, database: str, table: str, row: Any) -> list[dict[str, str]]:
    """Datasette 1.0."""
    return actions.of_row(datasette, database, table, row)


@hookimpl(specname="top_database")
def coverage_of_database(datasette: Any, database: str) -> str:
    """Datasette 1.0. In 0.65 the description says it."""
    return coverage.said(datasette, database)


@hookimpl(specname="top_table")
def coverage_of_table(datasette: Any, database: str, table: str) -> str:
    """Datasette 1.0. The list of days is whole."""
    return "" if table == "partitions" else coverage.said(datasette, database)


@hookimpl(specname="top_query")
def coverage_of_query(datasette: Any, database: str) -> str:
    """Datasette 1.0."""
    return coverage.said(datasette, database)


@hookimpl
def prepare_jinja2_environment(env: Any) -> None:
    env.filters["visible"] = visible
