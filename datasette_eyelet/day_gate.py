"""The gate in front of days: a URL that begins with the name of a day, or of a database over days, is let through when
the actor may see its context, with the database mounted for that request; else the reason is the answer, and nothing
is opened."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from datasette import Response
from datasette.utils import tilde_decode

from datasette_eyelet import compat, contexts, day_text, download, instance, mounts, permissions
from datasette_eyelet.problems import problem, refusal
from datasette_eyelet.scope import scope_of
from eyelet_ingest.errors import EyeletError, PartitionUnreadable
from eyelet_ingest.store import layout
from eyelet_ingest.store.connect import driver
from eyelet_ingest.store.layout import PartitionKey

Message = dict[str, Any]
Send = Callable[[Message], Awaitable[None]]

ANSWER = "/-/eyelet/day"
_VIEW = "eyelet_view"


def guarding_days(datasette: Any) -> Callable[[Any], Any]:
    """ASGI: mounts the day that a request is about, for whoever may see it."""

    def wrap(app: Any) -> Any:
        async def wrapped(scope: Message, receive: Any, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            with mounts.showing():
                spelt, rest = _parted(datasette, scope)
                name = tilde_decode(spelt) if "~" in spelt or "+" in spelt else spelt
                key, scope_of_name = layout.key_from_mount_name(name), scope_of(name)
                is_a_name = key is not None or (scope_of_name is not None and scope_of_name.context is not None)
                if (not is_a_name or name in datasette.databases) and not mounts.is_ours(datasette, name):
                    await app(scope, receive, send)
                    return
                actor = await compat.actor_of(datasette, scope)
                if not await permissions.may_see_database(datasette, actor, name):
                    await app(_answering(scope, partial(refusal, as_json=_wants_json(scope))), receive, send)
                elif spelt != name:
                    await Response.redirect(_respelt(datasette, scope, name + rest)).asgi_send(send)
                elif key is not None:
                    await _day(datasette, scope, key, rest, partial(app, receive=receive), send)
                elif is_a_name:
                    await _over_one(datasette, scope, scope_of_name, rest, partial(app, receive=receive), send)
                else:
                    await _over_days(datasette.databases[name], scope, rest, partial(app, receive=receive), send)

        return wrapped

    return wrap


async def _over_one(
    datasette: Any, scope: Message, over: Any, rest: str, app: Callable[..., Awaitable[None]], send: Send
) -> None:
    """The app's answer with the database over the days of one context, or that there is no such context."""
    held = instance.of(datasette)
    with held.days.pinned(over.name):
        database = await contexts.mount(datasette, over)
        if database is None:
            await app(_answering(scope, partial(_no_such_context, over=over, as_json=_wants_json(scope))), send=send)
            return
        with mounts.showing(database):
            await _over_days(database, scope, rest, app, send)


async def _over_days(database: Any, scope: Message, rest: str, app: Callable[..., Awaitable[None]], send: Send) -> None:
    """The app's answer with a database over days, its text indexes brought up to date where they are asked."""
    if waits := await day_text.made_current_over_days(database, scope, rest):
        is_page = rest == day_text.TABLE_PATHS[0]
        busy = partial(problem, as_json=not is_page, status=400, title="Not searched", reason=waits)
        await app(_answering(scope, busy), send=send)
    else:
        await app(compat.csv_that_works(scope) if _is_csv(scope) else scope, send=send)


async def _no_such_context(datasette: Any, request: Any, *, over: Any, as_json: bool) -> Any:
    reason = f"nothing is recorded in the context {over.context}: /-/eyelet/days lists those there are"
    return await problem(datasette, request, as_json, 404, "No such context", reason)


async def _day(
    datasette: Any, scope: Message, key: PartitionKey, rest: str, app: Callable[..., Awaitable[None]], send: Send
) -> None:
    """The app's answer with the day mounted, or why it cannot be."""
    days = instance.of(datasette).days
    why = partial(_unreadable, key=key, as_json=_wants_json(scope))
    with days.pinned(key.mount_name):
        try:
            day = await days.mount(key)
            waits = await day_text.made_current(datasette, scope, day, rest)
            day = await days.mount(key)
        except (EyeletError, driver().Error) as error:
            trouble = error if isinstance(error, EyeletError) else mounts.broken(day.path, error)
            await app(_answering(scope, partial(why, error=trouble)), send=send)
            return
        if waits:
            is_page = rest == day_text.TABLE_PATHS[0]
            busy = partial(problem, as_json=not is_page, status=503, title="Not searched", reason=waits)
            await app(_answering(scope, busy), send=send)
            return
        answered = _SecondLook(day, send)
        with mounts.showing(day):
            if rest == ".db":
                await app(_answering(scope, partial(download.day, day=day)), send=answered.send)
            else:
                await app(compat.csv_that_works(scope) if rest.endswith(".csv") else scope, send=answered.send)
        if answered.trouble is not None:
            again = {**scope, "method": "HEAD" if scope["method"] == "HEAD" else "GET"}  # its body was read
            await app(_answering(again, partial(why, error=answered.trouble)), send=send)


