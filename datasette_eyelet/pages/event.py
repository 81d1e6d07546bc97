"""`/-/eyelet/event/<context>/<id>`: one event whole, and the same as JSON."""

import asyncio
import re
from datetime import timezone
from typing import Any
from urllib.parse import unquote

from datasette_eyelet import around, day_table, detail, instance, responses, rows
from datasette_eyelet.answer import placed
from datasette_eyelet.json_text import pretty
from datasette_eyelet.links import Links, is_linkable
from datasette_eyelet.query import checked_pairs
from datasette_eyelet.row_json import row_json
from datasette_eyelet.scope import Scope
from datasette_eyelet.visible import visible
from eyelet_ingest.ranges import zone
from eyelet_ingest.store.layout import safe_context
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.store import Store

# A browser stalls on more; the JSON beside the page is always whole.
PAGE_MAX_CHARS = 2_000_000
PART_MAX_CHARS = 200_000  # of what a tool was given or answered

_ID = re.compile(r"\d{1,16}", re.ASCII)


async def view(datasette: Any, request: Any, seen: frozenset[str] | None) -> Any:
    found = await row(datasette, request, seen)
    if found is None:
        return await unknown(datasette, request, as_json=False)
    pairs = checked_pairs(request.args)
    given = dict(pairs)
    links = Links(datasette, tuple(pair for pair in pairs if pair[0] != "_next"), given.get("_next", ""))
    store = instance.of(datasette).store_for(seen)
    context = await asyncio.to_thread(_context, store, found, links, given.get("tz", ""))
    over = day_table.scope_for(datasette, seen, (rows.text(found["context_name"]),))
    context["table_url"] = _table_url(found, links, over) if over is not None else ""
    return await responses.page(datasette, request, "event.html", context)


async def json_view(datasette: Any, request: Any, seen: frozenset[str] | None) -> Any:
    found = await row(datasette, request, seen)
    if found is None:
        return await unknown(datasette, request, as_json=True)
    links = rows.json_links(found, Links(datasette, ()))
    body = await asyncio.to_thread(row_json, found, full=True, links=links)
    return responses.json_text(f'{{"ok": true, "row": {body}}}')


async def row(datasette: Any, request: Any, seen: frozenset[str] | None) -> dict[str, object] | None:
    """The whole event that the address names; None where there is none that may be seen."""
    context, event_id = unquote(request.url_vars["context"]), request.url_vars["id"]
    if not _ID.fullmatch(event_id) or safe_context(context) != context:
        return None
    store = instance.of(datasette).store_for(seen)
    return await asyncio.to_thread(_read, store, context, int(event_id))


def _read(store: Store, context: str, event_id: int) -> dict[str, object] | None:
    row = store.event(context, event_id)
    if row is None:
        return None
    store.resolve([row])
    return placed(row, store.root)


def _context(store: Store, row: dict[str, object], links: Links, tz_name: str) -> dict[str, object]:
    """All that the template shows. The search's parameters in the URL say where the way back leads, nothing else."""
    meta, data = rows.text(row["meta"]), detail.whole(row)
    tz = zone(tz_name)
    at = rows.moment(row["id"], tz)
    context = ("context", rows.text(row["context_name"]))

    def ever(name: str, value: str) -> str:
        return links.search((("range", "all"), *links.tz, (name, value)))

    def ever_without(name: str, value: str) -> str:
        return ever(f"-{name}", value)

    opened = detail.detail(row, store.calls_at(context[1], int(str(row["id"]))), links, tz, Filter(), PART_MAX_CHARS)
    [entry] = store.entries_of([{**row, "data": data[: rows.CUT_CHARS]}])
    return {
        "row": rows.row_view(entry.row, links, tz, entry),
        "detail": opened,
        "at": at,
        "tz": "UTC" if tz is timezone.utc else tz_name,
        "fields": rows.fields(row, ever, ever_without, every=True),
        "payload": visible(pretty(data[:PAGE_MAX_CHARS])),
        "payload_is_cut": len(data) > PAGE_MAX_CHARS,
        "meta": visible(pretty(meta[:PAGE_MAX_CHARS])),
        "around": around.around(store, row, links, tz, same_session=False),
        "of_session": around.around(store, row, links, tz, same_session=True),
        "here": around.here(row),
        "back_url": links.here(),
        "day_url": links.search((*links.tz, context, ("from", at[:10]), ("to", at[:10]))),
        "alternate_url_json": links.event_json(context[1], int(str(row["id"]))),
    }


def _table_url(row: dict[str, object], links: Links, over: Scope) -> str:
    """The table over all days, of the event's session, or where it has none of what led up to the event."""
    context, session = (rows.text(row[name]) for name in ("context_name", "session_id"))
    if is_linkable(session):
        return day_table.url_over_days(links, Filter(contexts=(context,), session_id=(session,)), over)
    return day_table.url_over_days(links, Filter(contexts=(context,), until_us=int(str(row["id"])) + 1), over)


async def unknown(datasette: Any, request: Any, *, as_json: bool) -> Any:
    return await responses.problem(
        datasette,
        request,
        status=404,
        title="No such event",
        reason="there is no event of this context and id: it was never recorded, or its day was removed",
        as_json=as_json,
    )
