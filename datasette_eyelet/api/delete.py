"""`POST /-/eyelet/api/delete`: what a filter finds, or what is older than a moment. Says first what would go."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Any

from datasette_eyelet import instance
from datasette_eyelet.api import audited, body, door
from datasette_eyelet.api.asked import from_object
from datasette_eyelet.api.door import Problem
from datasette_eyelet.instance import Instance
from datasette_eyelet.permissions import ADMIN
from datasette_eyelet.query import BadParameter
from eyelet_ingest.errors import EyeletError
from eyelet_ingest.store import audit
from eyelet_ingest.store.deletion import Deleted
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.select import Filter

RELEASE_WAIT_S = 5.0  # for requests that read a day at the moment it is to be removed


async def view(datasette: Any, request: Any) -> Any:
    body.content_type(request, *body.JSON)
    with door.room(datasette, "POST"):
        said = await asyncio.to_thread(body.values, await body.read(request), "filter", "before", "dry_run")
        dry_run = said.get("dry_run", True)
        if not isinstance(dry_run, bool):
            raise Problem(400, "dry_run: must be true or false")
        where = _where(said)
        contexts = await door.chosen(datasette, request.actor, ADMIN, where.contexts)
        held = instance.of(datasette)
        done = await held.apart(_delete, held, where, contexts, dry_run, door.who(request))
    return door.answer(_told(done))


def _where(said: dict[str, object]) -> Filter:
    """What is to go. Problem 400 for everything: that nobody says by leaving something out."""
    query = from_object(said.get("filter", {}))
    where, before = query.where, said.get("before")
    if before is not None:
        try:
            until_us = from_object({"from": before}).where.since_us
        except (BadParameter, Problem) as bad:
            raise Problem(400, f"before: {bad}") from bad
        if until_us is None:
            raise Problem(400, "before: must be a time")
        where = replace(where, until_us=until_us if where.until_us is None else min(until_us, where.until_us))
    if where == Filter():
        raise Problem(400, "filter: names no condition, and there is no before: say what is to go")
    return where


def _delete(held: Instance, where: Filter, contexts: door.Contexts, dry_run: bool, who: str) -> Deleted:
    """Not for the event loop. The audit has what is asked before anything goes, and what went."""

    def release(key: PartitionKey) -> None:
        held.days.release(key, RELEASE_WAIT_S)

    store = held.store_for(contexts)
    if dry_run:
        return store.delete(where, dry_run=True)
    audit.record(held.root, who, "delete.begin", audited.facts(where, contexts))
    done = store.delete(where, before_removal=release)
    days = {day.key.mount_name: day.events for day in done.days}
    failed = [f"{bad.context} {bad.day}" for bad in done.failed]
    with suppress(EyeletError):  # what was asked is in the audit, and what went is gone
        audit.record(held.root, who, "delete.end", {"events": done.events, "days": days, "failed": failed})
    return done


def _told(done: Deleted) -> dict[str, object]:
    told: dict[str, object] = {
        "ok": not done.failed,
        "dry_run": done.dry_run,
        "events": done.events,
        "days": [
            {"context": day.key.context, "day": day.key.date, "events": day.events, "whole": day.whole}
            for day in done.days
        ],
        "failed": [{"context": bad.context, "day": bad.day, "error": bad.error} for bad in done.failed],
    }
    if done.failed:
        told["error"] = f"{len(done.failed)} days could not be served, nothing of them was deleted"
    return told
