"""`POST /-/eyelet/hook`: one hook payload as the body, acknowledged when it is safe, with nothing an agent would read.

Only for programs on this machine that show a token: a page in a browser has neither the Host nor the Origin, and a
cookie counts for nothing here. docs/http-hook.md describes it.
"""

import asyncio
import os
import re
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from datasette_eyelet import instance, permissions, responses, token_actor
from datasette_eyelet.api import body, door
from datasette_eyelet.api.door import Problem, forbidden, room
from datasette_eyelet.api.insert import CONTEXT_MAX_CHARS
from datasette_eyelet.permissions import WRITE
from datasette_eyelet.settings import HOOK_HOSTS
from eyelet_ingest import intake, live, metadata, pause, posting, redactors
from eyelet_ingest.errors import BadInput, EyeletError
from eyelet_ingest.events import Event
from eyelet_ingest.jsontext import parse
from eyelet_ingest.store import identity, layout
from eyelet_ingest.surroundings import Surroundings

HOOK = "/-/eyelet/hook"
BODY_MAX_BYTES = 64 * 2**20
BODIES_MAX_BYTES = 256 * 2**20  # of all requests at once
LOOPBACK = ("127.0.0.1", "localhost", "::1")
CONTEXT, DISABLED = "x-eyelet-context", "x-eyelet-disabled"  # headers, which agents fill from their environment
TRUSTED_CLOCK_NS = 60 * 10**9  # a sender's time counts when it is this near to ours
_UID, _NS = re.compile(r"[0-9a-f]{32}", re.ASCII), re.compile(r"[0-9]{1,20}", re.ASCII)
_SITES = ("same-origin", "none")  # what a browser says of a request that no other site made


async def view(datasette: Any, request: Any) -> Any:
    _check_token(request)
    body.content_type(request, *body.JSON)
    given = _given_context(request)
    if _is_off(request):
        return _done()
    held = instance.of(datasette)
    grouped = held.grouped
    with room(datasette, "hook"):
        with _bodies(datasette) as took:
            raw = await body.read_bytes(request, BODY_MAX_BYTES, took)
            if not raw.strip():
                raise Problem(400, "the body is empty: it is the payload of a hook")
            named = _named(request)
            context, event = await asyncio.to_thread(_event, held, raw, given, _is_near(request), named)
            del raw
        if event is None:
            return _done()
        if not await permissions.may(datasette, request.actor, WRITE, layout.safe_context(context)):
            raise forbidden(WRITE)
        event.meta["source"] = {**_source(event), "sender": door.who(request)}
        try:
            done = grouped.put(context, event)
            if done is None:
                await held.apart(grouped.spool, context, event)
            else:
                await asyncio.shield(asyncio.wrap_future(done))
        except EyeletError as bad:  # its reason may name files
            raise Problem(503, f"the event is recorded nowhere: {bad.hint}") from bad
    return _done()


def _event(
    held: instance.Instance, raw: bytes, given: str, is_near: bool, named: tuple[bytes, int]
) -> tuple[str, Event | None]:
    """The context to record into and the event of a payload; None where nothing is to be recorded.

    Whoever asks from this machine has the settings of the folder that the payload names; where it is written, a
    payload does not say.
    """
    around = Surroundings(_folder(raw) if is_near else os.sep)
    if not around.settings["enabled"] or pause.rests(around.home, around.folders()):
        return "", None
    around.redactor = redactor = around.redactor_with(held.key)
    if given:
        redactors.check_context(given, redactor)
    plugins = held.plugins()
    uid, received_ns = named
    event, payload = live.event_of(raw, received_ns, redactor, around.settings, plugins)
    event.uid = uid
    if is_near:
        around.settings["environment"] = ()  # the server's is not the agent's
        metadata.add(event, around)
        plugins.redact_metadata(event)
    plugins.enrich(event, payload, redactor)
    return given or around.context, event


def _named(request: Any) -> tuple[bytes, int]:
    """The event's uid and the nanosecond it was received, as the sender says where it would store the event itself
    without an answer; else new ones, as two equal payloads are two events."""
    now_ns = time.time_ns()
    uid, _, received_ns = str(request.headers.get(posting.EVENT.lower()) or "").partition(" ")
    if _UID.fullmatch(uid) and _NS.fullmatch(received_ns) and abs(int(received_ns) - now_ns) < TRUSTED_CLOCK_NS:
        return bytes.fromhex(uid), int(received_ns)
    return os.urandom(identity.UID_BYTES), now_ns


def _folder(raw: bytes) -> str:
    """The folder that the agent works in; that of the root where the payload names none that is there."""
    try:
        payload = parse(intake.decode(raw)[0])
    except BadInput:
        return os.sep
    cwd = payload.get("cwd") if isinstance(payload, dict) else None
    is_folder = isinstance(cwd, str) and os.path.isabs(cwd) and "\0" not in cwd and os.path.isdir(cwd)
    return str(cwd) if is_folder else os.sep


def _source(event: Event) -> "dict[str, object]":
    source = event.meta.get("source")
    return source if isinstance(source, dict) else {}


def _given_context(request: Any) -> str:
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


def _is_off(request: Any) -> bool:
    """Whether the agent's own environment says that it is not to be recorded."""
    return str(request.headers.get(DISABLED) or "0").strip() not in ("", "0")


def _is_near(request: Any) -> bool:
    """Whether the request comes from this machine."""
    client = request.scope.get("client")
    return bool(client) and client[0] in LOOPBACK


def _done() -> Any:
    """What every agent takes for "go on": an object that says nothing."""
    return responses.json_text("{}")


def _check_token(request: Any) -> None:
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
def _bodies(datasette: Any) -> "Generator[Any, None, None]":
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


async def answered(datasette: Any, request: Any) -> Any:
    """The view, behind the look at where the request comes from: before anything else is said."""
    try:
        check_place(datasette, request)
        if not token_actor.said_by(request):  # one that is shown and not known is told so
            _check_token(request)
    except Problem as problem:
        return door.refusal(problem)
    return await _guarded(datasette, request)


_guarded = door.guarded(view, WRITE, "POST")
ROUTES = [(rf"^{HOOK}$", answered)]
