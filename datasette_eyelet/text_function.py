"""`eyelet_text(query)` in the SQL of a day, and of all days: what a search for this text finds, as a JSON array.

Of a day that is the ids of its events; of all days `[context, id]` of each, as two contexts may share an id, and with
several roots the number of the root behind it. Of all days `eyelet_text(query, since, until)` is the same of
since ≤ id < until, either of which may be null: only the days of that time are asked. It is what the search page's text
is on a table (`_q`), and anybody's in SQL of his own:
`select * from hooks where id in (select value from json_each(eyelet_text('git push -force')))`. It asks the store, and
so knows what no index holds yet. A table page asks the same several times (rows, count, facets): the request that shows
it finds them once, before, and says what is wrong in its own words, which a function of SQLite's cannot.
"""

import json
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

from datasette_eyelet import instance
from eyelet_ingest.store.layout import PartitionKey, key_from_mount_name
from eyelet_ingest.store.select import Filter

NAME = "eyelet_text"
CONDITION = "id in (select value from json_each(eyelet_text(?)))"
# The first leaves out days, and most rows of the others; the second is what is meant.
_BY_ID = "id in (select json_extract(value, '$[1]') from json_each(eyelet_text(?)))"
_PLACE = "context_name || '/' || id{} in (select {} from json_each(eyelet_text(?)))"
_PLACES = " || '/' || ".join(f"json_extract(value, '$[{at}]')" for at in range(2))
_OF_ROOTS = f"{_PLACES} || '/' || json_extract(value, '$[2]')"
PAGE_MS = 5_000  # for the events of a page
SQL_MS = 1_000  # for those of a query of somebody's own: what Datasette gives it by default
FOUND_MOST = 100_000  # events of all days that one page may be about: JSON of 4 MB, looked through in 0.2 s

# What the running request has found already, by database and text. Threads that read for it have a copy.
_found: ContextVar[Mapping[tuple[str, str], str]] = ContextVar("eyelet_text_found", default={})  # noqa: B039  never changed


def register(datasette: Any, conn: Any, database: str) -> None:
    """Datasette's hook for a new connection: that of a day gets the function."""
    key = key_from_mount_name(database)
    if key is not None:
        held = instance.of(datasette)
        _register(conn, database, lambda text: json.dumps(held.store.text_ids(key, text, deadline_ms=SQL_MS)))


def register_over_days(database: Any, conn: Any) -> None:
    """A connection over all days of a scope, which is its database's own to prepare, gets the function."""
    _register(conn, database.name, lambda text: _places(database, Filter(text=text), SQL_MS))

    def within(text: object, since: object, until: object) -> str | None:
        if not isinstance(text, str) or not text.strip():
            return None
        since_us, until_us = (at if isinstance(at, int) else None for at in (since, until))
        return _places(database, Filter(text=text, since_us=since_us, until_us=until_us), SQL_MS)

    conn.create_function(NAME, 3, within)


def conditions_over_days(several: bool, since_us: int | None = None, until_us: int | None = None) -> tuple[str, str]:
    """What is true of the rows over all days that were found, each with a `?` for the text; `several` roots or one.
    Of a range only its days are asked."""
    by_id, place = _BY_ID, _PLACE.format("", _PLACES)
    if several:
        place = _PLACE.format(" || '/' || root", _OF_ROOTS)
    if since_us is None and until_us is None:
        return by_id, place
    bounds = ", ".join("null" if us is None else str(int(us)) for us in (since_us, until_us))
    narrowed = f"{NAME}(?, {bounds})"
    return by_id.replace(f"{NAME}(?)", narrowed), place.replace(f"{NAME}(?)", narrowed)


async def find(datasette: Any, key: PartitionKey, text: str) -> None:
    """Find the ids for the rest of this request; BadInput for a text that cannot be meant."""
    held = instance.of(datasette)

    def ids() -> str:
        return json.dumps(held.store.text_ids(key, text, deadline_ms=PAGE_MS))

    await _find(held, key.mount_name, text, ids)


async def find_over_days(database: Any, where: Filter) -> None:
    """The same of all days in the scope of a database, as far as the rest of `where` is true of them. BadInput, too,
    where that is more than FOUND_MOST, or takes too long."""
    held = instance.of(database.ds)
    await _find(held, database.name, where.text, lambda: _places(database, where, PAGE_MS))


async def _find(held: instance.Instance, database: str, text: str, ask: Callable[[], str]) -> None:
    known = _found.get()
    if (database, text) not in known:
        _found.set({**known, (database, text): await held.apart(ask)})


def _places(database: Any, where: Filter, deadline_ms: float) -> str:
    store = database.store()
    found = store.text_places(where, FOUND_MOST, deadline_ms=deadline_ms)
    if store.roots.several:
        return json.dumps([(context, event_id, str(at + 1)) for context, at, event_id in found])
    return json.dumps([(context, event_id) for context, _, event_id in found])


def _register(conn: Any, database: str, ask: Callable[[str], str]) -> None:
    def found(text: object) -> str | None:
        if not isinstance(text, str) or not text.strip():
            return None
        known = _found.get().get((database, text))
        return known if known is not None else ask(text)

    conn.create_function(NAME, 1, found)
