"""Programs on this machine that hand over what they did, each request with a token: who may, and where to.

A page in a browser has neither the Host nor the Origin, and a cookie counts for nothing here. The hook and OTLP share
it; docs/http-hook.md describes it.
"""

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any

from datasette_eyelet import instance, token_actor
from datasette_eyelet.api import door
from datasette_eyelet.api.door import Problem
from datasette_eyelet.api.insert import CONTEXT_MAX_CHARS
from datasette_eyelet.settings import HOOK_HOSTS

BODIES_MAX_BYTES = 256 * 2**20  # of all requests at once
LOOPBACK = ("127.0.0.1", "localhost", "::1")
CONTEXT, DISABLED = "x-eyelet-context", "x-eyelet-disabled"  # headers, which agents fill from their environment
_SITES = ("same-origin", "none")  # what a browser says of a request that no other site made


def behind_the_door(view: door.View, refuse: Callable[[Problem], Any] = door.refusal) -> door.View:
    """The view, behind the look at where the request comes from: before anything else is said."""

    async def answered(datasette: Any, request: Any) -> Any:
        try:
            check_place(datasette, request)
            if not token_actor.said_by(request):  # one that is shown and not known is told so
                check_token(request)
        except Problem as problem:
            return refuse(problem)
        answer: Awaitable[Any] = view(datasette, request)
        return await answer

    return answered


def given_context(request: Any) -> str:
    """The context that the address or a header names, "" where none does."""
    for name in request.args:
        if name != "context":
            raise Problem(400, f"{name[:60]!r}: the address has no such parameter, it has context")
    said = {*request.args.getlist("context"), str(request.headers.get(CONTEXT) or "")} - {""}
    if len(said) > 1:
        raise Problem(400, "context: an event goes into one")
    context = next(iter(said), "")
    if len(context) > CONTEXT_MAX_CHARS:
        raise Problem(400, f"context: must be a name of 1 to {CONTEXT_MAX_CHARS} characters")
    return context


def is_off(request: Any) -> bool:
    """Whether the agent's own environment says that it is not to be recorded."""
    return str(request.headers.get(DISABLED) or "0").strip() not in ("", "0")


def is_near(request: Any) -> bool:
    """Whether the request comes from this machine."""
    client = request.scope.get("client")
    return bool(client) and client[0] in LOOPBACK


def check_token(request: Any) -> None:
    """A token, ours or another plugin's, must be shown with each request: what a browser adds by itself is none."""
    actor = request.actor or {}
    if not (token_actor.is_token(actor) or (request.headers.get("authorization") and actor.get("token"))):
        reason = "show a token that allows to record: Authorization: Bearer …, from `eyelet token create`"
        raise Problem(401, reason, **{"WWW-Authenticate": "Bearer"})


def check_place(datasette: Any, request: Any) -> None:
    """That the request was sent to this machine by its own name, and by no page of another site; else Problem 403.

    A page that has its own name lead to 127.0.0.1 (DNS rebinding) still sends that name as Host.
    """
    hosts = {*LOOPBACK, *(host.lower().strip("[]") for host in instance.of(datasette).settings.get(HOOK_HOSTS, []))}
    host, port = _host_and_port(str(request.headers.get("host") or ""))
    if host not in hosts:
        raise Problem(403, f"Host: {host[:80] or 'none'} is not one this address answers to (setting hook_hosts)")
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site")
    scheme, _, rest = str(origin or "").partition("://")
    is_own = scheme in ("http", "https") and _host_and_port(rest)[0] in hosts and _host_and_port(rest)[1] == port
    if (origin is not None and not is_own) or (site is not None and site not in _SITES):
        raise Problem(403, "a page of another site may not record")


def _host_and_port(text: str) -> tuple[str, str]:
    """Both in lower case, the host without brackets; ("", "") for what is none."""
    text = text.strip().lower()
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return (host, rest[1:]) if not rest or rest[0] == ":" else ("", "")
    host, _, port = text.partition(":")
    return (host, port) if "@" not in text and "/" not in text and (not port or port.isdigit()) else ("", "")


@contextmanager
def bodies(datasette: Any) -> "Generator[Any, None, None]":
    """Counts the bytes of bodies that are held at once; Problem 503 beyond BODIES_MAX_BYTES."""
    held: dict[str, int] = datasette.__dict__.setdefault("_eyelet_hook_bytes", {"now": 0})
    mine = 0

    def took(size_bytes: int) -> None:
        nonlocal mine
        held["now"] += size_bytes
        mine += size_bytes
        if held["now"] > BODIES_MAX_BYTES:
            raise Problem(503, "too many long bodies at once: try again", **{"Retry-After": str(door.RETRY_AFTER_S)})

    try:
        yield took
    finally:
        held["now"] -= mine
