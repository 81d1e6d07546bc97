"""`/-/eyelet/sql`: the SQL that finds what a search finds, with a way to run it for whoever may."""

import asyncio
import json
import time
from typing import Any

from datasette_eyelet import instance, responses, search_sql
from datasette_eyelet.answer import settled
from datasette_eyelet.links import Links
from datasette_eyelet.query import Query, parse
from datasette_eyelet.search_sql import Sql
from datasette_eyelet.visible import visible


async def view(datasette: Any, request: Any, seen: frozenset[str] | None) -> Any:
    query, found = await _found(datasette, request, seen)
    links = Links(datasette, query.pairs, query.page)
    context = {
        "sql": visible(found.text),
        "database": found.database,
        "run_url": found.url,
        "back_url": links.here(),
        "alternate_url_json": links.sql(".json"),
    }
    return await responses.page(datasette, request, "sql.html", context)


async def json_view(datasette: Any, request: Any, seen: frozenset[str] | None) -> Any:
    _, found = await _found(datasette, request, seen)
    said = {"ok": True, "sql": found.text, "database": found.database, "url": found.url or None}
    return responses.json_text(json.dumps(said))


async def _found(datasette: Any, request: Any, seen: frozenset[str] | None) -> tuple[Query, Sql]:
    query = parse(request.args, time.time_ns() // 1_000)
    store = instance.of(datasette).store_for(seen)
    where = (await asyncio.to_thread(settled, store, query)).where
    return query, await search_sql.of(datasette, request.actor, seen, where, query.size)
