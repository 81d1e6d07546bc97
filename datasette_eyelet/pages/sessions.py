"""`/-/eyelet/sessions`: every session with what it was begun for and what it adds up to; `.json` for programs."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

from datasette_eyelet import instance, listed, responses
from datasette_eyelet.instance import Instance
from datasette_eyelet.links import SESSIONS, Links, Pairs
from datasette_eyelet.query import BadParameter, Query, known_pairs, parse
from datasette_eyelet.truth import truth
from datasette_eyelet.visible import one_line, visible
from eyelet_ingest import redactors
from eyelet_ingest.errors import BadInput
from eyelet_ingest.ranges import RANGES, resolve, zone
from eyelet_ingest.store.select import Filter
from eyelet_ingest.store.sessions import Sessions
from eyelet_ingest.store.store import Store

DEFAULT_RANGE = "7d"
DEFAULT_SIZE = 50
DEADLINE_MS = 2_000  # of a page; what there was no time for is left out, and said
JSON_DEADLINE_MS = 20_000
OFFERED_MS = 150  # for what the filters offer
OFFERED = {"project": "project_dir", "agent": "agent", "branch": "git_branch"}
OFFERED_MOST = 100
RANGE_MAX_CHARS = 40  # as somebody wrote it
SHOWN_RANGES = ("today", "yesterday", "24h", "7d", "30d", "all")
CONTROLS = ("q", "project", "agent", "branch", "context")  # of the form; every other condition travels with it


async def view(datasette: Any, request: Any, seen: frozenset[str] | None) -> Any:
    now_us = time.time_ns() // 1_000
    held = instance.of(datasette)
    store = held.store_for(seen)
    try:
        query = of_sessions(parse(request.args, now_us), now_us)
        links = Links(datasette, query.pairs, query.page)
        context = await asyncio.to_thread(_context, held, store, query, links, now_us)
        return await responses.page(datasette, request, "sessions.html", context)
    except BadInput as error:
        wrong = error.name if isinstance(error, BadParameter) else ""
        pairs = tuple(pair for pair in known_pairs(request.args) if pair[0] != "_next")
        links = Links(datasette, tuple(pair for pair in pairs if pair[0] != wrong))
        context = {
            **await asyncio.to_thread(_form, store, pairs, links, Filter()),
            "reason": visible(redactors.message(str(error))),
            "wrong": wrong,
        }
        return await responses.page(datasette, request, "sessions.html", context, status=400)


async def json_view(datasette: Any, request: Any, seen: frozenset[str] | None) -> Any:
    now_us = time.time_ns() // 1_000
    held = instance.of(datasette)
    query = of_sessions(parse(request.args, now_us), now_us)
    links = Links(datasette, ())

    def made() -> str:
        found = _found(held, held.store_for(seen), query, JSON_DEADLINE_MS, now_us)
        body = {
            "ok": True,
            "rows": [listed.as_json(one, links, now_us) for one in found.rows],
            "next": query.cursor(found.next) if found.next else None,
            "complete": found.complete,
            "partitions": found.partitions.as_json(),
            "elapsed_ms": found.elapsed_ms,
        }
        return json.dumps(body)

    return responses.json_text(await asyncio.to_thread(made))


def of_sessions(query: Query, now_us: int) -> Query:
    """The query over the last 7 days where the URL chose no range."""
    return query if query.range_asked else query.over(resolve(range=DEFAULT_RANGE, tz=query.range.tz, now_us=now_us))


def _found(held: Instance, store: Store, query: Query, deadline_ms: float, now_us: int) -> Sessions:
    held.drain_when_due()
    size = query.size if "_size" in dict(query.pairs) else DEFAULT_SIZE
    return store.sessions(query.where, limit=size, after=query.after, deadline_ms=deadline_ms, now_us=now_us)


def _context(held: Instance, store: Store, query: Query, links: Links, now_us: int) -> dict[str, object]:
    """All that the template shows. Not for the event loop."""
    found = _found(held, store, query, DEADLINE_MS, now_us)
    tz = zone(query.range.tz)
    narrowed = narrowing(links, SESSIONS)
    return {
        **_form(store, query.pairs, links, query.where),
        "sessions": [listed.view(one, links, narrowed, tz, now_us) for one in found.rows],
        "is_complete": found.complete,
        "next_url": _next(links, query.cursor(found.next)) if found.next else "",
        "newest_url": links.to(SESSIONS, links.pairs) if query.after else "",
        "search_here_url": links.search(links.pairs if query.range_asked else (*links.pairs, ("range", DEFAULT_RANGE))),
        "truth": truth(found.partitions, found.elapsed_ms),
        "tz": query.range.tz,
        "label": query.range.label,
    }


def _next(links: Links, cursor: str) -> str:
    return links.to(SESSIONS, (*links.pairs, ("_next", cursor)))


def narrowing(links: Links, path: str) -> Callable[[str, str], str]:
    """What makes the URL of this page with only one value for a name; "" for a value that cannot be asked for."""

    def narrowed(name: str, value: str) -> str:
        if not value.strip() or len(value) > 500:
            return ""
        return links.to(path, (*(pair for pair in links.pairs if pair[0] != name), (name, value)))

    return narrowed


def _form(store: Store, pairs: Pairs, links: Links, where: Filter) -> dict[str, object]:
    """The form as the URL has it, and what it offers."""
    values = {name: [value for key, value in pairs if key == name] for name in CONTROLS}
    given = dict(pairs)
    current = given.get("range", "" if given.get("from") or given.get("to") else DEFAULT_RANGE)
    first = {name: said[0] for name, said in values.items() if said}
    hidden = [pair for pair in pairs if pair[0] not in CONTROLS or pair[1] != first[pair[0]]]
    times = ("range", "from", "to")
    without = tuple(pair for pair in links.pairs if pair[0] not in times)
    names = [*SHOWN_RANGES, *([current] if current and current not in SHOWN_RANGES else [])]
    return {
        "form_url": links.to(SESSIONS),
        "value": {name: first.get(name, "") for name in CONTROLS},
        "hidden": hidden,
        "options": {**_offered(store, where), "context": store.contexts()[:500]},
        "ranges": [
            (
                one_line(name, RANGE_MAX_CHARS),
                RANGES.get(name, ""),
                links.to(SESSIONS, (*without, ("range", name))),
                name == current,
            )
            for name in names
        ],
        "conditions": [
            (name, one_line(value, 80), links.to(SESSIONS, [one for one in links.pairs if one != (name, value)]))
            for name, value in links.pairs
            if name not in (*times, "tz", "_size")
        ],
        "all_url": links.to(SESSIONS, links.tz),
        "alternate_url_json": links.to(f"{SESSIONS}.json", links.pairs),
    }


def _offered(store: Store, where: Filter) -> dict[str, list[str]]:
    """Values of the filters that there are in the range, as far as that is quickly known."""
    there = Filter(since_us=where.since_us, until_us=where.until_us, contexts=where.contexts)
    found = store.facets(there, tuple(OFFERED.values()), limit=OFFERED_MOST, deadline_ms=OFFERED_MS)
    return {
        name: [value for value, _ in found.fields[field].values if len(value) <= 200 and value == visible(value)]
        for name, field in OFFERED.items()
    }
