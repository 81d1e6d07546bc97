"""`/-/eyelet/export.csv`, `.json`, `.jsonl`: every event that a search finds, oldest first, sent while it is read."""

import asyncio
import time
from typing import Any

from datasette import Response

from datasette_eyelet import instance
from datasette_eyelet.answer import settled
from datasette_eyelet.api import audited
from datasette_eyelet.api.export import Answer
from datasette_eyelet.export_forms import FORMS
from datasette_eyelet.instance import Instance
from datasette_eyelet.query import Query, parse
from eyelet_ingest.store.export import Export
from eyelet_ingest.store.store import Store


async def view(datasette: Any, request: Any, seen: frozenset[str] | None) -> Any:
    query = parse(request.args, time.time_ns() // 1_000)
    form = FORMS[request.url_vars["kind"]]()
    if request.method == "HEAD":
        return Response("", headers={"cache-control": "no-store"}, content_type=form.content_type)
    held = instance.of(datasette)
    store = held.store_for(seen)
    export, facts = await asyncio.to_thread(_export, held, store, query, seen)
    return Answer(datasette, request, export, facts, form)


def _export(
    held: Instance, store: Store, query: Query, seen: frozenset[str] | None
) -> tuple[Export, dict[str, object]]:
    """Not for the event loop. BadInput for what cannot be asked."""
    held.drain_when_due()
    where = settled(store, query).where
    return store.export(where), audited.facts(where, seen, held.redactor())
