"""`POST /-/eyelet/api/delete`: what a filter finds, or what is older than a moment. Says first what would go."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from datasette_eyelet import instance
from datasette_eyelet.api import body, door
from datasette_eyelet.api.asked import from_object
from datasette_eyelet.api.door import Problem
from datasette_eyelet.instance import Instance
from datasette_eyelet.permissions import ADMIN
from datasette_eyelet.query import BadParameter
from eyelet_ingest.errors import EyeletError
from eyelet_ingest.store import account, audit
from eyelet_ingest.store.deletion import Deleted
from eyelet_ingest.store.layout import PartitionKey
from eyelet_ingest.store.select import Filter

FIELDS = ("filter", "before", "project", "prompt", "dry_run")
MOST = 200  # projects or prompts in one request
RELEASE_WAIT_S = 5.0  # for requests that read a day at the moment it is to be removed


async def view(datasette: Any, request: Any) -> Any:
    body.content_type(request, *body.JSON)
    with door.room(datasette, "POST"):
        said = await asyncio.to_thread(body.values, await body.read(request), *FIELDS)
        dry_run = said.get("dry_run", True)
        if not isinstance(dry_run, bool):
            raise Problem(400, "dry_run: must be true or false")
        projects, prompts = _texts(said, "project"), _texts(said, "prompt")
        where = _where(said, bool(projects or prompts))
        contexts = await door.chosen(datasette, request.actor, ADMIN, where.contexts)
        held = instance.of(datasette)
        what = _What(where, contexts, projects, prompts)
        done = await held.apart(_delete, held, what, dry_run, door.who(request))
    return door.answer(_told(done))


def _texts(said: dict[str, object], name: str) -> tuple[str, ...]:
    """A text, or a list of them; Problem 400 for anything else, and where it is there and names nothing."""
    if name not in said:
        return ()
    given = said[name]
    values = given if isinstance(given, list) else [given]
    texts = tuple(one for one in values if isinstance(one, str) and one)
    if not texts or len(texts) != len(values) or len(texts) > MOST:
        raise Problem(400, f"{name}: must be a text or a list of 1 to {MOST} texts")
    return texts


def _where(said: dict[str, object], is_more: bool) -> Filter:
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
    if where == Filter() and not is_more:
        raise Problem(400, "filter: names no condition, and there is no before: say what is to go")
    return where


@dataclass(frozen=True, slots=True)
class _What:
    where: Filter
    contexts: door.Contexts
    projects: tuple[str, ...]
    prompts: tuple[str, ...]


def _delete(held: Instance, what: _What, dry_run: bool, who: str) -> Deleted:
    """Not for the event loop. The audit has what is asked before anything goes, and what went."""

    def release(key: PartitionKey) -> None:
        held.days.release(key, RELEASE_WAIT_S)

    store = held.store_for(what.contexts)
    if dry_run:
        return store.delete(what.where, projects=what.projects, prompts=what.prompts, dry_run=True)
    asked = account.asked(what.where, what.projects, what.prompts)
    asked["contexts"] = None if what.contexts is None else sorted(what.contexts)
    audit.record(held.root, who, "delete.begin", asked)
    done = store.delete(what.where, projects=what.projects, prompts=what.prompts, before_removal=release)
    with suppress(EyeletError):  # what was asked is in the audit, and what went is gone
        audit.record(held.root, who, "delete.end", account.went(done))
    return done


def _told(done: Deleted) -> dict[str, object]:
    told: dict[str, object] = {
        "ok": not done.failed,
        "dry_run": done.dry_run,
        "events": done.events,
        "days": [account.of_day(day) for day in done.days],
        "elsewhere": [account.of_day(one) for one in done.elsewhere],
        "failed": account.failures(done),
        "unerased": done.unerased,
    }
    if done.failed:
        told["error"] = f"{len(done.failed)} days or places could not be served, nothing of them was deleted"
    return told
