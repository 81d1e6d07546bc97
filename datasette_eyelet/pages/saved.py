"""`/-/eyelet/saved`: searches that have a name. Who may view may use them; saving and removing are POSTs of forms.

Who may see some contexts is shown the searches that name no other. Somebody who is signed in may save, and replace or
remove what they saved themselves; `eyelet-admin` may all.
"""

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from datasette import Response
from datasette.utils import MultiParams

from datasette_eyelet import instance, permissions, responses, token_actor
from datasette_eyelet.api.door import who_is
from datasette_eyelet.instance import Instance
from datasette_eyelet.links import SAVED, Links, Pairs
from datasette_eyelet.problems import problem
from datasette_eyelet.query import known_pairs, parse
from datasette_eyelet.visible import one_line, visible
from eyelet_ingest import saving
from eyelet_ingest.errors import BadInput
from eyelet_ingest.ranges import display_time, zone
from eyelet_ingest.store import saved
from eyelet_ingest.store.calls import STATUSES
from eyelet_ingest.store.layout import safe_context
from eyelet_ingest.store.saved import Saved
from eyelet_ingest.store.select import Filter

NAME_CHARS, VALUE_CHARS = 100, 120
FORM = ("csrftoken", "do", "name", "query", "again")

Seen = frozenset[str] | None


@dataclass(frozen=True, slots=True)
class SavedView:
    """One saved search as a page shows it: `conditions` are name and value; `may_change` says whether this actor may
    replace and remove it."""

    name: str
    given_name: str
    url: str
    conditions: tuple[tuple[str, str], ...]
    made_by: str
    made_at: str
    may_change: bool


@dataclass(frozen=True, slots=True)
class Menu:
    """What `eyelet/saved_menu.html` shows: the saved searches, and the form that saves this one (`query`)."""

    searches: tuple[SavedView, ...]
    url: str
    query: str
    may_save: bool


async def view(datasette: Any, request: Any, seen: Seen) -> Any:
    if request.method == "POST":
        return await _changed(datasette, request, seen)
    context = {
        "menu": await menu(datasette, request, seen, Links(datasette, known_pairs(request.args))),
        "alternate_url_json": str(datasette.urls.path(f"{SAVED}.json")),
    }
    return await responses.page(datasette, request, "saved.html", context)


async def json_view(datasette: Any, request: Any, seen: Seen) -> Any:
    found = await asyncio.to_thread(_shown, instance.of(datasette), seen)
    links = Links(datasette, ())
    searches = [
        {
            "name": one.name,
            "query": one.query,
            "url": links.search(tuple(parse_qsl(one.query))),
            "made_by": one.made_by,
            "made_at_us": one.made_at_us,
        }
        for one in found
    ]
    return responses.json_text(json.dumps({"ok": True, "searches": searches}))


async def menu(datasette: Any, request: Any, seen: Seen, links: Links) -> Menu:
    """For the page of this search. RootError where the saved ones cannot be read."""
    found = await asyncio.to_thread(_shown, instance.of(datasette), seen)
    is_admin = await _is_admin(datasette, request.actor)
    me = who_is(request.actor)
    searches = tuple(
        SavedView(
            one_line(one.name, NAME_CHARS),
            one.name,
            links.search(pairs := tuple(parse_qsl(one.query))),
            tuple((visible(name), one_line(value, VALUE_CHARS)) for name, value in pairs),
            one_line(one.made_by, NAME_CHARS),
            display_time(one.made_at_us, zone(""))[:16],
            is_admin or (_may_save(request.actor) and one.made_by == me),
        )
        for one in found
    )
    return Menu(searches, str(datasette.urls.path(SAVED)), saving.text_of(links.pairs), _may_save(request.actor))


async def _changed(datasette: Any, request: Any, seen: Seen) -> Any:
    """Save or remove as the form says. Where it came from, Datasette has looked (0.65: the token of the form; 1.0: the
    headers)."""
    if not _may_save(request.actor):
        reason = "saving searches takes somebody who is signed in; a token of `eyelet token` is for programs"
        return await problem(datasette, request, False, 403, "You may not save searches", reason)
    said = await request.post_vars()
    for name in said:
        if name not in FORM:
            raise BadInput("save the search", reason=f"the form has no field {name[:60]!r}", hint=f"{', '.join(FORM)}")
    name, query, held = said.get("name", "").strip(), said.get("query", ""), instance.of(datasette)
    may_all = await _is_admin(datasette, request.actor)
    if said.get("do") == "remove":
        await asyncio.to_thread(_remove, held, seen, who_is(request.actor), name, may_all)
        return _see(datasette, SAVED, ())
    pairs = tuple(parse_qsl(saving.query_of(query), max_num_fields=200))
    _where(pairs)  # what cannot be meant is not saved
    again = bool(said.get("again"))
    await asyncio.to_thread(_save, held, seen, who_is(request.actor), name, pairs, again, may_all)
    return _see(datasette, "", pairs)


def _see(datasette: Any, path: str, pairs: Pairs) -> Any:
    links = Links(datasette, ())
    return Response.redirect(links.to(path) if path else links.search(pairs))


def _save(held: Instance, seen: Seen, who: str, name: str, pairs: Pairs, again: bool, may_all: bool) -> None:
    if again:
        _check_mine(held, seen, who, name, may_all)
    saving.save(held.root, who, name, saving.text_of(pairs), held.redactor(), again=again)


def _remove(held: Instance, seen: Seen, who: str, name: str, may_all: bool) -> None:
    _check_mine(held, seen, who, name, may_all)
    saving.remove(held.root, who, name)


def _check_mine(held: Instance, seen: Seen, who: str, name: str, may_all: bool) -> None:
    """BadInput for one that another saved; one that is not seen is told like one that is not there, by who removes."""
    for one in saved.known(held.root):
        if one.name == name and not may_all and (one.made_by != who or not _may_see(one, seen)):
            raise BadInput("change the saved search", name, "somebody else saved it", "save yours by another name")


def _shown(held: Instance, seen: Seen) -> list[Saved]:
    return [one for one in saved.known(held.root) if _may_see(one, seen)]


def _may_see(one: Saved, seen: Seen) -> bool:
    """Whether the search names no context but those that are seen."""
    if seen is None:
        return True
    try:
        where = _where(tuple(parse_qsl(one.query)))
    except BadInput:  # what it names is not known
        return False
    left_out = [value for field, value in where.without if field == "contexts"]
    return seen.issuperset(safe_context(str(name)) for name in (*where.contexts, *left_out))


def _where(pairs: Pairs) -> Filter:
    """What the search asks for now; BadInput where it cannot be meant."""
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        given.setdefault(name, []).append(value)
    return parse(MultiParams(given), time.time_ns() // 1_000, STATUSES).where


def _may_save(actor: Any) -> bool:
    return actor is not None and not token_actor.is_token(actor)


async def _is_admin(datasette: Any, actor: Any) -> bool:
    return _may_save(actor) and await permissions.may(datasette, actor, permissions.ADMIN)
