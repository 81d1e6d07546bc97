"""`/-/eyelet/row/<context>/<id>`: what a row of the list opens to, as HTML without a page around it; and below it
`/around`, the events before and after it."""

import asyncio
from datetime import tzinfo
from typing import Any

from datasette_eyelet import detail, instance, responses, rows
from datasette_eyelet.links import Links
from datasette_eyelet.pages import event
from datasette_eyelet.query import Query, parse
from eyelet_ingest.ranges import zone
from eyelet_ingest.store.store import Store

AROUND = 20
AROUND_MS = 2_000


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
    context = await asyncio.to_thread(around, store, row, links, zone(query.range.tz), "session" in request.args)
    return await responses.fragment(datasette, request, "around.html", context)


def _asked(datasette: Any, request: Any) -> tuple[Query, Links]:
    """The search that the row was found by, which the ways on keep."""
    import time

    query = parse(request.args, time.time_ns() // 1_000)
    return query, Links(datasette, query.pairs, query.page)


def _opened(store: Store, row: dict[str, object], links: Links, query: Query) -> detail.Detail:
    calls = store.calls_at(rows.text(row["context_name"]), int(str(row["id"])))
    return detail.detail(row, calls, links, zone(query.range.tz), query.where)


def around(store: Store, row: dict[str, object], links: Links, tz: tzinfo, same_session: bool) -> dict[str, object]:
    """What the template of the events around one shows. Not for the event loop."""
    context, event_id = rows.text(row["context_name"]), int(str(row["id"]))
    found = store.around(
        context, event_id, before=AROUND, after=AROUND, same_session=same_session, deadline_ms=AROUND_MS
    )
    views = []
    if found is not None:
        store.resolve([*found.before, *found.after])
        views = [rows.row_view(one, links, tz) for one in (*found.before, found.row, *found.after)]
    return {"around": views, "here": f"{context}-{event_id}", "same_session": same_session}
