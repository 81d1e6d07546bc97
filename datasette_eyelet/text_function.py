"""`eyelet_text(query)` in the SQL of a day: the ids of its events that a search for this text finds, as a JSON array.

It is what the search page's text is on a day's table (`_q`), and anybody's in SQL of his own:
`select * from hooks where id in (select value from json_each(eyelet_text('git push -force')))`. It asks the store, and
so knows what no index holds yet. A table page asks the same several times (rows, count, facets): the request that shows
it finds the ids once, before, and says what is wrong in its own words, which a function of SQLite's cannot.
"""

import json
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from datasette_eyelet import instance
from eyelet_ingest.store.layout import PartitionKey, key_from_mount_name

NAME = "eyelet_text"
CONDITION = "id in (select value from json_each(eyelet_text(?)))"
PAGE_MS = 5_000  # for the ids of a page
SQL_MS = 1_000  # for those of a query of somebody's own: what Datasette gives it by default

# What the running request has found already, by day and text. Threads that read for it have a copy.
_found: ContextVar[Mapping[tuple[PartitionKey, str], str]] = ContextVar("eyelet_text_found", default={})  # noqa: B039  never changed


def register(datasette: Any, conn: Any, database: str) -> None:
    """Datasette's hook for a new connection: that of a day gets the function."""
    key = key_from_mount_name(database)
    if key is None:
        return
    held = instance.of(datasette)

    def ids(text: object) -> str | None:
        if not isinstance(text, str) or not text.strip():
            return None
        known = _found.get().get((key, text))
        return known if known is not None else json.dumps(held.store.text_ids(key, text, deadline_ms=SQL_MS))

    conn.create_function(NAME, 1, ids)


async def find(datasette: Any, key: PartitionKey, text: str) -> None:
    """Find the ids for the rest of this request; BadInput for a text that cannot be meant."""
    known = _found.get()
    if (key, text) not in known:
        held = instance.of(datasette)
        ids = await held.apart(held.store.text_ids, key, text, deadline_ms=PAGE_MS)
        _found.set({**known, (key, text): json.dumps(ids)})
