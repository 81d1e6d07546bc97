"""`POST /-/eyelet/api/insert`: events of any program into one context."""

import asyncio
from typing import Any

from datasette_eyelet import instance, permissions
from datasette_eyelet.api import body
from datasette_eyelet.api.door import Problem, answer, forbidden, room, who
from datasette_eyelet.permissions import WRITE
from datasette_eyelet.visible import visible
from eyelet_ingest import logs
from eyelet_ingest.logs import Recorded
from eyelet_ingest.store import layout

CONTEXT_MAX_CHARS = 200


async def view(datasette: Any, request: Any) -> Any:
    kind = body.content_type(request, *body.JSON, *body.LINES)
    for name in request.args:
        if name != "context":
            raise Problem(400, f"{name[:60]!r}: the address has no such parameter, it has context")
    with room(datasette, "POST"):
        said = _of_object if kind in body.JSON else _of_lines
        context, texts = await asyncio.to_thread(said, await body.read(request), request.args.getlist("context"))
        if not await permissions.may(datasette, request.actor, WRITE, layout.safe_context(context)):
            raise forbidden(WRITE)
        held = instance.of(datasette)
        done = await held.apart(_record, held, context, texts, who(request))
    return _answer(context, len(texts), done)


def _record(held: instance.Instance, context: str, texts: list[str], sender: str) -> Recorded:
    with held.writing.to(held.store) as store:
        return logs.record(store, context, texts, sender=sender, plugins=held.plugins(), redactor=held.redactor())


def _of_object(text: str, given: list[str]) -> tuple[str, list[str]]:
    """The context, and the JSON texts of the events."""
    found = body.members(text, "context", "events")
    if "events" not in found:
        raise Problem(400, "events: is missing, it is a list of objects")
    if "context" in found:
        context = body.value(found["context"])
        if not isinstance(context, str):
            raise Problem(400, "context: must be a name")
        given = [*given, context]
    return _context(given), body.elements(found["events"], "events")


def _of_lines(text: str, given: list[str]) -> tuple[str, list[str]]:
    return _context(given), body.lines(text)


def _context(given: list[str]) -> str:
    names = set(given)
    if len(names) > 1:
        raise Problem(400, "context: a request records into one")
    context = next(iter(names), layout.DEFAULT_CONTEXT)
    if not 0 < len(context) <= CONTEXT_MAX_CHARS:
        raise Problem(400, f"context: must be a name of 1 to {CONTEXT_MAX_CHARS} characters")
    return context


def _answer(context: str, received: int, done: Recorded) -> Any:
    """200 where anything was taken, or nothing was sent; 400 where every event was refused."""
    said: dict[str, object] = {
        "ok": not done.refused,
        "context": layout.safe_context(context),
        "received": received,
        "stored": done.stored,
        "known": done.known,
        "spooled": _told(done.spooled),
        "refused": _told(done.refused),
    }
    if done.refused:
        index, reason = done.refused[0]
        many = f"{len(done.refused)} of {received} events were refused"
        said["error"] = visible(f"{many}, the first is events[{index}]: {reason}")
    return answer(said, 400 if done.refused and len(done.refused) == received else 200)


def _told(troubles: list[tuple[int, str]]) -> list[dict[str, object]]:
    return [{"index": index, "error": visible(reason)} for index, reason in troubles]
