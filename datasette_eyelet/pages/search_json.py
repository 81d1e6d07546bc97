"""`/-/eyelet.json`: the search page's answer for programs."""

import asyncio
import json
import time
from typing import Any

from datasette_eyelet import instance, responses
from datasette_eyelet.answer import answer
from datasette_eyelet.instance import Instance
from datasette_eyelet.query import Query, parse
from datasette_eyelet.row_json import CUT_CHARS, row_json


async def view(datasette: Any, request: Any) -> Any:
    query = parse(request.args, time.time_ns() // 1_000)
    return responses.json_text(await asyncio.to_thread(_body, instance.of(datasette), query))


def _body(held: Instance, query: Query) -> str:
    held.drain_when_due()
    found = answer(held.store, query, None if query.full else CUT_CHARS)
    partitions = found.result.partitions
    rows = ", ".join(row_json(row, full=query.full) for row in found.result.rows)
    rest = {
        "next": found.next,
        "partitions": {
            "scanned": partitions.scanned,
            "skipped": partitions.skipped,
            "unreadable": [
                {"context": bad.context, "day": bad.day, "error": bad.error} for bad in partitions.unreadable
            ],
        },
        "elapsed_ms": found.result.elapsed_ms,
    }
    return f'{{"ok": true, "rows": [{rows}], {json.dumps(rest)[1:]}'
