"""`/-/eyelet/live`: what arrives from now on and matches a search, as server-sent events. docs/live.md describes it."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from datasette import Response
from datasette.utils import MultiParams

from datasette_eyelet import compat, facet_view, instance, permissions, responses
from datasette_eyelet.api import door
from datasette_eyelet.api.export import until_gone
from datasette_eyelet.links import Links
from datasette_eyelet.live import Follower, Following, Live, Message, Seen, message
from datasette_eyelet.look import look
from datasette_eyelet.query import STATUSES, Query, parse
from datasette_eyelet.row_json import row_json
from datasette_eyelet.rows import json_links, row_view
from datasette_eyelet.settings import LIVE_OWN, LIVE_PAGES, LIVE_ROWS
from eyelet_ingest.ranges import zone
from eyelet_ingest.store.entries import Entry
from eyelet_ingest.store.position import Position

BEAT_S = 10.0  # between two signs of life; permissions are asked for again at each
SEND_S = 30.0  # for who takes nothing
AGAIN_MS = 2_000  # after which a browser that was cut off asks again
ROWS_PER_S = 20  # to each page; what is beyond is counted
PAGES = 100
AFTER = "_after"
HEADERS = [
    [b"content-type", b"text/event-stream; charset=utf-8"],
    [b"cache-control", b"no-store"],
    [b"x-content-type-options", b"nosniff"],
    [b"referrer-policy", b"no-referrer"],
    [b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"],
    [b"x-accel-buffering", b"no"],  # nginx would collect it
]

Send = Callable[[dict[str, Any]], Awaitable[None]]


async def view(datasette: Any, request: Any, seen: Seen) -> Any:
    left = str(request.headers.get("last-event-id") or request.args.get(AFTER) or "")
    since = Position.read(left) if left else None
    args = {name: request.args.getlist(name) for name in request.args if name not in _NOT_OF_LIVE}
    query = _asked(args)
    if request.method == "HEAD":
        return Response("", content_type="text/event-stream; charset=utf-8", headers={"Cache-Control": "no-store"})
    calls = look(query.pairs, tuple(facet_view.FIELDS)).calls
    following = Following(seen, Links(datasette, query.pairs), lambda: _asked(args), calls, request)
    return _Stream(datasette, request, Follower(following, since, _who(request.actor)))


def _who(actor: dict[str, Any] | None) -> str:
    """What is the same of all pages of one actor; of nobody, all who are nobody."""
    actor = actor or {}
    return str(actor["id"]) if actor.get("id") is not None else json.dumps(actor, sort_keys=True, default=str)


_NOT_OF_LIVE = ("_next", "_size", "by", "full", AFTER)


def _asked(args: dict[str, list[str]]) -> Query:
    """The search as it is now. A range that ends now has no end here: what comes is not over yet."""
    query = parse(MultiParams(args), time.time_ns() // 1_000, STATUSES)
    given = dict(query.pairs)
    if given.get("to") or given.get("range") in ("yesterday", "today") or not (given.get("range") or given.get("from")):
        return query
    return replace(query, where=replace(query.where, until_us=None))


def _live(datasette: Any) -> Live:
    """The watcher of this Datasette, made by the first who follows."""
    held = instance.of(datasette)
    rows, pages = (held.settings.get(name, usual) for name, usual in ((LIVE_ROWS, ROWS_PER_S), (LIVE_PAGES, PAGES)))
    own = held.settings.get(LIVE_OWN, max(1, pages * 4 // 5))
    return held.live(lambda: Live(held, partial(rendered, datasette), rows, pages, own))


async def rendered(datasette: Any, following: Following, entries: list[Entry]) -> list[str]:
    """Each entry as JSON: what a page shows of it, the keys of it and of its call, and its row."""
    query = following.ask()
    links, where, tz = following.links, query.where, zone(query.range.tz)
    found = []
    for entry in entries:
        view = row_view(entry.row, links, tz, entry)
        html = await responses.row_html(datasette, following.request, view)
        said = json.dumps({"key": view.key, "call": view.call, "html": html.strip()})
        shown = row_json(entry.row, full=False, links=json_links(entry.row, links, where))
        found.append(f'{said[:-1]}, "row": {shown}}}')
    return found


class _Stream:
    """An answer that goes on until one of both sides ends it."""

    def __init__(self, datasette: Any, request: Any, follower: Follower) -> None:
        self.datasette, self.request, self.follower = datasette, request, follower
        self.is_asked_for = True  # whether the request itself says who asks

    def set_cookie(self, *_: Any, **__: Any) -> None:
        """What Datasette has to tell a person is told on the next page."""

    async def asgi_send(self, send: Send) -> None:
        live = _live(self.datasette)
        try:
            live.join(self.follower)
        except door.Problem as full:
            await door.refusal(full).asgi_send(send)
            return
        gone = asyncio.ensure_future(until_gone(self.request.receive))
        gone.add_done_callback(lambda _: self.follower.changed.set())
        try:
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            await self._stream(live, send, gone)
        except asyncio.TimeoutError:  # it takes nothing any more
            pass
        finally:
            live.leave(self.follower)
            gone.cancel()

    async def _stream(self, live: Live, send: Send, gone: "asyncio.Future[None]") -> None:
        follower = self.follower
        self.is_asked_for = await self._actor() is not None
        await _send(send, Message(f"retry: {AGAIN_MS}\n\n".encode()))
        await _send(send, message("open", {"rows_per_s": live.rows_per_s}))
        beat_s = time.monotonic() + BEAT_S
        while not gone.done():
            told = follower.take()
            if told is not None:
                await _send(send, told)
                continue
            if follower.ended is not None:
                await self._end(send, follower.ended, retry=True)
                return
            wait_s = beat_s - time.monotonic()
            if wait_s > 0:
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(follower.changed.wait(), wait_s)
                continue
            beat_s = time.monotonic() + BEAT_S
            if not await self._still_may():
                await self._end(send, "what you may see has changed", retry=True)
                return
            await _send(send, Message(b": beat\n\n"))

    async def _end(self, send: Send, why: str, *, retry: bool) -> None:
        await _send(send, message("end", {"reason": why, "retry": retry}))
        await send({"type": "http.response.body", "body": b""})

    async def _still_may(self) -> bool:
        """Whether who asked is somebody still (a token is revoked, a cookie ends), and may see what they might."""
        actor = await self._actor() if self.is_asked_for else self.request.actor
        seen = await permissions.contexts_for(self.datasette, actor)
        return seen == self.follower.following.seen

    async def _actor(self) -> dict[str, Any] | None:
        """Who the request says they are, now; None also of whom only another ASGI wrapper knows."""
        return await compat.actor_of(self.datasette, {**self.request.scope, "actor": None})


async def _send(send: Send, told: Message) -> None:
    """asyncio.TimeoutError where nobody takes it."""
    await asyncio.wait_for(send({"type": "http.response.body", "body": told.body, "more_body": True}), SEND_S)
