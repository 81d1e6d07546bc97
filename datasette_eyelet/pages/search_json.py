"""`/-/eyelet.json`: the search page's answer for programs."""

import asyncio
import json
import time
from dataclasses import asdict
from typing import Any

from datasette_eyelet import instance, look, responses
from datasette_eyelet.answer import Answer, answer, entries, placed
from datasette_eyelet.links import Links
from datasette_eyelet.query import STATUSES, Query, parse
from datasette_eyelet.row_json import CUT_CHARS, row_json
from datasette_eyelet.rows import json_links
from eyelet_ingest.store.calls import STATUSES as OF_CALLS
from eyelet_ingest.store.entries import Entry
from eyelet_ingest.store.store import Store

DEADLINE_MS = 20_000  # of entries: those of a call are looked for, which a rare status makes long


async def view(datasette: Any, request: Any, seen: frozenset[str] | None) -> Any:
    calls = look.rows(request.args.get("rows") or "events") == "calls"
    query = parse(request.args, time.time_ns() // 1_000, OF_CALLS if calls else STATUSES)
    held = instance.of(datasette)
    body = _entries if calls else _events

    def made() -> str:
        held.drain_when_due()
        return body(held.store_for(seen), query, Links(datasette, ()))

    return responses.json_text(await asyncio.to_thread(made))


def _events(store: Store, query: Query, links: Links) -> str:
    found = answer(store, query, None if query.full else CUT_CHARS)
    where = found.query.where
    rows = [row_json(row, full=query.full, links=json_links(row, links, where)) for row in found.result.rows]
    return _body(rows, found)


def _entries(store: Store, query: Query, links: Links) -> str:
    """As the page has them: each call once."""
    found = entries(store, query, None if query.full else CUT_CHARS, calls=True, deadline_ms=DEADLINE_MS)
    where = found.query.where
    rows = []
    for entry in found.result.rows:
        row = row_json(entry.row, full=query.full, links=json_links(entry.row, links, where))
        rows.append(f"{row[:-1]}, {_call(entry, store)}}}")
    return _body(rows, found)


def _call(entry: Entry, store: Store) -> str:
    """The members that an entry has beside those of its event."""
    call = asdict(entry.call) if entry.call else None
    for end in ("question", "answer"):
        if call is not None and (at := call[end]) is not None:
            place = {"context_name": at[0], "id": at[1], **({"root": at[2]} if at[2] else {})}
            call[end] = placed(place, store.root)
    return json.dumps({"said": entry.said, "call": call})[1:-1]


def _body(rows: list[str], found: Answer[Any]) -> str:
    rest = {
        "next": found.next,
        "partitions": found.result.partitions.as_json(),
        "elapsed_ms": found.result.elapsed_ms,
    }
    return f'{{"ok": true, "rows": [{", ".join(rows)}], {json.dumps(rest)[1:]}'
