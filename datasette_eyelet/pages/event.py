"""`/-/eyelet/event/<context>/<id>`: one event whole, and the same as JSON."""

import asyncio
import re
from typing import Any
from urllib.parse import unquote

from datasette_eyelet import instance, responses, rows
from datasette_eyelet.json_text import pretty
from datasette_eyelet.links import Links
from datasette_eyelet.row_json import row_json
from datasette_eyelet.visible import visible
from eyelet_ingest.ranges import zone
from eyelet_ingest.store.layout import safe_context

# A browser stalls on more; the JSON beside the page is always whole.
PAGE_MAX_CHARS = 2_000_000

_ID = re.compile(r"\d{1,16}", re.ASCII)


async def view(datasette: Any, request: Any) -> Any:
    row = await _row(datasette, request)
    if row is None:
        return await _unknown(datasette, request, as_json=False)
    links = Links(datasette, ())
    context = await asyncio.to_thread(_context, row, links)
    return await responses.page(datasette, request, "event.html", context)


async def json_view(datasette: Any, request: Any) -> Any:
    row = await _row(datasette, request)
    if row is None:
        return await _unknown(datasette, request, as_json=True)
    body = await asyncio.to_thread(row_json, row, full=True)
    return responses.json_text(f'{{"ok": true, "row": {body}}}')


async def _row(datasette: Any, request: Any) -> dict[str, object] | None:
    context, event_id = unquote(request.url_vars["context"]), request.url_vars["id"]
    if not _ID.fullmatch(event_id) or safe_context(context) != context:
        return None
    return await asyncio.to_thread(instance.of(datasette).store.event, context, int(event_id))


def _context(row: dict[str, object], links: Links) -> dict[str, object]:
    data, meta, session = rows.text(row["data"]), rows.text(row["meta"]), rows.text(row["session_id"])
    utc = zone("UTC")
    at = rows.moment(row["id"], utc)
    context = ("context", rows.text(row["context_name"]))
    return {
        "row": rows.row_view({**row, "data": data[: rows.CUT_CHARS]}, links, utc),
        "at": at,
        "fields": rows.fields(row, lambda name, value: links.search((("range", "all"), (name, value))), every=True),
        "payload": visible(pretty(data[:PAGE_MAX_CHARS])),
        "payload_is_cut": len(data) > PAGE_MAX_CHARS,
        "meta": visible(pretty(meta[:PAGE_MAX_CHARS])),
        "day_url": links.search((context, ("from", at[:10]), ("to", at[:10]))),
        "session_url": links.search((("range", "all"), ("session", session))) if session else "",
        "alternate_url_json": links.event(rows.text(row["context_name"]), int(str(row["id"])), ".json"),
    }


async def _unknown(datasette: Any, request: Any, *, as_json: bool) -> Any:
    return await responses.problem(
        datasette,
        request,
        status=404,
        title="No such event",
        reason="there is no event of this context and id: it was never recorded, or its day was removed",
        as_json=as_json,
    )
