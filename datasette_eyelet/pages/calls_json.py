"""`/-/eyelet/calls.json`, `usage.json`, `completeness.json`: calls, tokens, and how much was caught, for programs.

They take the search's parameters: calls all of them, the others those that choose sessions.
"""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from datasette_eyelet import instance, responses
from datasette_eyelet.answer import placed
from datasette_eyelet.query import Query, parse
from datasette_eyelet.row_json import CUT_CHARS, row_json
from eyelet_ingest import lapses
from eyelet_ingest.store.answers import Row
from eyelet_ingest.store.calls import STATUSES, Call
from eyelet_ingest.store.store import Store

BY = ("session", "agent", "model", "day")
_EVENTS = ("question", "answer")
DEADLINE_MS = 20_000  # an answer says what it left out for want of time; nobody waits longer at the other end

Body = Callable[[Store, Query], str]


def calls(store: Store, query: Query) -> str:
    """A page of calls, each with its question and its answer."""
    cut_chars = None if query.full else CUT_CHARS
    found = store.calls(query.where, limit=query.size, after=query.after, cut_chars=cut_chars, deadline_ms=DEADLINE_MS)
    rows = ", ".join(_call(call, store.root, query.full) for call in found.rows)
    rest = {
        "next": query.cursor(found.next) if found.next else None,
        "partitions": found.partitions.as_json(),
        "elapsed_ms": found.elapsed_ms,
    }
    return f'{{"ok": true, "rows": [{rows}], {json.dumps(rest)[1:]}'


def usage(store: Store, query: Query) -> str:
    """Tokens by session, agent, model and day, and the sum."""
    found = store.usage(query.where, BY, deadline_ms=DEADLINE_MS)
    rows = [
        {**{name: getattr(row, name) for name in BY}, "answers": row.answers, **row.tokens._asdict()}
        for row in found.rows
    ]
    total = {"answers": found.answers, **found.tokens._asdict()}
    truth = {"partitions": found.partitions.as_json(), "elapsed_ms": found.elapsed_ms}
    return json.dumps({"ok": True, "rows": rows, "total": total, **truth})


def completeness(store: Store, query: Query) -> str:
    """What hooks caught of what transcripts know."""
    rests, faults = lapses.known()
    found = store.completeness(query.where, rests=rests, faults=faults, deadline_ms=DEADLINE_MS)
    return json.dumps({"ok": True, **found.as_json()})


def view(body: Body) -> Callable[..., Any]:
    """The view that answers with this body."""

    async def answered(datasette: Any, request: Any, seen: frozenset[str] | None) -> Any:
        query = parse(request.args, time.time_ns() // 1_000, STATUSES)
        held = instance.of(datasette)

        def made() -> str:
            held.drain_when_due()
            return body(held.store_for(seen), query)

        return responses.json_text(await asyncio.to_thread(made))

    return answered


def _call(call: Call, root: str, full: bool) -> str:
    row = {field.name: getattr(call, field.name) for field in fields(Call) if field.name not in _EVENTS}
    if not call.root:
        del row["root"]
    members = json.dumps(placed({**row, "witnesses": list(call.witnesses)}, root))[:-1]
    events = ", ".join(f'"{name}": {_event(getattr(call, name), root, full)}' for name in _EVENTS)
    return f"{members}, {events}}}"


def _event(event: Row | None, root: str, full: bool) -> str:
    return "null" if event is None else row_json(placed(event, root), full=full)
