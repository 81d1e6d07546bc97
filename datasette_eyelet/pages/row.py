"""`/-/eyelet/row/<context>/<id>`: what a row of the list opens to, as HTML without a page around it; and below it
`/around` and `/around/session`, the events before and after it, of its session alone or all."""

import asyncio
import time
from typing import Any

from datasette_eyelet import around, detail, instance, responses, rows
from datasette_eyelet.links import Links
from datasette_eyelet.pages import event
from datasette_eyelet.query import Query, parse
from eyelet_ingest.ranges import zone
from eyelet_ingest.store.calls import STATUSES
from eyelet_ingest.store.store import Store


async def view(datasette: Any, request: Any, seen: frozenset[str] | None) -> Any:
    row = await event.row(datasette, request, seen)
    if row is None:
        return await event.unknown(datasette, request, as_json=False)
    query, links = _asked(datasette, request)
    store = instance.of(datasette).store_for(seen)
    opened = await asyncio.to_thread(_opened, store, row, links, query)
    return await responses.fragment(datasette, request, "detail.html", {"detail": opened})


async def around_view(datasette: Any, request: Any, seen: frozenset[str] | None) -> Any:
    row = await event.row(datasette, request, seen)
    if row is None:
        return await event.unknown(datasette, request, as_json=False)
    query, links = _asked(datasette, request)
    store = instance.of(datasette).store_for(seen)
    alone = bool(request.url_vars["which"])
    found = await asyncio.to_thread(around.around, store, row, links, zone(query.range.tz), same_session=alone)
    return await responses.fragment(datasette, request, "around.html", {"around": found, "here": around.here(row)})


def _asked(datasette: Any, request: Any) -> tuple[Query, Links]:
    """The search that the row was found by, which the ways on keep."""
    query = parse(request.args, time.time_ns() // 1_000, STATUSES)
    return query, Links(datasette, query.pairs, query.page)


def _opened(store: Store, row: dict[str, object], links: Links, query: Query) -> detail.Detail:
    calls = store.calls_at(rows.text(row["context_name"]), int(str(row["id"])))
    return detail.detail(row, calls, links, zone(query.range.tz), query.where)
