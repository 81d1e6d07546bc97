"""`/-/eyelet/health/day/<context>/<date>`: the figures of one day, and buttons that mend it; `.json` for programs.

For who may see the day's context; the buttons for who may administer that. They are POSTs, each audited before it is
done.
"""

import asyncio
import time
from dataclasses import replace
from datetime import date
from typing import Any
from urllib.parse import quote, unquote

from datasette import Response

from datasette_eyelet import day_health, health_view, instance, permissions, responses
from datasette_eyelet.api.door import who
from datasette_eyelet.day_health import DayHealth
from datasette_eyelet.links import HEALTH, Links
from datasette_eyelet.problems import problem
from eyelet_ingest.errors import BadInput
from eyelet_ingest.store import connect, layout
from eyelet_ingest.store.checkpoint import MODES
from eyelet_ingest.store.layout import PartitionKey, key_from_parts
from eyelet_ingest.store.sealing import is_finished

FORM = ("csrftoken", "do", "mode")

Seen = frozenset[str] | None


async def view(datasette: Any, request: Any, seen: Seen) -> Any:
    key = _key(request, seen)
    may = key is not None and await permissions.may(datasette, request.actor, permissions.ADMIN, key.context)
    if key is not None and request.method == "POST":
        return await _changed(datasette, request, key, may)
    found = await _found(datasette, key) if key is not None else None
    if found is None or key is None:
        return await _unknown(datasette, request, as_json=False)
    links = Links(datasette, ())
    context = _context(found, key, links, may, await permissions.may(datasette, request.actor, permissions.ADMIN))
    return await responses.page(datasette, request, "health_day.html", context)


async def json_view(datasette: Any, request: Any, seen: Seen) -> Any:
    key = _key(request, seen)
    found = await _found(datasette, key) if key is not None else None
    if found is None or key is None:
        return await _unknown(datasette, request, as_json=True)
    may = await permissions.may(datasette, request.actor, permissions.ADMIN, key.context)
    return responses.json_text(day_health.text_of(found, may))


def _key(request: Any, seen: Seen) -> PartitionKey | None:
    """The day that the address names; None where it names none, or one that may not be seen."""
    context, text = unquote(request.url_vars["context"]), request.url_vars["date"]
    try:
        day = date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        day = None
    if day is None or (seen is not None and context not in seen):
        return None
    return key_from_parts(context, f"{day.year:04d}", f"{day.timetuple().tm_yday:03d}")


async def _found(datasette: Any, key: PartitionKey) -> DayHealth | None:
    held = instance.of(datasette)
    return await asyncio.to_thread(day_health.of, held, key, held.health.last)


async def _unknown(datasette: Any, request: Any, as_json: bool) -> Any:
    reason = "no day of this context and date is there, or you may not see it"
    return await problem(datasette, request, as_json, 404, "No such day", reason)


def _context(found: DayHealth, key: PartitionKey, links: Links, may: bool, may_all: bool) -> dict[str, object]:
    here = _path(links, key)
    return {
        "context": key.context,
        "date": key.date,
        "facts": day_health.facts(found),
        "error": day_health.error_of(found, may),
        "troubles": found.troubles if may else (),
        "damages": [health_view.shown(one) for one in found.damages],
        "findings": [
            health_view.finding(one if may else replace(one, fix=""), {}, lambda _: "") for one in found.findings
        ],
        "looked_at": health_view.moment(found.looked_us) if found.looked_us is not None else "",
        "may_change": may and not found.day.only_archived,
        "is_finished": found.day.sealed_us is not None or _is_over(key),
        "modes": MODES,
        "here_url": here,
        "health_url": links.to(HEALTH) if may_all else "",
        "table_url": links.table(key),
        "search_url_of_day": links.search((("from", key.date), ("to", key.date), ("context", key.context))),
        "alternate_url_json": f"{here}.json",
    }


async def _changed(datasette: Any, request: Any, key: PartitionKey, may: bool) -> Any:
    if not may:
        reason = "eyelet-admin is not granted for this context: the plugin's setting `admin` gives it"
        return await problem(datasette, request, False, 403, "You may not change this day", reason)
    said = await request.post_vars()
    for name in said:
        if name not in FORM:
            raise BadInput("change", reason=f"the form has no field {name[:60]!r}", hint=", ".join(FORM))
    held = instance.of(datasette)
    if not await asyncio.to_thread(connect.is_there, layout.db_path(held.root, key)):
        return await _unknown(datasette, request, as_json=False)
    told, is_bad = await held.apart(day_health.do, held, key, said.get("do", ""), said.get("mode", ""), who(request))
    held.health.forget()
    held.health.refresh()  # for the findings on the page that follows, or the one after it
    health_view.told(datasette, request, [told], is_bad)
    return Response.redirect(_path(Links(datasette, ()), key))


def _path(links: Links, key: PartitionKey) -> str:
    return links.to(f"{HEALTH}/day/{quote(key.context, safe='')}/{key.date}")


def _is_over(key: PartitionKey) -> bool:
    return is_finished(key, time.time_ns() // 1_000)