class _SecondLook:
    """Withholds what Datasette says is wrong with a request, where it is the day that went wrong meanwhile."""

    def __init__(self, day: mounts.Day, send: Send) -> None:
        self.day, self._send = day, send
        self.trouble: EyeletError | None = None  # why the answer is withheld

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] in (400, 404, 500):
            self.trouble = await mounts.trouble_with(self.day)
        if self.trouble is None:
            await self._send(message)


def _answering(scope: Message, view: Callable[..., Awaitable[Any]]) -> Message:
    """The request as one for a page of ours, which `view(datasette, request)` makes: so that Datasette adds to it what
    it adds to every page."""
    return {**scope, "path": ANSWER, "raw_path": ANSWER.encode("ascii"), _VIEW: view}


async def answer(datasette: Any, request: Any) -> Any:
    """The gate's own answer, at the address where only the gate leads."""
    if _VIEW not in request.scope:
        return await problem(datasette, request, False, 404, "No such page", "there is nothing at this address")
    return await request.scope[_VIEW](datasette, request)


async def unreadable_day(datasette: Any, request: Any, exception: Exception) -> Any:
    """For Datasette's `handle_exception`: a page for a day that broke, or vanished, while it was read, and for a text
    that cannot be searched for; else None."""
    day = mounts.day_of_request(datasette)
    if day is None:
        name, _ = _parted(datasette, request.scope)
        return await _mistaken(datasette, request, exception) if mounts.is_ours(datasette, name) else None
    if isinstance(exception, PartitionUnreadable):
        return await _unreadable(datasette, request, key=day.key, error=exception, as_json=_wants_json(request.scope))
    if isinstance(exception, driver().DatabaseError) and mounts.is_broken(exception):
        error = mounts.broken(day.path, exception)
        return await _unreadable(datasette, request, key=day.key, error=error, as_json=_wants_json(request.scope))
    return await _mistaken(datasette, request, exception)


async def _mistaken(datasette: Any, request: Any, exception: Exception) -> Any:
    """A page for a search whose text SQLite cannot read; else None."""
    if reason := day_text.mistake(request, str(exception)):
        return await problem(datasette, request, _wants_json(request.scope), 400, "That cannot be searched for", reason)
    return None


async def _unreadable(datasette: Any, request: Any, *, key: PartitionKey, error: EyeletError, as_json: bool) -> Any:
    day = f"{key.date} in the context {key.context}"
    if isinstance(error, mounts.NoSuchDay):
        reason = f"nothing is recorded for {day}, or it was removed: /-/eyelet/days lists the days there are"
        return await problem(datasette, request, as_json, 404, "No such day", reason)
    reason = f"{day}: {error}. The other days are not concerned."
    return await problem(datasette, request, as_json, 503, "That day cannot be read", reason)


def _wants_json(scope: Message) -> bool:
    return str(scope["path"]).endswith(".json")


def _is_csv(scope: Message) -> bool:
    return str(scope["path"]).endswith(".csv")


def _parted(datasette: Any, scope: Message) -> tuple[str, str]:
    """The first segment of the path as it is spelt, up to a dot, and what follows it: as Datasette's router will."""
    path = scope["path"]
    if scope.get("raw_path"):
        path = scope["raw_path"].decode("ascii", "replace")
    path = path.partition("?")[0]
    base = datasette.setting("base_url")
    if base != "/" and path.startswith(base):
        path = "/" + path[len(base) :]
    segment = path[1:].partition("/")[0]
    name = segment.partition(".")[0]
    return name, path[1 + len(name) :]


def _respelt(datasette: Any, scope: Message, path: str) -> str:
    query = scope.get("query_string", b"").decode("latin-1")
    return str(datasette.urls.path("/" + path)) + (f"?{query}" if query else "")
