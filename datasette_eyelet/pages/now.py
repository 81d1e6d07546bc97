"""`/-/eyelet/now`: what each session of the last hours does, waits for and failed at; `.json` for programs.

The page refreshes itself: with JavaScript the part that changes, without it the page.
"""

import asyncio
import json
import time
from collections.abc import Iterable
from typing import Any

from datasette_eyelet import instance, listed, responses
from datasette_eyelet.instance import Instance
from datasette_eyelet.links import NOW, Links
from datasette_eyelet.listed import SessionView
from datasette_eyelet.query import Query, parse
from datasette_eyelet.truth import truth
from eyelet_ingest import session_state
from eyelet_ingest.ranges import resolve, zone
from eyelet_ingest.session_state import ENDED, IDLE, SILENT, WAITING, WORKING
from eyelet_ingest.store.sessions import Sessions
from eyelet_ingest.store.store import Store

DEFAULT_RANGE = "3h"
SHOWN_RANGES = {"15m": "15 minutes", "1h": "hour", "3h": "3 hours", "12h": "12 hours"}
SESSIONS_MOST = 100
DEADLINE_MS = 2_000
REFRESH_S = 5
REFRESH_WITHOUT_SCRIPT_S = 30
GROUPS = (
    (WAITING, "Waits for you"),
    (WORKING, "Works"),
    (IDLE, "Idle: its turn is over"),
    (SILENT, "Silent: nothing was heard for a while"),
    (ENDED, "Ended"),
)


async def view(datasette: Any, request: Any, seen: frozenset[str] | None) -> Any:
    now_us = time.time_ns() // 1_000
    held = instance.of(datasette)
    query = of_now(parse(request.args, now_us), now_us)
    links = Links(datasette, query.pairs)
    context = await asyncio.to_thread(_context, held, held.store_for(seen), query, links, now_us)
    return await responses.page(datasette, request, "now.html", context)


async def json_view(datasette: Any, request: Any, seen: frozenset[str] | None) -> Any:
    now_us = time.time_ns() // 1_000
    held = instance.of(datasette)
    query = of_now(parse(request.args, now_us), now_us)
    links = Links(datasette, ())

    def made() -> str:
        found = active(held, held.store_for(seen), query, now_us)
        body = {
            "ok": True,
            "now_us": now_us,
            "rows": [listed.as_json(one, links, now_us) for one in found.rows],
            "complete": found.complete and found.next is None,
            "partitions": found.partitions.as_json(),
            "elapsed_ms": found.elapsed_ms,
        }
        return json.dumps(body)

    return responses.json_text(await asyncio.to_thread(made))


def of_now(query: Query, now_us: int) -> Query:
    return query if query.range_asked else query.over(resolve(range=DEFAULT_RANGE, tz=query.range.tz, now_us=now_us))


def active(held: Instance, store: Store, query: Query, now_us: int) -> Sessions:
    """The sessions that did something in the range, SESSIONS_MOST at most."""
    held.drain_when_due()
    return store.sessions(query.where, limit=SESSIONS_MOST, tokens=False, deadline_ms=DEADLINE_MS, now_us=now_us)


def grouped(views: Iterable[SessionView]) -> list[tuple[str, str, list[SessionView]]]:
    """By what they do, those first that need somebody: state, heading, sessions."""
    held: dict[str, list[SessionView]] = {name: [] for name in session_state.STATES}
    for one in views:
        if one.state:
            held[one.state].append(one)
    return [(name, label, held[name]) for name, label in GROUPS if held[name]]


def _context(held: Instance, store: Store, query: Query, links: Links, now_us: int) -> dict[str, object]:
    """All that the template shows. Not for the event loop."""
    found = active(held, store, query, now_us)
    tz = zone(query.range.tz)
    views = [listed.view(one, links, _no_filter, tz, now_us) for one in found.rows]
    rest = tuple(pair for pair in links.pairs if pair[0] not in ("range", "from", "to"))
    current = dict(query.pairs).get("range", DEFAULT_RANGE)
    return {
        "groups": grouped(views),
        "waiting": sum(one.state == WAITING for one in views),
        "working": sum(one.state == WORKING for one in views),
        "has_more": found.next is not None,
        "is_complete": found.complete,
        "ranges": [
            (name, f"the last {said}", links.to(NOW, (*rest, ("range", name))), name == current)
            for name, said in SHOWN_RANGES.items()
        ],
        "label": query.range.label,
        "refresh_s": REFRESH_S,
        "refresh_without_script_s": REFRESH_WITHOUT_SCRIPT_S,
        "truth": truth(found.partitions, found.elapsed_ms),
        "here_url": links.to(NOW, links.pairs),
        "alternate_url_json": links.to(f"{NOW}.json", links.pairs),
    }


def _no_filter(name: str, value: str) -> str:
    return ""
