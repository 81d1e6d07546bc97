"""The databases over the days of one context: there for the request that asks for one and for no other, as days are."""

from functools import partial
from typing import Any

from datasette_eyelet import compat, instance, queries
from datasette_eyelet.eyelet_database import EyeletDatabase
from datasette_eyelet.scope import Scope
from eyelet_ingest.errors import EyeletError

MAX_MOUNTED = 16  # that stay ready between requests


async def mount(datasette: Any, scope: Scope) -> EyeletDatabase | None:
    """The database of this scope, mounted, and staying so while its name is pinned; None where there is no such
    context. Of the event loop."""
    held = instance.of(datasette)
    mounted = held.days.over_days
    try:
        is_there = scope.context in held.store.contexts()
    except EyeletError:
        is_there = False
    if not is_there:
        await _unmount(datasette, scope.name)
        return None
    if scope.name not in mounted:
        database = EyeletDatabase(datasette, scope)
        await compat.catalog_day(datasette, database, partial(mounted.setdefault, scope.name, database))
        await queries.add_to(datasette, scope.name)
    found: EyeletDatabase = mounted[scope.name]
    mounted.move_to_end(scope.name)
    for name in list(mounted)[: max(len(mounted) - MAX_MOUNTED, 0)]:
        if name not in held.days.pins:
            await _unmount(datasette, name)
    return found


async def _unmount(datasette: Any, name: str) -> None:
    database = instance.of(datasette).days.over_days.pop(name, None)
    if database is not None:
        database.close()
        await queries.remove_from(datasette, name)
        await compat.uncatalog_day(datasette, name)
