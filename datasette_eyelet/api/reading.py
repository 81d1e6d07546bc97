"""`GET /-/eyelet/api/query`, `count` and `sources`: what was recorded, in the words of a log beside our own."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from datasette_eyelet import instance, permissions, responses
from datasette_eyelet.answer import answer
from datasette_eyelet.api import door
from datasette_eyelet.api.asked import PAGE, asked
from datasette_eyelet.instance import Instance
from datasette_eyelet.permissions import VIEW
from datasette_eyelet.query import MAX_SIZE, SEVERAL, Query
from datasette_eyelet.row_json import CUT_CHARS, row_json
from eyelet_ingest.errors import BadInput
from eyelet_ingest.jsontext import dumps, parse
from eyelet_ingest.sources import log
from eyelet_ingest.store.answers import Partitions
from eyelet_ingest.store.store import Store
from eyelet_ingest.synopsis import synopsis

CURSOR = "."  # before the name a page of sources ended with: a name may be empty
_NOT_OF_SOURCES = (*(name for name in SEVERAL if name not in ("context", "src")), "q", "errors", "full")


async def query_view(datasette: Any, request: Any) -> Any:
    query = asked(request.args)
    held, store = await _opened(datasette, request)
    return responses.json_text(await asyncio.to_thread(_rows, held, store, query))


async def count_view(datasette: Any, request: Any) -> Any:
    query = asked(request.args, without=PAGE)
    held, store = await _opened(datasette, request)

    def count() -> dict[str, object]:
        held.drain_when_due()
        found = store.count(query.where)
        return {"ok": True, "count": found.count, **_truth(found.partitions, found.elapsed_ms)}

    return door.answer(await asyncio.to_thread(count))


async def sources_view(datasette: Any, request: Any) -> Any:
    cursor = request.args.get("_next") or ""
    if cursor and not cursor.startswith(CURSOR):
        raise door.Problem(400, "_next: is not one of ours, start at the first page")
    after = cursor.removeprefix(CURSOR) if cursor else None
    given = {name: request.args.getlist(name) for name in request.args if name != "_next"}
    query = asked(type(request.args)(given), without=_NOT_OF_SOURCES)
    held, store = await _opened(datasette, request)
    size = query.size if request.args.get("_size") else MAX_SIZE

    def sources() -> dict[str, object]:
        held.drain_when_due()
        found = store.sources(query.where, limit=size, after=after)
        named = [{"src": one.src, "count": one.count, "newest_epoch": one.newest_us / 1e6} for one in found.sources]
        truth = _truth(found.partitions, found.elapsed_ms)
        following = None if found.next is None else CURSOR + found.next
        return {"ok": True, "sources": named, "next": following, **truth}

    return door.answer(await asyncio.to_thread(sources))


async def _opened(datasette: Any, request: Any) -> tuple[Instance, Store]:
    """The store as far as the actor may see it. A context they name beyond that is one that is not there."""
    held = instance.of(datasette)
    return held, held.store_for(await permissions.contexts_for(datasette, request.actor, VIEW))


def _rows(held: Instance, store: Store, query: Query) -> str:
    held.drain_when_due()
    found = answer(store, replace(query, range_asked=True), None if query.full else CUT_CHARS)
    rows = ", ".join(row_json(_as_log(row, query.full), full=query.full) for row in found.result.rows)
    rest = {"next": found.next, **_truth(found.result.partitions, found.result.elapsed_ms)}
    return f'{{"ok": true, "rows": [{rows}], {json.dumps(rest)[1:]}'


def _as_log(row: Mapping[str, object], full: bool) -> dict[str, object]:
    """The row with the names of a log in front."""
    content = _content(row)
    return {
        "context_name": row["context_name"],
        "logid": row["id"],
        "epoch": row["timestamp"],
        "src": row["src"],
        "loglevel": row["loglevel"],
        "error": row["error"],
        "content": content if full else content[:CUT_CHARS],
        **row,
    }


def _content(row: Mapping[str, object]) -> str:
    """A log event's own text; of any other, and where the payload was cut before it ended, a line of what happened."""
    if row["origin"] == "log" and isinstance(row["data"], str):
        try:
            payload = parse(row["data"])
        except BadInput:
            payload = None
        said = log.content(payload) if isinstance(payload, dict) else None
        if said is not None:
            return said if isinstance(said, str) else dumps(said)
    return synopsis(row)


def _truth(partitions: Partitions, elapsed_ms: float) -> dict[str, object]:
    return {"partitions": partitions.as_json(), "elapsed_ms": elapsed_ms}
