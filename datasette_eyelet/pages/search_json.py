"""`/-/eyelet.json`: the search page's answer for programs."""

import asyncio
import json
import time
from typing import Any

from datasette_eyelet import instance, responses
from datasette_eyelet.answer import answer
from datasette_eyelet.instance import Instance
from datasette_eyelet.links import Links
from datasette_eyelet.query import Query, parse
from datasette_eyelet.row_json import CUT_CHARS, row_json
from datasette_eyelet.rows import json_links
from eyelet_ingest.store.store import Store


async def view(datasette: Any, request: Any, seen: frozenset[str] | None) -> Any:
    query = parse(request.args, time.time_ns() // 1_000)
    held = instance.of(datasette)
    return responses.json_text(await asyncio.to_thread(_body, held, held.store_for(seen), query, Links(datasette, ())))


def _body(held: Instance, store: Store, query: Query, links: Links) -> str:
    held.drain_when_due()
    found = answer(store, query, None if query.full else CUT_CHARS)
    where = found.query.where
    rows = ", ".join(row_json(row, full=query.full, links=json_links(row, links, where)) for row in found.result.rows)
    rest = {
        "next": found.next,
        "partitions": found.result.partitions.as_json(),
        "elapsed_ms": found.result.elapsed_ms,
    }
    return f'{{"ok": true, "rows": [{rows}], {json.dumps(rest)[1:]}'
