"""`/-/eyelet/values.json`: the values that there are of a field, for the search box and for programs."""

import asyncio
import json
import time
from dataclasses import asdict
from typing import Any

from datasette_eyelet import instance, responses, suggestions
from datasette_eyelet.query import parse
from eyelet_ingest.store.select import Filter


async def json_view(datasette: Any, request: Any, seen: frozenset[str] | None) -> Any:
    """Of the search's parameters time and contexts count: what a value is worth is seen before all else is chosen."""
    query = parse(request.args, time.time_ns() // 1_000, as_it_stands=True)
    where = Filter(
        since_us=query.where.since_us,
        until_us=query.where.until_us,
        contexts=query.where.contexts,
        without=tuple(pair for pair in query.where.without if pair[0] == "contexts"),
    )
    store = instance.of(datasette).store_for(seen)
    name, begun = request.args.get("_field") or "", request.args.get("_begun") or ""
    found = await asyncio.to_thread(suggestions.suggested, store, name, begun, where)
    return responses.json_text(json.dumps({"ok": True, "field": name, **asdict(found)}))
